"""All proofs."""

from rtl.prove import (
    axi4,
    axi4_lite,
    command,
    credits,
    fetch,
    in_order,
    in_order_fetch,
    load,
    read_arbiter,
    requantizer,
    saturation,
    schemes,
    skid_buffer,
    store,
    transfer,
    weights,
)

ROOMS = (
    requantizer, schemes, saturation, axi4, axi4_lite,
    command, fetch, in_order, in_order_fetch, transfer, read_arbiter, load, weights, store, credits, skid_buffer,
)
PROOFS = tuple(proof for room in ROOMS for proof in room.PROOFS)

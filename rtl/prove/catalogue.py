"""All proofs."""

from rtl.prove import (
    axi4,
    axi4_lite,
    command,
    credits,
    fetch,
    read_arbiter,
    requantizer,
    saturation,
    transfer,
)

ROOMS = (requantizer, saturation, axi4, axi4_lite, command, fetch, read_arbiter, transfer, credits)
PROOFS = tuple(proof for room in ROOMS for proof in room.PROOFS)

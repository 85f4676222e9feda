"""Narrow weights in a file: b-bit codes packed without gaps, unpacked left-aligned (w = code << (8 - b))."""

import numpy as np

from golden.errors import WesnpuError


def packed_size(count: int, bits: int) -> int:
    """Bytes that `count` codes of `bits` bits take."""
    return (count * bits + 7) // 8


def pack_weights(weight: np.ndarray, bits: int) -> np.ndarray:
    """The codes of left-aligned int8 weights as uint8 (n,): two's complement, first code in the lowest bits.

    Codes follow each other in C order without gaps; the last byte is filled with zero bits.
    """
    codes = (weight.reshape(-1).view(np.uint8) >> (8 - bits))[:, None]
    stream = (codes >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(stream.reshape(-1), bitorder="little")


def unpack_weights(packed: np.ndarray, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """The int8 weights of this shape, left-aligned; the inverse of `pack_weights`. WesnpuError for another size."""
    count = int(np.prod(shape, dtype=np.int64))
    if packed.dtype != np.uint8 or packed.shape != (packed_size(count, bits),):
        want = f"uint8 ({packed_size(count, bits)},) for {count} codes of {bits} bits"
        raise WesnpuError(f"packed weight is {packed.dtype} {packed.shape}: must be {want}")
    stream = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    codes = (stream << np.arange(8 - bits, 8, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    return codes.view(np.int8).reshape(shape)

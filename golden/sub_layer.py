"""Sub-layer shifts (Eq. 8): a power of two for every output channel and block of input channels (2110.07809)."""

import numpy as np

from golden import check
from golden.errors import WesnpuError

BLOCK_SHIFT_MAX = 3  # d is a 2-bit field


def block_width(inputs: int, blocks: int) -> int:
    """Input channels per block, ceil(inputs / blocks); the last block may have fewer.

    WesnpuError unless every block has at least one.
    """
    width = -(-inputs // max(1, blocks))
    if blocks < 1 or -(-inputs // width) != blocks:
        raise WesnpuError(f"{inputs} input channels make no {blocks} blocks of {width}: every block must have channels")
    return width


def checked_block_shift(value: object, channels: int, inputs: int) -> np.ndarray:
    """A read-only copy of d, uint8 (O, blocks) in 0..3; WesnpuError for anything else."""
    shift = check.array("block_shift", value, np.uint8, 2, 0, BLOCK_SHIFT_MAX)
    if len(shift) != channels:
        raise WesnpuError(f"block_shift has {len(shift)} channels: must be {channels}, as weight has")
    block_width(inputs, shift.shape[1])
    return shift


def input_shifts(block_shift: np.ndarray, inputs: int) -> np.ndarray:
    """d of every output and input channel, int64 (O, inputs)."""
    width = block_width(inputs, block_shift.shape[1])
    return np.repeat(block_shift.astype(np.int64), width, axis=1)[:, :inputs]


def shifted_weight(weight: np.ndarray, block_shift: np.ndarray | None) -> np.ndarray:
    """2^d w (Eq. 8), int16 (O, I, KH, KW), what an input code counts in the accumulator; w itself (int8) without d."""
    if block_shift is None:
        return weight
    shifts = input_shifts(block_shift, weight.shape[1])
    return (weight.astype(np.int64) << shifts[:, :, None, None]).astype(np.int16)

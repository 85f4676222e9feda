"""Sub-layer scales (PTQ-SL, 2110.07809) as hardware can hold them: powers of two below the layer's scale.

A block is `group` output channels in a row by one of several equal slices of the input channels. With one slice a
block's power of two is the shift n_c of its channels, the arithmetic of WES with a coarser table. With more, the
smallest scale of a group is n_c and larger ones are d of Eq. 8, at most 3.
"""

import numpy as np

from golden.requantize import SHIFT_MAX
from golden.sub_layer import BLOCK_SHIFT_MAX, block_width
from quant.weights.weights import equalizing_shifts


def usable_blocks(inputs: int, blocks: int) -> int:
    """The largest number of input blocks, at most `blocks`, that leaves none of them empty."""
    width = -(-inputs // min(blocks, inputs))
    return -(-inputs // width)


def block_ranges(weight: np.ndarray, group: int, blocks: int) -> np.ndarray:
    """max|W| of every block, float64 (groups, blocks); weight (O, I, KH, KW)."""
    outputs, inputs = weight.shape[:2]
    largest = np.abs(weight).max(axis=(2, 3))
    rows = np.maximum.reduceat(largest, np.arange(0, outputs, group), axis=0)
    return np.maximum.reduceat(rows, np.arange(0, inputs, block_width(inputs, blocks)), axis=1)


def block_octaves(weight: np.ndarray, group: int, blocks: int, top: float) -> np.ndarray:
    """floor(log2(top / max|W_block|)) clipped to 0..15, int64 (groups, blocks); -1 for blocks that are all zero.

    top: at least max|W|, what the layer's scale can hold.
    """
    ranges = block_ranges(weight, group, blocks)
    octaves = equalizing_shifts(np.append(ranges.reshape(-1), top))[:-1].reshape(ranges.shape)
    return np.where(ranges > 0, octaves.astype(np.int64), -1)


def shifts_of(octaves: np.ndarray, group: int, outputs: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(n_c uint8 (O,), d uint8 (O, blocks)) that give block (g, k) the scale s_w 2^-octaves, or the next larger it can.

    octaves: int64 (groups, blocks), -1 for no matter. Nothing gets a finer scale than its octaves say. d is None where
    it would be 0 everywhere.
    """
    live = octaves >= 0
    lowest = np.where(live, octaves, SHIFT_MAX).min(axis=1)
    shift = np.clip(np.minimum(octaves.max(axis=1), lowest + BLOCK_SHIFT_MAX), 0, SHIFT_MAX)
    coarser = np.where(live, np.clip(shift[:, None] - octaves, 0, BLOCK_SHIFT_MAX), 0)
    per_channel = np.repeat(np.concatenate([shift[:, None], coarser], axis=1), group, axis=0)[:outputs].astype(np.uint8)
    return per_channel[:, 0].copy(), per_channel[:, 1:].copy() if coarser.any() else None

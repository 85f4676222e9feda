"""Tensors in external memory: [channel block][row][column][16], a network input of few channels [row][W4][4]."""

import numpy as np

from compiler.config import WORD_BYTES
from compiler.layout import PACKED_CHANNELS


def tensor_bytes(values: np.ndarray) -> np.ndarray:
    """int8 (16 * blocks, H, W) as the bytes of external memory, uint8."""
    channels, height, width = values.shape
    ordered = values.reshape(channels // WORD_BYTES, WORD_BYTES, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(ordered).view(np.uint8).ravel()


def packed_input_bytes(values: np.ndarray, zero_point: int) -> np.ndarray:
    """int8 (C <= 4, H, W) as [H][W4][4], the rest filled with the zero point, uint8."""
    channels, height, width = values.shape
    packed = np.full((height, -(-width // 4) * 4, PACKED_CHANNELS), zero_point, np.int8)
    packed[:, :width, :channels] = values.transpose(1, 2, 0)
    return packed.view(np.uint8).ravel()

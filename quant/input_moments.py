"""Second moments of what the taps of a layer read, from its integer input on the calibration images."""

import numpy as np

from quant.operations import Operation

POSITIONS = 4096  # output positions sampled over all images
SEED = 20  # of the sample


def input_moments(images: np.ndarray, zero_point: int, operation: Operation, about_mean: bool) -> np.ndarray:
    """E[x x'] over sampled output positions, float32: (K, K) with K = I KH KW dense, (C, KH KW, KH KW) depthwise.

    images: int8 (N, I, H, W). x: input codes less the zero point, which is also what padding reads, in the order of the
    weight. about_mean: of x - E[x].
    """
    taps = sampled_taps(images, zero_point, operation)
    if about_mean:
        taps = taps - taps.mean(axis=0)
    channels, positions = taps.shape[1], len(taps)
    if operation.depthwise:
        by_channel = taps.transpose(1, 2, 0)
        return by_channel @ by_channel.transpose(0, 2, 1) / positions
    flat = taps.reshape(positions, channels * taps.shape[2])
    return flat.T @ flat / positions


def sampled_taps(images: np.ndarray, zero_point: int, operation: Operation) -> np.ndarray:
    """What each tap reads at the sampled positions, less the zero point: float32 (positions, I, KH KW)."""
    height, width = operation.weight.shape[2:]
    top, left, bottom, right = operation.padding
    rows = (images.shape[2] + top + bottom - height) // operation.stride[0] + 1
    columns = (images.shape[3] + left + right - width) // operation.stride[1] + 1
    image, row, column = _sample(len(images), rows, columns)
    y = row * operation.stride[0] - top
    x = column * operation.stride[1] - left
    taps = np.zeros((len(image), images.shape[1], height * width), np.float32)
    for tap in range(height * width):
        at_y, at_x = y + tap // width, x + tap % width
        inside = (at_y >= 0) & (at_y < images.shape[2]) & (at_x >= 0) & (at_x < images.shape[3])
        read = images[image[inside], :, at_y[inside], at_x[inside]]
        taps[inside, :, tap] = read.astype(np.float32) - zero_point
    return taps


def _sample(images: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, row and column of up to POSITIONS output positions, each once; all where there are fewer."""
    total = images * rows * columns
    chosen = np.arange(total)
    if total > POSITIONS:
        chosen = np.sort(np.random.default_rng(SEED).choice(total, POSITIONS, replace=False))
    return chosen // (rows * columns), chosen // columns % rows, chosen % columns

"""Second moments of what the taps of a layer read, from its integer input on the calibration images.

What a few images show of many taps is partly chance: a layer of 1,152 inputs whose weights answer each other by such
moments answers what other images do not have. So moments can be shrunk towards a diagonal, by as much as they differ
from image to image (Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices).
"""

import numpy as np

from quant.plan.operations import Operation

POSITIONS = 4096  # output positions sampled over all images
SEED = 20  # of the sample


def input_moments(images: np.ndarray, zero_point: int, operation: Operation, about_mean: bool) -> np.ndarray:
    """E[x x'] over sampled output positions, float32: (K, K) with K = I KH KW dense, (C, KH KW, KH KW) depthwise.

    images: int8 (N, I, H, W). x: input codes less the zero point, which is also what padding reads, in the order of the
    weight. about_mean: of x - E[x].
    """
    return _moments(_taps(images, zero_point, operation, about_mean), operation.depthwise)


def shrunk_moments(images: np.ndarray, zero_point: int, operation: Operation, about_mean: bool) -> np.ndarray:
    """`input_moments`, of a dense layer as (1 - r) H + r tr(H) / K I with r = `shrinkage`; depthwise as they are."""
    taps = _taps(images, zero_point, operation, about_mean)
    moments = _moments(taps, operation.depthwise)
    if operation.depthwise:
        return moments
    image = _positions(images, operation)[0]
    ratio = shrinkage(taps.reshape(len(taps), -1), image, moments)
    return (1 - ratio) * moments + ratio * np.float32(np.diag(moments).mean()) * np.eye(len(moments), dtype=np.float32)


def shrinkage(taps: np.ndarray, image: np.ndarray, moments: np.ndarray) -> float:
    """r = min(1, b^2 / d^2) of samples (n, K) with moments H (K, K); image (n,): where each comes from, ascending.

    d^2 = |H - tr(H) / K I|^2; b^2 = sum_i (n_i / n)^2 |H_i - H|^2 over images of n_i samples and moments H_i, how far H
    may lie from that of all images. |.| is the Frobenius norm. 0 where d = 0.
    """
    total = float(np.square(moments, dtype=np.float64).sum())
    spread = total - float(np.trace(moments, dtype=np.float64)) ** 2 / len(moments)
    if spread <= 1e-9 * total:
        return 0.0
    projected = (taps @ moments * taps).sum(axis=1, dtype=np.float64)
    variance = 0.0
    borders = np.flatnonzero(np.diff(image)) + 1
    for own, inner in zip(np.split(taps, borders), np.split(projected, borders), strict=True):
        products = own @ own.T if len(own) < own.shape[1] else own.T @ own  # of equal norm
        square = float(np.square(products, dtype=np.float64).sum())
        variance += square - 2 * len(own) * float(inner.sum()) + len(own) ** 2 * total
    return min(1.0, max(0.0, variance / len(taps) ** 2 / spread))


def _taps(images: np.ndarray, zero_point: int, operation: Operation, about_mean: bool) -> np.ndarray:
    taps = sampled_taps(images, zero_point, operation)
    return taps - taps.mean(axis=0) if about_mean else taps


def _moments(taps: np.ndarray, depthwise: bool) -> np.ndarray:
    if depthwise:
        by_channel = taps.transpose(1, 2, 0)
        return by_channel @ by_channel.transpose(0, 2, 1) / len(taps)
    flat = taps.reshape(len(taps), -1)
    return flat.T @ flat / len(taps)


def sampled_taps(images: np.ndarray, zero_point: int, operation: Operation) -> np.ndarray:
    """What each tap reads at the sampled positions, less the zero point: float32 (positions, I, KH KW)."""
    height, width = operation.weight.shape[2:]
    top, left = operation.padding[:2]
    image, row, column = _positions(images, operation)
    y = row * operation.stride[0] - top
    x = column * operation.stride[1] - left
    taps = np.zeros((len(image), images.shape[1], height * width), np.float32)
    for tap in range(height * width):
        at_y, at_x = y + tap // width, x + tap % width
        inside = (at_y >= 0) & (at_y < images.shape[2]) & (at_x >= 0) & (at_x < images.shape[3])
        read = images[image[inside], :, at_y[inside], at_x[inside]]
        taps[inside, :, tap] = read.astype(np.float32) - zero_point
    return taps


def _positions(images: np.ndarray, operation: Operation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_sample` of the layer's output positions."""
    height, width = operation.weight.shape[2:]
    top, left, bottom, right = operation.padding
    rows = (images.shape[2] + top + bottom - height) // operation.stride[0] + 1
    columns = (images.shape[3] + left + right - width) // operation.stride[1] + 1
    return _sample(len(images), rows, columns)


def _sample(images: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, row and column of up to POSITIONS output positions, each once; all where there are fewer."""
    total = images * rows * columns
    chosen = np.arange(total)
    if total > POSITIONS:
        chosen = np.sort(np.random.default_rng(SEED).choice(total, POSITIONS, replace=False))
    return chosen // (rows * columns), chosen // columns % rows, chosen % columns

"""Accumulators of dense and depthwise convolution (Eq. 1 and 8): the readable int64 definition."""

from collections.abc import Iterator

import numpy as np

from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.sub_layer import block_width


def pad(x: np.ndarray, padding: tuple[int, int, int, int], value: int) -> np.ndarray:
    """x (C, H, W) with (top, left, bottom, right) rows and columns of `value` around it; dtype kept."""
    top, left, bottom, right = padding
    return np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=value)


def taps(x: np.ndarray, layer: ConvLayer, rows: int, columns: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (i, j, window) per kernel position: window (C, rows, columns) is what tap (i, j) reads of padded x."""
    (sv, sh), (kh, kw) = layer.stride, layer.kernel
    for i in range(kh):
        for j in range(kw):
            yield i, j, x[:, i : i + (rows - 1) * sv + 1 : sv, j : j + (columns - 1) * sh + 1 : sh]


def checked_input(layer: ConvLayer, x: np.ndarray) -> np.ndarray:
    """`x` itself; WesnpuError unless it is int8 (C, H, W) with the channels that the layer reads."""
    if x.dtype != np.int8 or x.ndim != 3 or x.shape[0] != layer.input_channels:
        want = f"int8 ({layer.input_channels}, H, W)"
        raise WesnpuError(f"layer {layer.name}: input is {x.dtype} {x.shape}: must be {want}")
    return x


def accumulate(layer: ConvLayer, x: np.ndarray, zero_point: int) -> np.ndarray:
    """Eq. 1, or 8 where the layer has a block_shift: acc_c = b_c + sum x w, int64 (O, HO, WO), from x int8 (C, H, W).

    Padding is fed with zero_point.
    """
    size = layer.output_shape(*checked_input(layer, x).shape[1:])[1:]
    padded = pad(x, layer.padding, zero_point).astype(np.int64)
    if layer.block_shift is None:
        acc = partial_sums(layer, layer.weight.astype(np.int64), padded, size)
    else:
        acc = _shifted_sums(layer, layer.block_shift.astype(np.int64), padded, size)
    return acc + layer.bias.astype(np.int64)[:, None, None]


def partial_sums(layer: ConvLayer, weight: np.ndarray, padded: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """sum x w over the inputs that `weight` and `padded` hold, int64 (O, rows, columns); size: (rows, columns)."""
    acc = np.zeros((layer.channels, *size), np.int64)
    for i, j, window in taps(padded, layer, *size):
        if layer.depthwise:
            acc += weight[:, 0, i, j, None, None] * window
        else:
            acc += np.tensordot(weight[:, :, i, j], window, axes=1)
    return acc


def _shifted_sums(layer: ConvLayer, shift: np.ndarray, padded: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Eq. 8 without the bias: sum over blocks k of 2^d_(c,k) psum_(c,k)."""
    width = block_width(layer.input_channels, shift.shape[1])
    acc = np.zeros((layer.channels, *size), np.int64)
    for block in range(shift.shape[1]):
        inputs = slice(block * width, (block + 1) * width)
        psum = partial_sums(layer, layer.weight[:, inputs].astype(np.int64), padded[inputs], size)
        acc += psum << shift[:, block, None, None]
    return acc

"""Accumulators of dense and depthwise convolution (Eq. 1): the readable int64 definition."""

from collections.abc import Iterator

import numpy as np

from golden.errors import WesnpuError
from golden.layer import ConvLayer


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
    """Eq. 1: acc_c = b_c + sum x w, int64 (O, HO, WO), from x int8 (C, H, W); padding is fed with zero_point."""
    _, rows, columns = layer.output_shape(*checked_input(layer, x).shape[1:])
    padded = pad(x, layer.padding, zero_point).astype(np.int64)
    weight = layer.weight.astype(np.int64)
    acc = np.zeros((layer.channels, rows, columns), np.int64)
    for i, j, window in taps(padded, layer, rows, columns):
        if layer.depthwise:
            acc += weight[:, 0, i, j, None, None] * window
        else:
            acc += np.tensordot(weight[:, :, i, j], window, axes=1)
    return acc + layer.bias.astype(np.int64)[:, None, None]

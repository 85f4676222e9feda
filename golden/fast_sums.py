"""Eq. 1 in floating point, block by block: exact because every partial sum fits the mantissa, as golden/plan.py proves.

A block is (channels, rows, columns + slack): the columns beyond the output's width are left-overs of neighbouring rows
that the caller drops. Blocks are small enough to stay in a core's second-level cache through all elementwise steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden.layer import ConvLayer

BLOCK = 1 << 16  # elements of an output block
GATHER = 1 << 18  # elements of a block of gathered inputs
# NumPy copies strided operands through its ufunc buffer whenever a row is shorter than that buffer. Rows of LONG_ROW
# elements and more are faster without the copy, which a small buffer switches off; results do not depend on it.
LONG_ROW, LONG_ROW_BUFFER, SHORT_ROW_BUFFER = 100, 16, 1024


@dataclass(frozen=True, eq=False)
class Block:
    """`sums` (channels, rows, >= columns) of the outputs [channels, rows] that the two slices name."""

    channels: slice
    rows: slice
    sums: np.ndarray


def padded_input(layer: ConvLayer, x: np.ndarray, zero_point: int) -> np.ndarray:
    """x (C, H, W) int8 inside its padding of zero_point; x itself where nothing is padded."""
    top, left, bottom, right = layer.padding
    if not any(layer.padding):
        return x
    channels, height, width = x.shape
    padded = np.full((channels, height + top + bottom, width + left + right), zero_point, np.int8)
    padded[:, top : top + height, left : left + width] = x
    return padded


def dense_blocks(layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> Iterator[Block]:
    """Blocks of rows of a dense convolution by one matrix product each.

    matrix: (O, I * KH * KW + 1) float, the last column is the bias; size: (HO, WO). Taps are gathered to float.
    """
    (kh, kw), (sv, sh), (height, width) = layer.kernel, layer.stride, size
    outputs, inputs = matrix.shape
    step = max(1, min(BLOCK // outputs, GATHER // inputs) // width)
    for top in range(0, height, step):
        rows = min(step, height - top)
        gathered = np.empty((inputs, rows, width), matrix.dtype)
        gathered[-1] = 1
        columns = gathered[:-1].reshape(-1, kh, kw, rows, width)
        for i in range(kh):
            first = top * sv + i
            lines = padded[:, first : first + (rows - 1) * sv + 1 : sv]
            for j in range(kw):
                columns[:, i, j] = lines[:, :, j : j + (width - 1) * sh + 1 : sh]
        sums = np.matmul(matrix, gathered.reshape(inputs, -1)).reshape(outputs, rows, width)
        yield Block(slice(0, outputs), slice(top, top + rows), sums)


def depthwise_blocks(
    layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> Iterator[Block]:
    """Blocks of channels of a depthwise convolution; matrix: (C, KH * KW + 1) float, the last column is the bias."""
    kernel_size, output_size = layer.kernel[0] * layer.kernel[1], size[0] * size[1]
    if output_size < kernel_size:
        step, sums_of = max(1, GATHER // kernel_size), _window_sums
    else:
        step, sums_of = max(1, BLOCK // output_size), _plane_sums
    for first in range(0, len(matrix), step):
        channels = slice(first, min(first + step, len(matrix)))
        yield Block(channels, slice(0, size[0]), sums_of(layer, padded[channels], matrix[channels], size))


def _window_sums(layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One window per output position: for kernels larger than the output, as in global pooling."""
    (kh, kw), (sv, sh) = layer.kernel, layer.stride
    weight, sums = matrix[:, :-1].reshape(-1, kh, kw), np.empty((len(matrix), *size), matrix.dtype)
    for row in range(size[0]):
        for column in range(size[1]):
            window = padded[:, row * sv : row * sv + kh, column * sh : column * sh + kw]
            np.sum(weight * window, axis=(1, 2), out=sums[:, row, column])
    sums += matrix[:, -1, None, None]
    return sums


def _plane_sums(layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One pass per tap over whole flattened planes: a tap is a constant offset once the strides are taken apart."""
    (kh, kw), (sv, sh), (height, width) = layer.kernel, layer.stride, size
    channels, pitch = len(matrix), -(-padded.shape[2] // sh)
    phases = {
        (i, j): _phase(padded[:, i::sv, j::sh], -(-padded.shape[1] // sv), pitch, matrix.dtype)
        for i in range(min(sv, kh))
        for j in range(min(sh, kw))
    }
    length = (height - 1) * pitch + width
    total, product = np.zeros((2, channels, height * pitch), matrix.dtype)
    with np.errstate():  # restores the buffer size
        np.setbufsize(SHORT_ROW_BUFFER if length < LONG_ROW else LONG_ROW_BUFFER)
        for tap in range(kh * kw):
            i, j = divmod(tap, kw)
            offset = (i // sv) * pitch + j // sh
            plane = phases[i % sv, j % sh][:, offset : offset + length]
            np.multiply(plane, matrix[:, tap, None], out=(product if tap else total)[:, :length])
            if tap:
                total += product
        total += matrix[:, -1, None]
    return total.reshape(channels, height, pitch)


def _phase(view: np.ndarray, rows: int, columns: int, dtype: np.dtype) -> np.ndarray:
    """The view (C, <= rows, <= columns) as contiguous floats (C, rows * columns), filled up with zeros."""
    plane = (np.empty if view.shape[1:] == (rows, columns) else np.zeros)((len(view), rows, columns), dtype)
    plane[:, : view.shape[1], : view.shape[2]] = view
    return plane.reshape(len(view), -1)

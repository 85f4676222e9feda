"""Eq. 1 in floating point, block by block: exact because every partial sum fits the mantissa, as golden/plan.py proves.

A block is (channels, rows, columns + slack): the columns beyond the output's width are left-overs of neighbouring rows
that the caller drops. Blocks are small enough to stay in a core's second-level cache through all elementwise steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden.layer import ConvLayer
from golden.scratch import SCRATCH

BLOCK = 1 << 16  # elements of an output block
GATHER = 1 << 18  # elements of a block of gathered inputs


@dataclass(frozen=True, eq=False)
class Block:
    """`sums` (channels, rows, >= columns) of the outputs [channels, rows] that the two slices name.

    The sums may be overwritten, and are valid until the next block is asked for.
    """

    channels: slice
    rows: slice
    sums: np.ndarray


def padded_input(layer: ConvLayer, x: np.ndarray, zero_point: int) -> np.ndarray:
    """x (C, H, W) int8 inside its padding of zero_point, in scratch memory; x itself where nothing is padded."""
    top, left, bottom, right = layer.padding
    if not any(layer.padding):
        return x
    channels, height, width = x.shape
    padded = SCRATCH.array("padded", (channels, height + top + bottom, width + left + right), np.dtype(np.int8))
    padded[:, :top] = padded[:, top + height :] = zero_point
    padded[:, :, :left] = padded[:, :, left + width :] = zero_point
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
        gathered = SCRATCH.array("gathered", (inputs, rows, width), matrix.dtype)
        gathered[-1] = 1
        columns = gathered[:-1].reshape(-1, kh, kw, rows, width)
        for i in range(kh):
            first = top * sv + i
            lines = padded[:, first : first + (rows - 1) * sv + 1 : sv]
            for j in range(kw):
                columns[:, i, j] = lines[:, :, j : j + (width - 1) * sh + 1 : sh]
        sums = SCRATCH.array("sums", (outputs, rows * width), matrix.dtype)
        np.matmul(matrix, gathered.reshape(inputs, -1), out=sums)
        yield Block(slice(0, outputs), slice(top, top + rows), sums.reshape(outputs, rows, width))


def depthwise_blocks(
    layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> Iterator[Block]:
    """Blocks of channels and rows of a depthwise convolution.

    matrix: (C, KH * KW + 1) float, the last column is the bias; size: (HO, WO).
    """
    if size[0] * size[1] < layer.kernel[0] * layer.kernel[1]:
        yield from _window_blocks(layer, padded, matrix, size)
    else:
        yield from _plane_blocks(layer, padded, matrix, size)


def _window_blocks(layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> Iterator[Block]:
    """One window per output position: for kernels larger than the output, as in global pooling."""
    (kh, kw), (sv, sh) = layer.kernel, layer.stride
    step = max(1, GATHER // (kh * kw))
    for first in range(0, len(matrix), step):
        channels = slice(first, min(first + step, len(matrix)))
        part, source = matrix[channels], padded[channels]
        weight, sums = part[:, :-1].reshape(-1, kh, kw), np.empty((len(part), *size), matrix.dtype)
        for row, column in np.ndindex(size):
            window = source[:, row * sv : row * sv + kh, column * sh : column * sh + kw]
            np.sum(weight * window, axis=(1, 2), out=sums[:, row, column])
        sums += part[:, -1, None, None]
        yield Block(channels, slice(0, size[0]), sums)


def _plane_blocks(layer: ConvLayer, padded: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> Iterator[Block]:
    """One product of vector and matrix per channel: (taps + 1) times (taps + 1, flattened rows).

    A tap is a constant offset in a flattened plane once the strides are taken apart, so gathering is copying.
    """
    (kh, kw), (sv, sh), (height, width) = layer.kernel, layer.stride, size
    phases, pitch = _phases(layer, padded)
    inputs = matrix.shape[1]
    row_step = min(height, max(1, GATHER // (inputs * pitch)))
    channel_step = max(1, GATHER // (inputs * pitch * row_step))
    for first in range(0, len(matrix), channel_step):
        channels = slice(first, min(first + channel_step, len(matrix)))
        weight = matrix[channels, None]
        for top in range(0, height, row_step):
            rows = min(row_step, height - top)
            length = (rows - 1) * pitch + width
            gathered = SCRATCH.array("gathered", (len(weight), inputs, length), matrix.dtype)
            gathered[:, -1] = 1
            for tap in range(kh * kw):
                i, j = divmod(tap, kw)
                offset = (top + i // sv) * pitch + j // sh
                gathered[:, tap] = phases[i % sv, j % sh][channels, offset : offset + length]
            sums = SCRATCH.array("sums", (len(weight), rows * pitch), matrix.dtype)
            sums[:, length:] = 0
            np.matmul(weight, gathered, out=sums[:, None, :length])
            yield Block(channels, slice(top, top + rows), sums.reshape(-1, rows, pitch))


def _phases(layer: ConvLayer, padded: np.ndarray) -> tuple[dict[tuple[int, int], np.ndarray], int]:
    """Flattened planes int8 (C, rows * pitch) by (row mod stride, column mod stride), and their common pitch."""
    (kh, kw), (sv, sh), (channels, height, width) = layer.kernel, layer.stride, padded.shape
    rows, pitch = -(-height // sv), -(-width // sh)
    phases = {}
    for i in range(min(sv, kh)):
        for j in range(min(sh, kw)):
            view = padded[:, i::sv, j::sh]
            plane = np.zeros((channels, rows, pitch), np.int8) if view.shape[1:] != (rows, pitch) else None
            if plane is not None:
                plane[:, : view.shape[1], : view.shape[2]] = view
            phases[i, j] = (view if plane is None else plane).reshape(channels, -1)
    return phases, pitch

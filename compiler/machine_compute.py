"""What a COMPUTE command does (docs/engine.md, "COMPUTE"): tap weights by mode, sums, requantization."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from compiler.footprint import (
    channels_of,
    group_weight_rows,
    input_read,
    kernel_of,
    parameter_rows,
    region_words,
    weight_rows,
)
from compiler.requantization import of_command

if TYPE_CHECKING:
    from compiler.machine import Machine

GATHER_TAPS = 9


def compute(machine: Machine, fields: dict[str, int]) -> Callable[[], None]:
    """Reads operands and computes; the function returned writes the results into their bytes.

    ValueError when the command continues sums that no partial one has left.
    """
    chosen = channels_of(fields, machine.config)
    channels = slice(chosen.first, chosen.first + chosen.count)
    size = chosen.blocks, fields["output_rows"], fields["output_width"]
    rows = parameter_rows(fields, machine.config)
    acc = _sums(machine, fields, channels) + _start(machine, fields, rows)
    if fields["partial"]:
        machine.sums = acc
        return _nothing
    words = machine.checked(region_words(fields, "output_", *size))
    operand = _residual(machine, fields, size, channels) if fields["residual"] else None
    requantization = of_command(fields, machine.config.guard_bits)
    results = requantization.apply(acc, machine.shift[rows].reshape(-1), operand)

    def write() -> None:
        values = _channels_first(machine.scratchpad[words])
        values[channels] = results
        machine.scratchpad[words] = _words(values)

    return write


def _nothing() -> None:
    """What a partial command writes."""


def _start(machine: Machine, fields: dict[str, int], rows: np.ndarray) -> np.ndarray:
    """What the sums begin with: (channels, 1, 1) biases, or the sums of the partial command before."""
    if not fields["continues"]:
        return machine.bias[rows].reshape(-1, 1, 1)
    sums, machine.sums = machine.sums, None
    if sums is None:
        raise ValueError("continues = 1, but no partial command stands before it (rule 3)")
    if sums.shape[2] != fields["output_width"]:
        raise ValueError(f"output_width = {fields['output_width']} continues a command of {sums.shape[2]}")
    return sums


def _channels_first(words: np.ndarray) -> np.ndarray:
    """(blocks, rows, columns, 16) as (channels, rows, columns)."""
    return words.transpose(0, 3, 1, 2).reshape(words.shape[0] * WORD_BYTES, *words.shape[1:3])


def _words(values: np.ndarray) -> np.ndarray:
    """The inverse of _channels_first."""
    return values.reshape(-1, WORD_BYTES, *values.shape[1:]).transpose(0, 2, 3, 1)


def _patch(machine: Machine, fields: dict[str, int]) -> np.ndarray:
    """The image int64 (channels, rows, columns) from (first_row, first_column) on, the zero point around it."""
    read = input_read(fields, machine.config, kernel_of(fields))
    values = _channels_first(machine.scratchpad[machine.checked(read.words)])
    patch = np.full((len(values), *read.shape), fields["input_zero_point"], np.int64)
    patch[:, read.rows[:, None], read.columns] = values
    return patch


def _residual(machine: Machine, fields: dict[str, int], size: tuple[int, int, int], channels: slice) -> np.ndarray:
    """u of Eq. 7, int8 (channels, rows, columns)."""
    return _channels_first(machine.scratchpad[machine.checked(region_words(fields, "residual_", *size))])[channels]


def _sums(machine: Machine, fields: dict[str, int], channels: slice) -> np.ndarray:
    """Eq. 1 without the bias, int64 (channels, output rows, output columns)."""
    patch = _patch(machine, fields)
    weights = _tap_weights(machine, fields)
    if fields["mode"] in (Mode.DENSE, Mode.GATHER):
        return _dense(fields, patch, weights)
    return _depthwise(fields, patch[channels], weights)


def _tap_weights(machine: Machine, fields: dict[str, int]) -> np.ndarray:
    """Weights in the order of the mode's tap numbers, int64 (channels, taps)."""
    config: EngineConfig = machine.config
    rows = weight_rows(fields, config)
    weights = machine.weights[rows].astype(np.int64)  # (groups, rows, lanes, taps)
    if fields["hold_weights"]:
        shape = fields["groups"], group_weight_rows(fields, config), *weights.shape[2:]
        weights = np.broadcast_to(weights, shape)
    if fields["mode"] == Mode.SEQUENTIAL:
        weights = weights[..., :SEQUENTIAL_TAPS]
    return weights.transpose(0, 2, 1, 3).reshape(fields["groups"] * config.lanes, -1)


def _view(fields: dict[str, int], patch: np.ndarray, ky: int, kx: int) -> np.ndarray:
    """The value under tap (ky, kx) for every output, (channels, output rows, output columns)."""
    sy, sx = fields["stride_y"], fields["stride_x"]
    bottom, right = ky + (fields["output_rows"] - 1) * sy + 1, kx + (fields["output_width"] - 1) * sx + 1
    return patch[:, ky:bottom:sy, kx:right:sx]


def _dense(fields: dict[str, int], patch: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """DENSE: taps ordered (ky, kx, channel); GATHER: (channel, ky, kx). Exact: every sum is far below 2^53."""
    kh, kw = kernel_of(fields)
    total = np.zeros((len(weights), fields["output_rows"], fields["output_width"]))
    gather = fields["mode"] == Mode.GATHER
    channels = -(-weights.shape[1] // GATHER_TAPS) if gather else weights.shape[1] // (kh * kw)
    patch = patch[:channels].astype(np.float64)
    for ky in range(kh):
        for kx in range(kw):
            first = (ky * kw + kx) * channels
            part = weights[:, first : first + channels]
            if gather:
                part = weights[:, ky * kw + kx :: GATHER_TAPS]
            total += np.tensordot(part.astype(np.float64), _view(fields, patch[: part.shape[1]], ky, kx), 1)
    return total.astype(np.int64)


def _depthwise(fields: dict[str, int], patch: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """SEQUENTIAL: tap number ky * columns + kx; WINDOW: kx * rows + ky. Taps beyond the kernel's do nothing."""
    kh, kw = kernel_of(fields)
    window = fields["mode"] == Mode.WINDOW
    total = np.zeros((len(weights), fields["output_rows"], fields["output_width"]), np.int64)
    for tap in range(min(kh * kw, weights.shape[1])):
        ky, kx = reversed(divmod(tap, kh)) if window else divmod(tap, kw)
        total += weights[:, tap, None, None] * _view(fields, patch, ky, kx)
    return total

"""Weights and parameters of a layer as its memories hold them (docs/engine.md), packed without the compiler."""

import numpy as np

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from compiler.layout import blocks_of
from golden.errors import WesnpuError
from golden.network import ConvLayer

BEYOND = 0x55  # a weight of a tap that has no operand


def weight_rows(layer: ConvLayer, mode: Mode, grid: int, config: EngineConfig) -> np.ndarray:
    """Weight rows of all lane groups of the padded output, int8 (rows, lanes, taps)."""
    lanes, taps = config.lanes, config.taps
    order = _in_tap_order(layer, mode, grid, taps)
    beyond = 0 if mode in (Mode.DENSE, Mode.GATHER) else BEYOND
    total = len(order)
    used = SEQUENTIAL_TAPS if mode == Mode.SEQUENTIAL else taps
    rows = -(-order.shape[1] // used)
    packed = np.full((total, rows, taps), beyond, np.int8)
    for number, weights in enumerate(order.T):
        packed[:, number // used, number % used] = weights
    return packed.reshape(total // lanes, lanes, rows, taps).transpose(0, 2, 1, 3).reshape(-1, lanes, taps)


def _in_tap_order(layer: ConvLayer, mode: Mode, grid: int, taps: int) -> np.ndarray:
    """The weights of every output channel, padding channels included, in the order in which its lane meets them."""
    total = WORD_BYTES * blocks_of(layer.channels)
    weight = np.zeros((total, *layer.weight.shape[1:]), np.int8)
    weight[: layer.channels] = layer.weight
    if mode in (Mode.WINDOW, Mode.GATHER):
        square = np.zeros((total, weight.shape[1], grid, grid), np.int8)
        square[:, :, : weight.shape[2], : weight.shape[3]] = weight
        return (square.swapaxes(2, 3) if mode == Mode.WINDOW else square).reshape(total, -1)
    if mode == Mode.DENSE:
        vectors = -(-layer.input_channels // taps)
        padded = np.zeros((total, vectors * taps, *layer.kernel), np.int8)
        padded[:, : layer.input_channels] = weight
        return padded.transpose(0, 2, 3, 1).reshape(total, -1)
    return weight.reshape(total, -1)


def parameter_rows(layer: ConvLayer, config: EngineConfig) -> np.ndarray:
    """Parameter rows of all lane groups of the padded output, uint8 (groups, parameter_row_bytes)."""
    total = WORD_BYTES * blocks_of(layer.channels)
    bias, shift = np.zeros(total, "<i4"), np.zeros(total, np.uint8)
    bias[: layer.channels], shift[: layer.channels] = layer.bias, layer.requantizer.shift
    lanes = config.lanes
    rows = b"".join(_row(bias[at : at + lanes], shift[at : at + lanes], config) for at in range(0, total, lanes))
    return np.frombuffer(rows, np.uint8).reshape(total // lanes, -1)


def _row(bias: np.ndarray, shift: np.ndarray, config: EngineConfig) -> bytes:
    biases, pairs = bias.tobytes(), shift.reshape(-1, 2)
    nibbles = (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8).tobytes()
    start = 8 if config.lanes == 2 else -(-len(biases) // WORD_BYTES) * WORD_BYTES
    return (biases.ljust(start, b"\0") + nibbles).ljust(config.parameter_row_bytes, b"\0")


def held(rows: np.ndarray, most: int, what: str) -> bytes:
    """What a memory of `most` rows holds, whose addresses wrap: all rows, or one round of rows that repeat.

    WesnpuError when neither is possible. Padded to whole 16-byte units.
    """
    if len(rows) > most and not np.array_equal(rows[most:], rows[:-most]):
        raise WesnpuError(f"{what} rows: {len(rows)}, the engine has {most}")
    kept = rows[:most].tobytes()
    return kept + b"\0" * (-len(kept) % WORD_BYTES)

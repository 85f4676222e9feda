"""Layers far larger than the memories, whose rows, channels or weights repeat: one command counts up to large numbers.

The compiler cuts such layers into small commands. Here the memories hold one round of what repeats, and their
addresses wrap, so that every counter of the engine reaches its upper bits in a short run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from golden.network import Network
from sim.layers import Builder, Shape
from sim.plain_program import PlainProgram, plain_program

SLOTS, RING_WIDTH = 8, 7
BLOCKS_MAX = 4095  # a tensor has at most 65535 channels
NONE = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Repeating:
    """A network of one layer, its input, int8 (C, H, W), and the plain program for it."""

    network: Network
    image: np.ndarray
    program: PlainProgram


def _one_layer(rng: np.random.Generator, config: EngineConfig, size: tuple[int, int, int], **shape) -> Network:
    builder = Builder(rng, config.guard_bits, *size)
    builder.add(Shape(**{"stride": (1, 1), "padding": NONE} | shape))
    return builder.network("repeating")


def _image(rng: np.random.Generator, size: tuple[int, int, int]) -> np.ndarray:
    return rng.integers(-128, 128, size).astype(np.int8)


def _repeated(network: Network, outputs: int, inputs: int) -> Network:
    """The same layer with weights, biases and shifts that repeat after so many output and input channels."""
    (layer,) = network.layers
    out, into = np.arange(layer.channels) % outputs, np.arange(layer.weight.shape[1]) % inputs
    scaler = replace(layer.requantizer, shift=layer.requantizer.shift[out])
    bias = (layer.bias // 2)[out]  # fits with the sums of any of these weights
    return replace(network, layers=(replace(layer, weight=layer.weight[out][:, into], bias=bias, requantizer=scaler),))


def _tall(rng: np.random.Generator, config: EngineConfig) -> Repeating:
    """One command of many output rows, through rings of 8 rows: one row less than a quarter of what fields can say."""
    rows = 1 << (config.size_bits - 2)
    size = (8, rows, 1)
    network = _one_layer(rng, config, size, kernel=(2, 1), channels=16)
    image = np.resize(_image(rng, (SLOTS, 8, 1)), (rows, 8, 1)).transpose(1, 0, 2)
    return Repeating(network, np.ascontiguousarray(image), plain_program(network, config, slots=SLOTS))


def _long_rings(rng: np.random.Generator, config: EngineConfig) -> Repeating:
    """Rings of about half the scratchpad, whose extent has nearly all bits set."""
    return _rings(rng, config, config.scratchpad_words // (2 * config.pixels * (-(-RING_WIDTH // config.pixels) | 1)))


def _rings(rng: np.random.Generator, config: EngineConfig, slots: int) -> Repeating:
    """Rows of 7 pixels through rings of `slots` rows, with the input as residual operand."""
    rows, width = 200, RING_WIDTH
    builder = Builder(rng, config.guard_bits, 16, rows, width)
    source = builder.last
    shape = Shape(kernel=(1, 1), stride=(1, 1), padding=NONE, channels=16)
    builder.add(shape, residual=source)
    network = builder.network("repeating")
    image = np.resize(_image(rng, (min(slots, rows), 16, width)), (rows, 16, width)).transpose(1, 0, 2)
    return Repeating(network, np.ascontiguousarray(image), plain_program(network, config, slots=slots))


def _wide(rng: np.random.Generator, config: EngineConfig) -> Repeating:
    """One row that fills the scratchpad, computed in place."""
    size = (16, 1, config.scratchpad_words - config.pixels)
    network = _one_layer(rng, config, size, depthwise=True, kernel=(1, 1))
    return Repeating(network, _image(rng, size), plain_program(network, config, in_place=True))


def _deep(rng: np.random.Generator, config: EngineConfig) -> Repeating:
    """One pixel of as many input channels as the scratchpad holds; each lane group has the same weights."""
    period = config.weight_rows * config.taps
    most = min(config.scratchpad_words // config.pixels - 1, BLOCKS_MAX) * WORD_BYTES
    size = (most // period * period, 1, 1)
    network = _repeated(_one_layer(rng, config, size, kernel=(1, 1), channels=16), config.lanes, period)
    return Repeating(network, _image(rng, size), plain_program(network, config))


def _many_groups(rng: np.random.Generator, config: EngineConfig) -> Repeating:
    """One pixel of as many channels as the scratchpad holds, computed in place by one command."""
    period = min(config.parameter_rows, config.weight_rows) * config.lanes
    groups = (1 << config.size_bits) - 1
    blocks = min(config.scratchpad_words // config.pixels, BLOCKS_MAX, groups * config.lanes // WORD_BYTES)
    size = (blocks * WORD_BYTES, 1, 1)
    network = _repeated(_one_layer(rng, config, size, depthwise=True, kernel=(1, 1)), period, 1)
    program = plain_program(network, config, mode=(Mode.SEQUENTIAL, 0), in_place=True)
    return Repeating(network, _image(rng, size), program)


def _long_kernel(rng: np.random.Generator, config: EngineConfig, *, upright: bool) -> Repeating:
    """One sum over a kernel that is nearly all padding, a column or a row of equal weights."""
    length = (1 << (config.size_bits - 1)) - WORD_BYTES  # nearly all bits are set, and no weight row is cut
    inside, before = 8, length * 5 // 8
    after = length - inside - before
    line, padding, size = (1, length), (0, before, 0, after), (16, 1, inside)
    if upright:
        line, padding, size = (length, 1), (before, 0, after, 0), (16, inside, 1)
    network = _one_layer(rng, config, size, depthwise=True, kernel=line, padding=padding, equal_weights=True)
    return Repeating(network, _image(rng, size), plain_program(network, config))


REPEATING: dict[str, Callable[[np.random.Generator, EngineConfig], Repeating]] = {
    "repeating_rows": _tall,
    "repeating_rings": _long_rings,
    "repeating_short_rings": lambda rng, config: _rings(rng, config, SLOTS),
    "repeating_wide": _wide,
    "repeating_inputs": _deep,
    "repeating_groups": _many_groups,
    "repeating_kernel_row": lambda rng, config: _long_kernel(rng, config, upright=False),
    "repeating_kernel_column": lambda rng, config: _long_kernel(rng, config, upright=True),
}


def repeating(name: str, seed: int, config: EngineConfig) -> Repeating:
    """The layer of this name; the seed draws weights and image. WesnpuError when it does not fit the memories."""
    return REPEATING[name](np.random.default_rng([seed, sorted(REPEATING).index(name)]), config)

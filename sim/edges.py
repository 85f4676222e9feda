"""Edge shapes by name: one layer each, everything that has a limit at its limit."""

from collections.abc import Callable, Iterator

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import decode
from compiler.encoding import Unit
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.network import Network
from sim.layers import CODES, Builder, Shape, choose
from sim.ties import ties

# name -> ((C, H, W) of the input, the layer)
EDGES: dict[str, tuple[tuple[int, int, int], Shape]] = {
    "one_row": ((8, 1, 9), Shape(kernel=(3, 3), padding=(1, 1, 1, 1))),
    "one_column": ((8, 9, 1), Shape(kernel=(3, 3), padding=(1, 1, 1, 1))),
    "one_pixel": ((16, 1, 1), Shape(kernel=(3, 3), padding=(1, 1, 1, 1), channels=16)),
    "one_pixel_depthwise": ((17, 1, 1), Shape(depthwise=True, kernel=(3, 3), padding=(1, 1, 1, 1))),
    "kernel_above_height": ((5, 3, 8), Shape(kernel=(7, 3), padding=(3, 1, 3, 1))),
    "kernel_above_size_depthwise": ((5, 2, 2), Shape(depthwise=True, kernel=(5, 5), padding=(2, 2, 2, 2))),
    "kernel_11": ((3, 13, 12), Shape(kernel=(11, 11), padding=(5, 5, 5, 5), channels=8)),
    "kernel_11_1": ((4, 13, 6), Shape(kernel=(11, 1), padding=(10, 0, 10, 0), channels=8)),
    "kernel_1_11": ((4, 6, 13), Shape(kernel=(1, 11), padding=(0, 10, 0, 10), channels=8)),
    "kernel_11_depthwise": ((8, 13, 12), Shape(depthwise=True, kernel=(11, 11), padding=(5, 5, 5, 5))),
    "same_odd": ((16, 15, 15), Shape(kernel=(3, 3), stride=(2, 2), same=True)),
    "same_even": ((16, 16, 16), Shape(kernel=(3, 3), stride=(2, 2), same=True)),
    "same_odd_depthwise": ((16, 15, 15), Shape(depthwise=True, kernel=(3, 3), stride=(2, 2), same=True)),
    "same_even_depthwise": ((16, 16, 16), Shape(depthwise=True, kernel=(3, 3), stride=(2, 2), same=True)),
    "same_even_5_depthwise": ((16, 14, 14), Shape(depthwise=True, kernel=(5, 5), stride=(2, 2), same=True)),
    "same_odd_5_depthwise": ((16, 13, 15), Shape(depthwise=True, kernel=(5, 5), stride=(2, 2), same=True)),
    "padding_after_only": ((3, 8, 8), Shape(kernel=(3, 3), padding=(0, 0, 2, 2), channels=16)),
    "padding_before_only": ((8, 8, 8), Shape(depthwise=True, kernel=(3, 3), padding=(2, 2, 0, 0))),
    "strides_1_2": ((8, 9, 9), Shape(depthwise=True, kernel=(3, 3), stride=(1, 2), padding=(1, 1, 1, 1))),
    "strides_2_1": ((8, 9, 9), Shape(depthwise=True, kernel=(3, 3), stride=(2, 1), padding=(1, 1, 1, 1))),
    "channels_1": ((1, 7, 7), Shape(kernel=(3, 3), channels=1)),
    "channels_3_to_17": ((3, 7, 7), Shape(kernel=(3, 3), channels=17)),
    "channels_17_to_3": ((17, 7, 7), Shape(kernel=(1, 1), channels=3)),
    "channels_5_input": ((5, 6, 7), Shape(kernel=(3, 3), channels=16)),
    "channels_250": ((250, 2, 2), Shape(kernel=(1, 1), channels=18)),
    "all_shifts_15": ((8, 6, 6), Shape(kernel=(3, 3), shift=15)),
    "all_shifts_0": ((8, 6, 6), Shape(kernel=(3, 3), shift=0)),
    "multiplier_65535": ((8, 6, 6), Shape(kernel=(3, 3), multiplier=65535)),
    "multiplier_0": ((8, 6, 6), Shape(kernel=(3, 3), multiplier=0)),
    "lo_is_hi": ((8, 6, 6), Shape(kernel=(3, 3), clamp=(-3, -3))),
    "clamp_at_top": ((8, 6, 6), Shape(depthwise=True, kernel=(3, 3), clamp=(127, 127))),
    "global_pooling": ((33, 7, 7), Shape(depthwise=True, kernel=(7, 7), padding=(0,) * 4, equal_weights=True)),
    "residual_zero_point": ((16, 6, 5), Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=16)),
    "residual_zero_point_depthwise": ((24, 6, 5), Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), same=True)),
    "wide_row": ((3, 3, 300), Shape(kernel=(3, 3), stride=(2, 2), same=True, channels=8)),
    "tall_column": ((16, 300, 3), Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), same=True)),
    "tallest": ((5, 32767, 1), Shape(kernel=(2, 1), stride=(1, 1), padding=(0,) * 4, channels=2)),
    "tiles_depthwise": ((32, 47, 45), Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), same=True)),
    "tiles_depthwise_stride": ((32, 49, 45), Shape(depthwise=True, kernel=(5, 5), stride=(2, 2), same=True)),
    "tiles_pointwise": ((40, 45, 33), Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=16)),
    "tiles_dense": ((17, 63, 40), Shape(kernel=(5, 2), stride=(2, 1), channels=8)),
    "tiles_of_5": ((16, 29, 40), Shape(kernel=(5, 1), stride=(1, 1), same=True, channels=8)),
    "tiles_of_5_depthwise": ((16, 31, 40), Shape(depthwise=True, kernel=(5, 5), stride=(1, 1), same=True)),
}


RESIDUAL_ROW, RESIDUAL_BLOCKS = "residual_row", "residual_blocks"
EVERY_KERNEL, KERNEL_MAX = "every_kernel", 11
LAST_TILE = "tiles_last_of_one_row"  # its height follows from the engine


def edge_network(name: str, seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """The network of an edge shape and its input, int8 (C, H, W); the seed draws the rest."""
    if name in MADE:
        return MADE[name](seed, config)
    rng = np.random.default_rng([seed, sorted(EDGES).index(name)])
    size, shape = EDGES[name]
    size = (size[0], min(size[1], (1 << config.size_bits - 1) - 1), size[2])
    builder = Builder(rng, config.guard_bits, *size)
    residual = None
    if name.startswith("residual_zero_point"):
        while not builder.last.zero_point:
            builder = Builder(rng, config.guard_bits, *size)
        residual = builder.last
    builder.add(shape, residual=residual)
    image = rng.integers(-128, 128, size).astype(np.int8)
    if rng.random() < 0.1:
        image[:] = choose(rng, *CODES)
    return builder.network(f"{name}_{seed}"), image


def _last_tile(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """A layer so wide that it streams, and so high that the compiler leaves one row for its last tile."""
    width = config.scratchpad_words // 16
    for height in range(4, 80):
        rng = np.random.default_rng([seed, height])
        builder = Builder(rng, config.guard_bits, 16, height, width)
        builder.add(Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), same=True))
        network = builder.network(f"{LAST_TILE}_{seed}")
        rows = tile_rows(network, config)
        if rows[-1] == 1 < rows[0]:
            return network, rng.integers(-128, 128, (16, height, width)).astype(np.int8)
    raise WesnpuError(f"no height in 4..79 leaves a last tile of one row on {config.name}")


def _residual_row(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """A result per cycle with an operand of another region: eight seeds place it at every bank against the input."""
    rng = np.random.default_rng([seed, 1])
    builder = Builder(rng, config.guard_bits, 8, 1, 56 + seed % 8)
    point = Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=8)
    source = builder.add(point)
    operand = builder.add(point)
    builder.add(point, residual=operand, source=source)
    network = builder.network(f"{RESIDUAL_ROW}_{seed}")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def _residual_blocks(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """Residual operands of three channel blocks, which plain programs (seed mod 4 = 3) place 64 or more words apart."""
    rng = np.random.default_rng([seed, 3])
    builder = Builder(rng, config.guard_bits, 40, 8, 8 + seed // 4 % 4)
    builder.add(Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=40), residual=builder.last)
    network = builder.network(f"{RESIDUAL_BLOCKS}_{seed}")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def _every_kernel(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """Kernels of 1 x 11, 2 x 10, ... 11 x 1, dense and depthwise in turn, all on the same image."""
    rng = np.random.default_rng([seed, 2])
    builder = Builder(rng, config.guard_bits, 5, 12, 13)
    source = builder.last
    for height in range(1, KERNEL_MAX + 1):
        width = KERNEL_MAX + 1 - height
        before, after = ((height - 1) // 2, (width - 1) // 2), (height // 2, width // 2)
        kernel = {"kernel": (height, width), "padding": (*before, *after), "depthwise": height % 2 == 0}
        builder.add(Shape(channels=5, stride=(1, 1), clamp=CODES, **kernel), source=source)
    network = builder.network(f"{EVERY_KERNEL}_{seed}")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def tile_rows(network: Network, config: EngineConfig) -> list[int]:
    """Output rows of every COMPUTE command of the compiled network, in order."""
    commands = decode(compile_network(network, config).program)
    return [one.fields["output_rows"] for one in commands if one.unit == Unit.COMPUTE]


def edge_names(only: str = "") -> Iterator[str]:
    """Names of the edge shapes that begin with `only`."""
    return (name for name in (*EDGES, *MADE) if name.startswith(only))


# Shapes that follow from the engine or the seed.
MADE: dict[str, Callable[[int, EngineConfig], tuple[Network, np.ndarray]]] = {
    LAST_TILE: _last_tile, RESIDUAL_ROW: _residual_row, RESIDUAL_BLOCKS: _residual_blocks,
    EVERY_KERNEL: _every_kernel, "residual_ties": ties,
}

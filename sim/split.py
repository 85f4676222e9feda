"""Layers that do not fit: the networks of the test `split`, and in how little memory they are compiled.

A program for a smaller scratchpad is a program for every larger one. The weight ring wraps at its own size, so layers
with too many weights are as large as it takes.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compiler.config import EngineConfig
from compiler.program import CompiledNetwork, compile_network
from golden.network import Network
from sim.layers import Builder, Shape, choose, random_network

WORDS = (16, 32, 64, 128)  # scratchpad words per pixel
WHOLE = ("pooling", "conv_shift", "depthwise", "fully_connected", "stem", "residual", "pointwise", "chain")


def many_weights(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """A layer with up to twice the weights per lane group that the ring holds, on an image of a few pixels."""
    rng = np.random.default_rng([seed, 0x57454947])
    rows = int(config.weight_rows * rng.uniform(1.02, 2))
    kernel = choose(rng, 1, 1, 2, 3), choose(rng, 1, 2, 3)
    channels = -(-rows * config.taps // (kernel[0] * kernel[1]))
    height, width = kernel[0] + choose(rng, 0, 0, 1), kernel[1] + choose(rng, 0, 0, 1, 2)
    padding = tuple(choose(rng, 0, 0, size - 1) for size in kernel * 2)
    builder = Builder(rng, config.guard_bits, channels, height, width)
    builder.add(Shape(
        kernel=kernel, stride=(1, choose(rng, 1, 2)), padding=padding, channels=choose(rng, 1, config.lanes + 1)
    ))
    network = builder.network(f"many_weights_{seed}")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def split_programs(seed: int, count: int, config: EngineConfig) -> Iterator[tuple[CompiledNetwork, np.ndarray, int]]:
    """(program, image, seed): random networks in little scratchpad, every fourth with too many weights."""
    for one in range(seed, seed + count):
        if one % 4 == 3:
            network, image = many_weights(one, config)
            yield compile_network(network, config, keep_all=True), image, one
            continue
        network, image = random_network(WHOLE[one % len(WHOLE)], one, config.guard_bits)
        words = WORDS[one // len(WHOLE) % len(WORDS)] * config.pixels
        small = replace(config, scratchpad_words=min(words, config.scratchpad_words))
        yield compile_network(network, small, keep_all=one % 2 == 1), image, one

"""Engines to simulate by name: those that can be built, four pixels, packed multipliers, random legal ones."""

import dataclasses
import re
from collections.abc import Callable

import numpy as np

from compiler.config import EngineConfig
from compiler.engines import engine

FOUR_PIXELS = EngineConfig(
    name="four_pixels", pixels=4, lanes=4, taps=8, requant_lanes=8, scratchpad_words=2048, weight_rows=1024,
    parameter_rows=128,
)
PACKED = dataclasses.replace(
    FOUR_PIXELS, name="packed", pixels=2, lanes=2, taps=4, requant_lanes=2, multiplier="packed18"
)
NAMED = {config.name: config for config in (FOUR_PIXELS, PACKED)}


def configuration(name: str) -> EngineConfig:
    """The preset or one made to fit an FPGA, four_pixels, packed, or the engine drawn for random7, in_order7 and so on.

    ValueError for another name.
    """
    drawn = re.fullmatch(rf"({'|'.join(DRAWN)})(\d{{1,9}})", name)
    if drawn:
        return DRAWN[drawn[1]](int(drawn[2]))
    return NAMED.get(name) or engine(name)


def _one(rng: np.random.Generator, *values: int) -> int:
    return int(values[rng.integers(len(values))])


def _divisor(rng: np.random.Generator, results: int) -> int:
    return _one(rng, *[n for n in range(1, results + 1) if results % n == 0])


def random_configuration(seed: int) -> EngineConfig:
    """Any legal engine with queues and a window that is small enough to build in a minute."""
    rng = np.random.default_rng([seed, 0x434F4E46])
    pixels, lanes = _one(rng, 1, 2, 4), _one(rng, 2, 4, 8, 16)
    config = EngineConfig(
        name=f"random{seed}", pixels=pixels, lanes=lanes, taps=_one(rng, 4, 8, 16),
        requant_lanes=_divisor(rng, pixels * lanes), scratchpad_words=_one(rng, 2048, 4096, 8192),
        weight_rows=_one(rng, 1024, 2048), parameter_rows=_one(rng, 128, 512), window_kernel=_one(rng, 3, 5),
        bus_bytes=_one(rng, 8, 16), guard_bits=_one(rng, 5, 7), queue_units=_one(rng, 8, 16, 64),
    )
    packed = pixels > 1 and _one(rng, 0, 1)
    return dataclasses.replace(config, multiplier="packed18") if packed else config


def little_configuration(seed: int) -> EngineConfig:
    """The same in so little memory that the compiler cuts most layers into tiles and pieces."""
    return dataclasses.replace(
        random_configuration(seed), name=f"little{seed}", scratchpad_words=256 << seed % 3,
        weight_rows=16 << seed % 4, parameter_rows=4 << seed % 3,
    )


def in_order_configuration(seed: int) -> EngineConfig:
    """Any legal engine without queues whose memories hold the networks of sim/layers.py."""
    rng = np.random.default_rng([seed, 0x494E4F52])
    lanes, size_bits = _one(rng, 2, 4, 8, 16), _one(rng, 10, 11, 13, 16)
    return EngineConfig(
        name=f"in_order{seed}", pixels=1, lanes=lanes, taps=_one(rng, 4, 8, 16), requant_lanes=_divisor(rng, lanes),
        scratchpad_words=1 << size_bits - _one(rng, 1, 2) if size_bits < 13 else 2048,
        weight_rows=_one(rng, 512, 1024), parameter_rows=_one(rng, 64, 256), window_kernel=1,
        bus_bytes=_one(rng, 8, 16), guard_bits=_one(rng, 5, 7), queue_units=0, size_bits=size_bits,
        address_bits=_one(rng, 22, 24, 29, 32), counters=_one(rng, 0, 1),
        without_timeout=_one(rng, 0, 1),
    )


DRAWN: dict[str, Callable[[int], EngineConfig]] = {
    "random": random_configuration, "little": little_configuration, "in_order": in_order_configuration,
}

"""Engines to simulate by name: the presets, and random legal configurations from a seed."""

import re

import numpy as np

from compiler.config import EngineConfig, preset


def configuration(name: str) -> EngineConfig:
    """The preset called `name`, or for random0, random1, ... `random_configuration`; WesnpuError for another name."""
    drawn = re.fullmatch(r"random(\d{1,9})", name)
    return random_configuration(int(drawn[1])) if drawn else preset(name)


def random_configuration(seed: int) -> EngineConfig:
    """Any legal engine that is small enough to build in a minute."""
    rng = np.random.default_rng([seed, 0x434F4E46])

    def one(*values: int) -> int:
        return int(values[rng.integers(len(values))])

    pixels, lanes = one(1, 2, 4), one(2, 4, 8, 16)
    results = pixels * lanes
    return EngineConfig(
        name=f"random{seed}", pixels=pixels, lanes=lanes, taps=one(4, 8, 16),
        requant_lanes=one(*[n for n in range(1, results + 1) if results % n == 0]),
        scratchpad_words=one(2048, 4096, 8192), weight_rows=one(1024, 2048), parameter_rows=one(128, 512),
        window_kernel=one(3, 5), bus_bytes=one(8, 16), guard_bits=one(5, 7), queue_units=one(8, 16, 64),
    )

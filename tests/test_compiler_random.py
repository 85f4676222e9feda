"""Random networks on random engines: compiled, proved safe, and run in several orders; every tensor equals golden's."""

import dataclasses
import itertools

import numpy as np
import pytest

from compiler.config import PRESETS, EngineConfig
from compiler.program import compile_network
from golden.errors import WesnpuError
from sim.layers import KINDS, random_network
from tests.compiler_check import check_compiled
from tests.compiler_networks import mixed_network, random_config


def check_mixed(seed: int) -> int:
    """The first network of this seed that its engine can run; values compared."""
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, attempt])
        config = random_config(rng)
        try:
            network, image = mixed_network(rng, config.guard_bits, int(rng.integers(1, 7)))
            compiled = compile_network(network, config, keep_all=bool(rng.integers(2)))
        except WesnpuError:  # what is refused, and how, is the subject of test_compiler_refusals
            continue
        return check_compiled(compiled, image, seed)


def small_memories(config: EngineConfig, rng: np.random.Generator) -> EngineConfig:
    """The same engine with less memory, so that layers are cut at every boundary."""
    return dataclasses.replace(
        config,
        scratchpad_words=1 << int(rng.integers(5, 10)),
        weight_rows=1 << int(rng.integers(6, 10)),
        parameter_rows=1 << int(rng.integers(2, 6)),
    )


@pytest.mark.parametrize("seed", range(60))
def test_mixed_networks_on_random_engines(seed: int) -> None:
    assert check_mixed(seed) > 0


@pytest.mark.long
@pytest.mark.parametrize("block", range(40))
def test_many_mixed_networks_on_random_engines(block: int) -> None:
    for seed in range(1000 + 50 * block, 1050 + 50 * block):
        try:
            assert check_mixed(seed) > 0
        except (AssertionError, ValueError) as error:
            command = f"python -c 'from tests.test_compiler_random import check_mixed; check_mixed({seed})'"
            raise AssertionError(f"{error}; repeat with: {command}") from error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRESETS)
def test_networks_of_every_kind_on_presets(name: str, kind: str) -> None:
    for seed in range(3):
        network, image = random_network(kind, seed, PRESETS[name].guard_bits)
        assert check_compiled(compile_network(network, PRESETS[name], keep_all=seed == 0), image, seed) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRESETS)
def test_networks_of_every_kind_in_small_memories(name: str, kind: str) -> None:
    checked = 0
    for seed in range(20):
        config = small_memories(PRESETS[name], np.random.default_rng(seed))
        network, image = random_network(kind, 100 + seed, config.guard_bits)
        try:
            compiled = compile_network(network, config, keep_all=seed % 2 == 0)
        except WesnpuError:
            continue
        checked += check_compiled(compiled, image, seed) > 0
        if checked == 3:
            return
    assert checked, "every network was refused"

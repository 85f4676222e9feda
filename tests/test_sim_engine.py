"""The generated Verilog against golden: random layers, edge shapes, programs, errors, every preset."""

import pytest

from compiler.config import PRESETS, EngineConfig, preset
from compiler.engines import FITTED, engine
from sim.build import build_bench
from sim.cases import EDGE_NAMES, Orders
from sim.configurations import (
    FOUR_PIXELS,
    PACKED,
    in_order_configuration,
    little_configuration,
    random_configuration,
)
from sim.runner import Result, run_case

QUICK = 300  # random networks over all presets in `make test`
LONG = 3000
CONFIGS = sorted(PRESETS)
DRAWN = 20  # random engines


def run(case: str, config: EngineConfig, *, seed: int = 0, count: int = 0, initial: int = 0) -> Result:
    """Run a case on a shared build; a difference fails with its place, a run without comparisons fails as well."""
    result = run_case(Orders(case, seed, count, initial=initial), config, build=build_bench(config))
    assert not result.failure, result.failure
    assert result.programs > 0 and result.memory_bytes > 0
    assert case != "edges" or result.programs == len(EDGE_NAMES)
    return result


@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers(name):
    count = -(-QUICK // len(CONFIGS))
    result = run("mixed", preset(name), seed=1000 * CONFIGS.index(name), count=count, initial=CONFIGS.index(name))
    assert result.programs == count
    assert result.values > 0


@pytest.mark.parametrize("case", ["edges", "programs", "errors", "stalls", "network"])
def test_cases(case):
    assert run(case, preset("small")).values > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_layers_that_do_not_fit(name):
    assert run("split", preset(name), count=8, initial=4).values > 0


def test_four_pixels():
    """The columns of the largest engines, on few lanes; no preset has them."""
    assert run("mixed", FOUR_PIXELS, seed=3, count=32, initial=5).programs == 32
    assert run("edges", FOUR_PIXELS).programs > 0


def test_packed_multipliers():
    """One multiplier for the products of two pixels; no preset has them."""
    assert run("mixed", PACKED, seed=4, count=32, initial=6).programs == 32


@pytest.mark.parametrize("name", sorted(FITTED))
def test_engines_made_to_fit_an_fpga(name):
    assert run("mixed", engine(name), seed=5, count=16, initial=7).programs == 16


@pytest.mark.parametrize("initial", [1, 2])
def test_random_initial_values(initial):
    assert run("chain", preset("large"), initial=initial).values > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_layers(name):
    count = -(-LONG // len(CONFIGS))
    assert run("mixed", preset(name), seed=100_000 + 10_000 * CONFIGS.index(name), count=count).programs == count


@pytest.mark.long
@pytest.mark.parametrize("name", [*CONFIGS, *sorted(FITTED)])
@pytest.mark.parametrize("case", ["edges", "repeating", "programs", "errors", "split", "stalls", "network"])
def test_cases_of_every_engine_that_can_be_built(case, name):
    assert run(case, engine(name), seed=7, initial=3).values > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(DRAWN))
def test_random_configurations(seed):
    config = random_configuration(seed)
    assert run("mixed", config, seed=seed, count=24, initial=seed).programs == 24
    assert run("edges", config, seed=seed).programs > 0
    assert run("split", config, seed=seed, count=8).programs == 8


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(20, 26))
def test_random_configurations_with_little_memory(seed):
    config = little_configuration(seed)
    assert run("mixed", config, seed=seed, count=16, initial=seed).programs == 16
    assert run("split", config, seed=seed, count=8).programs == 8


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_random_configurations_without_queues(seed):
    config = in_order_configuration(seed)
    assert run("mixed", config, seed=seed, count=16, initial=seed).programs == 16
    assert run("split", config, seed=seed, count=8).programs == 8
    assert run("errors", config, seed=seed).values > 0


def test_the_random_configurations_differ_in_every_way():
    """Each way in which engines with queues can differ is among those of the long run."""
    drawn = [random_configuration(seed) for seed in range(DRAWN)]
    assert len({tuple(config.to_json().items())[1:] for config in drawn}) == DRAWN
    assert any(config.lanes < config.taps for config in drawn)
    assert any(config.lanes > config.taps for config in drawn)
    assert any(config.requant_lanes < config.results for config in drawn)
    assert any(config.requant_lanes == config.results > 1 for config in drawn)
    for name, values in (("bus_bytes", {8, 16}), ("pixels", {1, 2, 4}), ("guard_bits", {5, 7}),
                         ("window_kernel", {3, 5}), ("lanes", {2, 4, 8, 16}), ("taps", {4, 8, 16}),
                         ("multiplier", {"plain", "packed18"})):
        assert {getattr(config, name) for config in drawn} == values, name

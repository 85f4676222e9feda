"""The bench itself: blocks, the command line, and that every comparator can fail."""

import asyncio
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from compiler.config import preset
from compiler.program import compile_network
from golden.errors import WesnpuError
from sim.__main__ import all_tests, main
from sim.block_cases import BLOCK_CASES, run_block
from sim.build import ROOT, build_bench, module_ports
from sim.cases import Orders
from sim.compiled import compute_writes, prepare_compiled
from sim.configurations import configuration, random_configuration
from sim.cosim import LARGE, cosim
from sim.coverage import uncovered
from sim.driver import SimulationError
from sim.expected import expected_of
from sim.job import Manners, Stall, manners
from sim.layers import KINDS, random_network
from sim.memory_image import place
from sim.process import ProcessDriver
from sim.runner import run_case
from sim.session import Session, prepare_plain
from sim.trace import STAGES, Writes, compare_trace
from wesnpu.cosim_report import report_of
from wesnpu.report import render

CONFIG = preset("small")
NAMES = {
    "requantizer", "conv_shift", "depthwise", "pointwise", "stem", "residual", "pooling", "fully_connected", "stalls",
    "registers", "programs", "errors", "network", "axi4", "chain", "edges", "mixed", "repeating", "split", "ties",
    "tiled",
}


@pytest.mark.parametrize("case", sorted(BLOCK_CASES))
def test_blocks(case):
    result = run_block(case, CONFIG, seed=3)
    assert not result.failure, result.failure
    assert result.values > 1000


def test_listing_names_every_test(capsys):
    assert main([]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == set(all_tests()) == NAMES


def test_one_test_runs_by_its_name(capsys):
    assert main(["conv_shift", "--config", "small", "--seed", "1"]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_simulation_without_a_test_fails():
    with pytest.raises(WesnpuError, match="without a result"):
        run_case(Orders("conv_shift", count=1), CONFIG, module="golden.errors")


def test_a_run_that_compares_nothing_or_differs_fails(monkeypatch, capsys):
    done = run_case(Orders("conv_shift", count=1), CONFIG)
    assert done.values > 0 and not done.failure
    for changes, told in (({"values": 0}, "nothing was compared"), ({"failure": "a place"}, "FAILED: a place")):
        monkeypatch.setattr("sim.__main__.run_case", lambda *_, given=changes, **__: replace(done, **given))
        assert main(["conv_shift"]) == 1
        assert told in capsys.readouterr().out


@pytest.mark.long
def test_waves_are_written(capsys):
    assert main(["pointwise", "--seed", "1", "--waves"]) == 0
    path = capsys.readouterr().out.split("waves: ")[1].split()[0]
    with open(path) as waves:
        assert "$var" in waves.read(100_000)


def test_make_hands_every_choice_on():
    asked = "TEST=conv_shift CONFIG=random7 SEED=3 STALLS=runs INITIAL=9 WAVES=1".split()
    told = subprocess.run(["make", "-n", "sim", *asked], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = " ".join(told.replace("\\", "").split())
    assert "-m sim conv_shift --config random7 --seed 3 --stalls runs --initial 9 --waves" in words


def test_configurations_have_names():
    assert configuration("random7") == random_configuration(7) != random_configuration(8)
    for name in ("random7", "little20", "in_order3", "four_pixels"):  # what a failure's repeat command calls them
        assert configuration(name).name == name
    assert configuration("small") == CONFIG
    with pytest.raises(ValueError, match="large"):
        configuration("random")


@pytest.mark.parametrize("arguments", [["nothing"], ["conv_shift", "--config", "huge"]])
def test_wrong_arguments_are_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_broken_expectation_is_told_by_place_and_fails():
    """The bench's comparators can fail: the weights expected are not those that run."""
    result = run_case(Orders("broken", seed=3, initial=5), CONFIG, build=build_bench(CONFIG))
    assert "layer layer0 channel" in result.failure and "stage acc" in result.failure
    assert result.failure.endswith("repeat with: make sim TEST=broken CONFIG=small SEED=3 STALLS=none INITIAL=5")


def writes_of(network, image, config):
    """The trace that a correct engine leaves, from golden: (expected, parts, writes)."""
    expected = expected_of(network, image, stages=True)
    parts = compute_writes(compile_network(network, config))
    columns = {"layer": [], "address": [], "sub": []}
    values = {stage: [] for stage in STAGES}
    for part in parts:
        address, sub = part.addresses(config.lanes)
        columns["address"].append(address)
        columns["sub"].append(sub)
        columns["layer"].append(np.full(part.count, part.layer))
        for index in range(part.count):
            channel, row, column = part.place(index, config.lanes)
            for stage in STAGES:
                source = expected.stages[network.layers[part.layer].name][stage]
                values[stage].append(source[channel : channel + config.lanes, row, column])
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return expected, parts, Writes(**joined, values={stage: np.stack(rows) for stage, rows in values.items()})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_correct_trace_is_accepted_and_any_changed_value_is_found(kind):
    network, image = random_network(kind, 5, CONFIG.guard_bits)
    expected, parts, writes = writes_of(network, image, CONFIG)
    compared, mismatches = compare_trace(network, expected, parts, writes, CONFIG)
    assert compared == len(writes.layer) * CONFIG.lanes and not mismatches
    rng = np.random.default_rng(1)
    for stage in STAGES:
        at, lane = int(rng.integers(len(writes.layer))), int(rng.integers(CONFIG.lanes))
        writes.values[stage][at, lane] ^= 1
        _, found = compare_trace(network, expected, parts, writes, CONFIG)
        writes.values[stage][at, lane] ^= 1
        assert [one.stage for one in found] == [stage]
        assert found[0].expected ^ found[0].actual == 1
    for name in ("address", "sub", "layer"):
        getattr(writes, name)[3 % len(writes.layer)] ^= 1
        assert compare_trace(network, expected, parts, writes, CONFIG)[1]
        getattr(writes, name)[3 % len(writes.layer)] ^= 1


def test_placements_do_not_overlap_and_have_canaries():
    for seed in range(50):
        made = place(b"x" * 1000, 3000, seed)
        regions = sorted([made.image, made.data])
        assert made.base + 4096 <= regions[0][0]
        assert regions[0][0] + regions[0][1] + 4096 <= regions[1][0]
        assert regions[1][0] + regions[1][1] + 4096 <= made.base + made.memory.size <= 1 << 32
        assert all(value % 64 == 0 for region in regions for value in region)


def test_manners_are_drawn_from_the_seed():
    assert manners("mixed", 4) == manners("mixed", 4)
    assert {manners("mixed", seed).order for seed in range(30)} == {0, 1, 2}
    assert manners("random", 1).stalls == (Stall.RANDOM,) * 5


def test_ports_are_found_and_a_missing_module_is_named():
    assert module_ports("module a(input x,\n output [3:0] y);\nendmodule", "a") == ["x", "y"]
    with pytest.raises(WesnpuError, match="no module 'b'"):
        module_ports("module a(x);", "b")


def test_cosim_compares_every_tensor_and_counts_cycles():
    network, image = random_network("chain", 3, CONFIG.guard_bits)
    done = []
    result = cosim(network, np.stack([image, -1 - image]), "small", 5, progress=done.append)
    assert result.mismatches == []
    assert result.tensors_compared == 2 * len(network.layers)
    assert [layer.name for layer in result.layers] == [layer.name for layer in network.layers]
    assert sum(layer.cycles for layer in result.layers) == result.cycles_per_image[0]
    assert (done[-1].done, done[-1].images, done[-1].share) == (2, 2, 1.0)
    assert all(one.share <= two.share for one, two in zip(done, done[1:], strict=False))


@pytest.mark.parametrize("large", [False, True])
def test_cosim_tells_a_difference_by_place_and_stage(large, monkeypatch):
    """The weights expected are not those that run: the program is run again with all stages, on the same process or,
    after a large run without them, on another bench."""
    network, image = random_network("pointwise", 3, CONFIG.guard_bits)
    other = replace(network, layers=(replace(network.layers[0], weight=0 * network.layers[0].weight),))

    def prepare(*arguments):
        return replace(prepare_compiled(*arguments), network=other, expected=expected_of(other, image))

    monkeypatch.setattr("sim.cosim.prepare_compiled", prepare)
    monkeypatch.setattr("sim.cosim.LARGE", 0 if large else LARGE)
    right, result = cosim(other, image[None], "small"), cosim(network, image[None], "small")
    assert len(result.mismatches) == 1
    assert "image 0: " in result.mismatches[0] and "layer layer0 channel" in result.mismatches[0]
    assert "stage acc" in result.mismatches[0]
    assert result.values_compared == right.values_compared  # once, though the program ran twice
    page = render(report_of(network, result, CONFIG, command="wesnpu cosim", images=1, seed=0))
    assert "layer layer0 channel" in page and "0 mismatches" not in page


def test_a_layer_that_is_not_written_whole_is_told():
    """Of two lane groups of five pixels each, and of what is left of a third group."""
    network, _ = random_network("pointwise", 3, CONFIG.guard_bits)
    layer = network.layers[0]
    channels, positions = layer.channels, network.tensors[layer.output].height * network.tensors[layer.output].width
    lanes = CONFIG.lanes
    whole = compute_writes(compile_network(network, CONFIG))
    total = sum(part.count for part in whole)
    assert uncovered(network, whole, total, lanes) == {}
    groups = -(-channels // lanes)
    assert total >= groups * positions
    assert uncovered(network, whole, 0, lanes) == {layer.name: channels * positions}
    assert uncovered(network, whole, 1, lanes) == {layer.name: channels * positions - min(lanes, channels)}
    assert uncovered(network, whole[1:], total, lanes) != {}


@pytest.mark.parametrize("counter", ["cycles", "active", "fill", "read_beats", "write_beats"])
def test_a_counter_that_counts_otherwise_is_told(counter, tmp_path):
    """One register off by one, and for two causes the sum still right."""
    network, image = random_network("depthwise", 3, CONFIG.guard_bits)
    prepared = prepare_plain(network, image, CONFIG, Manners(), 3)

    class Miscounting(ProcessDriver):
        async def collect(self):
            outcome = await super().collect()
            counters = outcome.counters | {counter: outcome.counters[counter] + 1}
            if counter in ("active", "fill"):
                counters["store"] -= 1
            return replace(outcome, counters=counters)

    with Miscounting(build_bench(CONFIG), CONFIG, tmp_path) as driver:
        asyncio.run(driver.reset())
        with pytest.raises(SimulationError, match="the counters are"):
            asyncio.run(Session(driver, CONFIG).check(prepared))


def test_a_simulator_process_that_ends_is_told_with_its_last_words(tmp_path):
    with ProcessDriver(build_bench(CONFIG), CONFIG, tmp_path) as driver:
        driver.set_ports({"nothing": 1})
        with pytest.raises(SimulationError, match="ended with 2: the bench has no input nothing"):
            asyncio.run(driver.read("STATUS"))


def test_cosim_refuses_other_images():
    network, image = random_network("chain", 3, CONFIG.guard_bits)
    with pytest.raises(WesnpuError, match="int8"):
        cosim(network, image, "small")
    for name, value in (("latency", -1), ("latency", 65536), ("processes", 0)):
        with pytest.raises(WesnpuError, match=f"{name} is {value}: must be"):
            cosim(network, image[None], "small", **{name: value})

"""The hazard checker finds planted mistakes, and whatever goes wrong in some order it has reported."""

import dataclasses
import re

import numpy as np
import pytest

from compiler.banks import bank_conflicts, rows_apart
from compiler.config import PRESETS, EngineConfig
from compiler.encode import Command, decode, encode
from compiler.encoding import Mode, Unit
from compiler.hazards import Checker, check_program
from compiler.interpret import run_shuffled
from compiler.machine import Machine
from compiler.program import CompiledNetwork, compile_network
from compiler.region import WORDS_ALONE, Window, choose_ring, conflict_free
from golden.errors import WesnpuError
from sim.expected import expected_of
from sim.fetches import at_the_end
from sim.layers import random_network
from sim.plain_program import plain_program
from tests.compiler_check import differences, run_program
from tests.compiler_networks import edge_network

CONFIG = dataclasses.replace(PRESETS["large"], scratchpad_words=256)


def changed(commands: list[Command], number: int, **fields: int) -> list[Command]:
    """The program with fields of one command replaced."""
    one = commands[number]
    return [*commands[:number], Command(one.unit, one.fields | fields), *commands[number + 1 :]]


def check(compiled: CompiledNetwork, commands: list[Command]) -> None:
    program = b"".join(encode(command.unit, command.fields) for command in commands)
    check_program(program, compiled.config, len(compiled.image), compiled.data_size)


def sample(shape: str = "stem_gather", config: EngineConfig = CONFIG) -> tuple[CompiledNetwork, list[Command]]:
    network, _ = edge_network(shape, config.guard_bits)
    compiled = compile_network(network, config)
    return compiled, decode(compiled.program)


def first(commands: list[Command], unit: Unit, **fields: int) -> int:
    """Number of the first command of the unit with these fields."""
    return next(
        n for n, one in enumerate(commands) if one.unit == unit and fields.items() <= one.fields.items()
    )


@pytest.mark.parametrize(
    "unit, fields, message",
    [
        (Unit.COMPUTE, {"wait_load": 0}, r"reads scratchpad word \d+, written by LOAD 1, but starts when only 0 LOAD"),
        (Unit.COMPUTE, {"wait_weights": 1}, r"reads parameters word 0, written by WEIGHTS 2, but .* only 1 WEIGHTS"),
        (Unit.COMPUTE, {"wait_weights": 0}, r"reads weights word 0, written by WEIGHTS 1, but starts when only 0"),
        (Unit.STORE, {"wait_compute": 0}, r"reads scratchpad word \d+, written by COMPUTE \d+, but .* only 0 COMPUTE"),
        (Unit.COMPUTE, {"wait_compute": 1}, r"waits for COMPUTE 1, but only 0 stand before it \(rule 1\)"),
        (Unit.LOAD, {"wait_store": 1}, r"waits for STORE 1, but only 0 stand before it \(rule 1\)"),
        (Unit.LOAD, {"base": 255}, r"writes? .*scratchpad|scratchpad words 255\.\.\d+ must be in 0\.\.255"),
        (Unit.LOAD, {"address": 1 << 20}, r"data words 65536\.\.\d+ must be in 0\.\."),
        (Unit.STORE, {"address": 1 << 31}, r"data words 134217728\.\.\d+ must be in 0\.\."),
        (Unit.WEIGHTS, {"address": 1 << 20}, r"image words 65536\.\.\d+ must be in 0\.\."),
        (Unit.COMPUTE, {"input_base": 200}, r"reads scratchpad word \d+, which nothing wrote|scratchpad words"),
        (Unit.COMPUTE, {"weight_row": 1000}, r"reads weights word 1000, which nothing wrote"),
        (Unit.COMPUTE, {"parameter_row": 300}, r"reads parameters word 300, which nothing wrote"),
        (Unit.COMPUTE, {"input_pitch": 16, "input_extent": 4096}, r"share a bank|nothing wrote|must be in"),
    ],
)
def test_planted_mistakes_are_reported(unit: Unit, fields: dict[str, int], message: str) -> None:
    compiled, commands = sample()
    check(compiled, commands)
    number = first(commands, unit)
    with pytest.raises(ValueError, match=rf"^command {number} \({unit.name} 1\): .*({message})"):
        check(compiled, changed(commands, number, **fields))


@pytest.mark.parametrize("name", ["nano", "small", "large"])
def test_what_the_engine_fetches_beyond_the_scratchpad_is_reported(name: str) -> None:
    """The same commands as in the simulated case `errors`; with pixels or a window also words that no output needs."""
    config = PRESETS[name]
    compiled, commands = sample("depthwise_same_odd", config)
    given, needless, total = commands[first(commands, Unit.COMPUTE)].fields, 0, 0
    for fields, beyond in at_the_end(given, config):
        lines = Checker(config, len(compiled.image), compiled.data_size).take(Command(Unit.COMPUTE, fields))
        outside = [line for line in lines if "scratchpad words" in line]
        assert len(outside) == beyond, fields
        needless += any(line.startswith("fetches, with those that no output needs") for line in outside)
        total += 1
    assert total > 20 and (needless > 5) == (name != "nano")


def test_overwriting_what_is_still_read_is_reported() -> None:
    """Every LOAD into a ring that goes round waits for the COMPUTE that read the old rows."""
    compiled, commands = sample("tall", dataclasses.replace(PRESETS["small"], scratchpad_words=32))
    waiting = [n for n, one in enumerate(commands) if one.unit == Unit.LOAD and one.fields["wait_compute"] > 1]
    assert len(waiting) > 50
    for number in waiting[::50]:
        earlier = commands[number].fields["wait_compute"] - 1
        with pytest.raises(ValueError, match=rf"^command {number} \(LOAD .*writes scratchpad .* read by COMPUTE"):
            check(compiled, changed(commands, number, wait_compute=earlier))


def test_results_wait_until_stored() -> None:
    compiled, commands = sample("tall", dataclasses.replace(PRESETS["small"], scratchpad_words=32))
    waiting = [n for n, one in enumerate(commands) if one.unit == Unit.COMPUTE and one.fields["wait_store"]]
    assert len(waiting) > 50
    for number in waiting[::50]:
        earlier = commands[number].fields["wait_store"] - 1
        with pytest.raises(ValueError, match=rf"^command {number} \(COMPUTE .*writes scratchpad .* read by STORE"):
            check(compiled, changed(commands, number, wait_store=earlier))


def goes_wrong(compiled: CompiledNetwork, commands: list[Command], image: np.ndarray, seed: int) -> bool:
    """Whether one of four random orders gives another result, or none."""
    expected = expected_of(compiled.network, image)
    for order in range(4):
        try:
            data = run_program(compiled, commands, image, seed + order, shuffled=True)
        except ValueError:
            return True
        if differences(compiled, data, expected):
            return True
    return False


def test_whatever_goes_wrong_was_reported() -> None:
    reported = wrong = total = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        config = list(PRESETS.values())[seed % 4]
        config = dataclasses.replace(config, scratchpad_words=256, weight_rows=256, parameter_rows=32)
        network, image = random_network("chain" if seed % 2 else "residual", seed, config.guard_bits)
        try:
            compiled = compile_network(network, config, keep_all=True)
        except WesnpuError:
            continue
        commands = decode(compiled.program)
        sites = [(n, name) for n, one in enumerate(commands) for name, value in one.fields.items()
                 if name.startswith("wait_") and value]
        for number, name in (sites[i] for i in rng.integers(0, len(sites), 4)):
            mutant = changed(commands, number, **{name: int(rng.integers(commands[number].fields[name]))})
            try:
                check(compiled, mutant)
                found = False
            except ValueError:
                found = True
            bad = goes_wrong(compiled, mutant, image, seed)
            assert found or not bad, f"seed {seed}: command {number} without {name} goes wrong unreported"
            reported, wrong, total = reported + found, wrong + bad, total + 1
    assert total > 30 and wrong > total // 8 and reported > wrong


def test_a_deadlock_is_reported() -> None:
    compiled, commands = sample()
    number = first(commands, Unit.COMPUTE)
    stuck = changed(commands, number, wait_compute=1)
    machine = Machine(CONFIG, compiled.image, np.zeros(compiled.data_size, np.uint8))
    with pytest.raises(ValueError, match="deadlock: every unit waits; commands finished: .*COMPUTE 0"):
        run_shuffled(machine, stuck, np.random.default_rng(0))


def brute_force_apart(offsets: list[int], feed: int, config: EngineConfig) -> bool:
    """The bank rule from the banks themselves: every word of a feed lies in a bank of its own."""
    for left in range(config.banks):
        words = [offset + left + i for offset in offsets for i in range(feed)]
        if len({word % config.banks for word in words}) < len(words):
            return False
    return True


@pytest.mark.parametrize(
    ("kernel", "pixels", "feed"), [(5, 1, 1), (5, 2, 2), (5, 2, 4), (5, 4, 4), (3, 1, 1), (3, 2, 2), (3, 4, 4)]
)
def test_bank_rule_equals_its_meaning(kernel: int, pixels: int, feed: int) -> None:
    config = dataclasses.replace(PRESETS["large"], window_kernel=kernel, pixels=pixels, requant_lanes=1)
    rng = np.random.default_rng(pixels)
    outcomes = []
    for _ in range(2000):
        offsets = rng.choice(200, int(rng.integers(1, 6)), replace=False)
        outcomes.append(rows_apart(offsets, feed, config))
        assert outcomes[-1] == brute_force_apart(offsets.tolist(), feed, config), offsets
    assert 200 < sum(outcomes) < 1800


def check_ring(slots: int, pitch: int, height: int, window: Window, config: EngineConfig) -> None:
    """Wherever the window stands, its words lie in banks of their own."""
    assert conflict_free(pitch, slots, window, height, config)
    for start in range(height):
        rows = range(start, min(start + window.rows, height))
        assert brute_force_apart([row % slots * pitch for row in rows], window.words, config)


SINGLE = [(1, ((3, 1),)), (1, ((5, 1),)), (2, ((3, 2),)), (2, ((5, 2),)), (4, ((3, 4),)), (4, ((5, 4),))]


@pytest.mark.parametrize(
    ("kernel", "pixels", "windows"),
    [
        *((5, *one) for one in SINGLE), (5, 2, ((3, 4),)), (5, 2, ((3, 4), (5, 2))),
        *((3, pixels, ((3, pixels),)) for pixels in (1, 2, 4)),
    ],
)
def test_chosen_rings_keep_their_rows_apart(kernel: int, pixels: int, windows: tuple[tuple[int, int], ...]) -> None:
    config = dataclasses.replace(PRESETS["large"], window_kernel=kernel, pixels=pixels, requant_lanes=1)
    for width in range(1, 40):
        for height in (1, 2, 4, 9, 30):
            grid = max(rows for rows, _ in windows)
            for wanted in {min(grid, height), min(grid + 1, height), min(2 * grid, height)}:
                every = [Window(rows, words) for rows, words in windows]
                slots, pitch = choose_ring(width, wanted, height, frozenset({WORDS_ALONE, *every}), config)
                assert wanted <= slots <= height and pitch >= width
                for one in every:
                    check_ring(slots, pitch, height, one, config)


@pytest.mark.parametrize("name", ["small", "large", "micro"])
def test_plain_programs_keep_the_rows_of_windows_apart(name: str) -> None:
    config, windows = PRESETS[name], 0
    for seed in range(300):
        network, _ = random_network("depthwise", seed, config.guard_bits)
        try:
            commands = decode(plain_program(network, config).image)
        except WesnpuError:
            continue  # more than one layer, or too large to lie on chip whole
        for command in (one for one in commands if one.unit == Unit.COMPUTE):
            windows += command.fields["mode"] == Mode.WINDOW
            assert bank_conflicts(command, config) == [], f"depthwise seed {seed}"
    assert windows > 50


def test_window_rows_in_one_bank_are_reported() -> None:
    _, commands = sample("depthwise_same_odd", PRESETS["large"])
    fields = commands[first(commands, Unit.COMPUTE, mode=Mode.WINDOW)].fields
    assert fields["grid"] == 5 and fields["input_pitch"] % 16
    assert bank_conflicts(Command(Unit.COMPUTE, fields), PRESETS["large"]) == []
    conflict = Command(Unit.COMPUTE, fields | {"input_pitch": 16, "input_extent": 16 * 9})
    lines = bank_conflicts(conflict, PRESETS["large"])
    assert len(lines) == fields["output_rows"]
    assert re.match(r"output row 0: rows at offsets \[.*\] share a bank and cannot be read at once", lines[0])

"""Weakening any wait by one: the hazard checker objects exactly when two commands really race."""

import dataclasses

import numpy as np
import pytest

from compiler.config import PRESETS, EngineConfig
from compiler.encode import Command, decode, encode
from compiler.encoding import Unit
from compiler.hazards import hazards_of
from compiler.program import CompiledNetwork, compile_network
from golden.errors import WesnpuError
from sim.layers import random_network
from tests.compiler_networks import edge_network, mixed_network, random_config
from tests.compiler_races import NAMES, conflicting, races

KINDS = ("chain", "residual", "conv_shift", "depthwise", "stem")
COMMANDS_MAX = 250  # the other judge compares all pairs


def weakened(commands: list[Command], number: int, name: str, value: int) -> list[Command]:
    """The program with one wait replaced."""
    one = commands[number]
    return [*commands[:number], Command(one.unit, one.fields | {name: value}), *commands[number + 1 :]]


def reported(compiled: CompiledNetwork, commands: list[Command]) -> list[str]:
    program = b"".join(encode(command.unit, command.fields) for command in commands)
    return hazards_of(program, compiled.config, len(compiled.image), compiled.data_size)


def scarce(name: str, seed: int) -> EngineConfig:
    """A preset with so little memory that rings go round."""
    rng = np.random.default_rng(seed)
    sizes = {"scratchpad_words": (64, 1024), "weight_rows": (64, 256), "parameter_rows": (8, 32)}
    chosen = {field: int(low << rng.integers(0, (high // low).bit_length())) for field, (low, high) in sizes.items()}
    return dataclasses.replace(PRESETS[name], size_bits=16, **chosen)


def judged(compiled: CompiledNetwork, seed: int, mutants: int) -> tuple[int, int]:
    """(weakened waits that race, weakened waits that do not); asserts that checker and judge agree on each."""
    commands = decode(compiled.program)
    pairs = conflicting(commands, compiled.config)
    assert not races(commands, pairs) and not reported(compiled, commands)
    sites = [(number, name) for number, one in enumerate(commands) for name in NAMES if one.fields[name]]
    chosen = np.random.default_rng(seed).permutation(len(sites))[:mutants]
    verdicts = []
    for number, name in (sites[index] for index in chosen):
        mutant = weakened(commands, number, name, commands[number].fields[name] - 1)
        racing, lines = races(mutant, pairs), reported(compiled, mutant)
        assert bool(racing) == bool(lines), f"seed {seed}, command {number}, {name}: pairs {racing[:3]}, {lines[:3]}"
        if racing:
            assert lines[0].startswith(f"command {min(b for _, b in racing)} ("), (racing[:3], lines[0])
        verdicts.append(bool(racing))
    return sum(verdicts), len(verdicts) - sum(verdicts)


def judge_kind(name: str, kind: str, seed: int, mutants: int) -> tuple[int, int]:
    """`judged` for the first small enough network from this seed on."""
    for attempt in range(seed * 100, seed * 100 + 100):
        config = scarce(name, attempt)
        network, _ = random_network(kind, attempt, config.guard_bits)
        try:
            compiled = compile_network(network, config, keep_all=attempt % 2 == 0)
        except WesnpuError:
            continue
        if len(decode(compiled.program)) <= COMMANDS_MAX:
            return judged(compiled, attempt, mutants)
    raise AssertionError(f"no small network of kind {kind} from seed {seed} on")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRESETS)
def test_a_weakened_wait_is_reported_exactly_when_commands_race(name: str, kind: str) -> None:
    racing, _ = judge_kind(name, kind, 0, 12)
    assert racing > 0


def test_a_command_that_overwrites_its_own_operand_is_reported() -> None:
    network, _ = edge_network("residual_dense", 7)
    compiled = compile_network(network, PRESETS["medium"], fuse=False)
    commands = decode(compiled.program)
    residual = {"residual": 1, "hold_weights": 0}.items()
    number = max(n for n, one in enumerate(commands) if residual <= one.fields.items())
    for prefix in ("input_", "residual_"):
        fields = commands[number].fields
        own = {f"output_{name}": fields[prefix + name] for name in ("base", "block_stride")}
        mutant = [*commands[:number], Command(Unit.COMPUTE, fields | own), *commands[number + 1 :]]
        lines = reported(compiled, mutant)
        assert any("reads and writes scratchpad word" in line for line in lines), lines


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_weakened_waits(seed: int) -> None:
    racing, harmless = np.sum([judge_kind(name, kind, seed, 60) for name in PRESETS for kind in KINDS], axis=0)
    assert racing > 0.3 * (racing + harmless), (
        f"repeat: pytest 'tests/test_compiler_races.py::test_many_weakened_waits[{seed}]'"
    )


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_weakened_waits_on_random_engines(seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    while True:
        config = random_config(rng)
        try:
            compiled = compile_network(mixed_network(rng, config.guard_bits, int(rng.integers(1, 5)))[0], config)
        except WesnpuError:  # refusals have their own tests
            continue
        if len(decode(compiled.program)) <= COMMANDS_MAX:
            break
    assert sum(judged(compiled, seed, 40)) > 0

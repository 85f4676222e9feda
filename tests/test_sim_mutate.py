"""The mutation run: its mutants, its judgement, its command line."""

import pytest

from sim.mutate.__main__ import main
from sim.mutate.netlist import MOST, Mutant
from sim.mutate.run import Verdict, _read

COMMAND = (
    r"mutate -mode inv -module \wesnpu_engine_compute -cell $x$1 -port \D -portbit 3 -ctrlbit 1 "
    r"-wire \op_1 -wirebit 3 -src engine.v:1"
)


def test_a_mutant_is_told_by_its_place():
    assert Mutant(4, COMMAND).place == "inv wesnpu_engine_compute $x$1.D[3] (wire op_1[3])"
    assert not Mutant(4, COMMAND).is_static
    assert Mutant(4, COMMAND.replace(r"-port \D", r"-port \CLK")).is_static
    assert Mutant(4, COMMAND.replace(r"-wire \op_1", r"-wire \clk")).is_static
    assert Mutant(4, COMMAND.replace("-cell $x", "-cell $meminit$x")).is_static


def test_a_mutant_that_stops_the_simulator_is_the_one_begun_and_not_decided(tmp_path):
    results = tmp_path / "results.jsonl"
    assert _read(results) == ({}, None)
    results.write_text(
        '{"selector": 3, "begun": true}\n{"selector": 3, "killed_by": "chain 0", "failure": "x"}\n'
        '{"selector": 5, "begun": true}\n'
    )
    assert _read(results) == ({3: Verdict("chain 0", "x")}, 5)


@pytest.mark.parametrize(
    "arguments",
    [["--count", "0"], ["--count", str(MOST + 1)], ["--only", "201"], ["--seed", "-1"], ["--processes", "0"]],
)
def test_wrong_arguments_are_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("pixels", "seed"), [(1, 1), (2, 1), (2, 2)])
def test_simulation_tests_kill_the_mutants_of_the_compute_path(pixels, seed):
    assert main(["--count", "200", "--seed", str(seed), "--pixels", str(pixels)]) == 0

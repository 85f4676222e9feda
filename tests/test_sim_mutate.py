"""The mutation run: its mutants, its judgement, its command line."""

import itertools

import pytest

from sim.mutate.__main__ import main
from sim.mutate.netlist import MOST, Mutant
from sim.mutate.run import Verdict, _read
from sim.mutate.void import Netlist, is_void

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


NETLIST = r"""
module \m
  wire width 4 input 1 \x
  wire input 2 \a
  wire input 3 \b
  wire $y
  wire \c
  wire width 2 \pair
  wire output 4 \o
  cell $eq $eq$e.v:1$2
    parameter \A_SIGNED 0
    parameter \B_SIGNED 0
    connect \A \x
    connect \B 4'1110
    connect \Y $y
  end
  cell $reduce_or \any
    parameter \A_SIGNED 0
    connect \A { \a \b }
    connect \Y \c
  end
  cell $not \two
    connect \A { \c $y }
    connect \Y \pair
  end
  cell \part \part
    connect \i { 2'x \pair [1] 1'0 \x }
    connect \o \o
  end
end
module \part
  wire width 8 input 1 \i
  wire output 2 \o
  cell $reduce_and \all
    connect \A \i [5:3]
    connect \Y \o
  end
end
"""


def test_a_bit_that_an_unequal_control_bit_inverts_is_no_mutant():
    """x == 14 by brute force: a bit inverted where another one is 0 or 1."""
    cell = Netlist(NETLIST).cell("m", "$eq$e.v:1$2")
    for mode, control, bit in itertools.product(("cnot0", "cnot1"), range(4), range(4)):
        if control != bit:
            inverted = [x ^ ((x >> control & 1 == int(mode[-1])) << bit) for x in range(16)]
            same = all((x == 14) == (y == 14) for x, y in zip(range(16), inverted, strict=True))
            assert is_void(cell, mode, "A", control) == same, (mode, control, bit)
    assert not is_void(cell, "inv", "A", 0)


def test_a_bit_under_an_or_with_a_control_bit_of_1_is_no_mutant():
    cell = Netlist(NETLIST).cell("m", "any")
    assert is_void(cell, "cnot1", "A", 1) and not is_void(cell, "cnot0", "A", 1)


@pytest.mark.parametrize(
    ("cell", "mode", "port", "bit", "idle"),
    [
        ("part", "inv", "i", 0, True),  # part reads 3 to 5 of it
        ("part", "inv", "i", 3, False),
        ("part", "const0", "i", 4, True),  # it is 0
        ("part", "const1", "i", 4, False),
        ("part", "inv", "i", 7, True),  # x
        ("two", "inv", "Y", 0, True),  # only pair [1] is read
        ("two", "inv", "Y", 1, False),
        ("two", "inv", "A", 0, False),
        ("any", "inv", "Y", 0, False),
        ("$eq$e.v:1$2", "const1", "B", 3, True),
        ("$eq$e.v:1$2", "const1", "B", 0, False),
    ],
)
def test_a_bit_that_nothing_reads_or_that_is_constant_is_no_mutant(cell, mode, port, bit, idle):
    assert Netlist(NETLIST).is_idle("m", cell, mode, port, bit) == idle


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

"""Gates in front of an adder go into it, and nothing that is computed changes. See also test_netlist_cases.py."""

import json
import random
from itertools import combinations, product
from pathlib import Path

import pytest

from fpga.adder_gates import move_inside
from fpga.area import area
from fpga.device import device
from fpga.flat_module import FlatModule
from fpga.netlist import NETLIST, synthesize

BITS = 8
#: name -> (what is added to x, COMB that it takes besides the adder's own)
ADDENDS = {
    "a sum": ("y", 0),
    "gate": ("(y & {8{s}})", 0),
    "choice": ("(s ? y : z)", 0),
    "choice between a bit and its inverse": ("(y ^ {8{s}})", 0),
    "gate that something else reads": ("gated", BITS),
    "function of four": ("((y & z) | ({8{s}} ^ {8{t}}))", BITS),
}
SUM = 0x96AA  # of A and B where C is 0 and D is 1, of A and the inverse of B where C is 1 too


def _cell(kind: str, outputs: dict[str, int], **inputs: int | str) -> dict:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    connections = {port: [bit] for port, bit in (inputs | outputs).items()}
    return {"type": kind, "parameters": {}, "port_directions": directions, "connections": connections}


def _table(entries: int, bits: list, out: int) -> dict:
    cell = _cell("LUT4", {"Z": out}, **dict(zip("ABCD", bits, strict=True)))
    return cell | {"parameters": {"INIT": f"{entries:016b}"}}


def _adder(tables: tuple[int, int], bits: tuple[list, list]) -> dict:
    inputs = {f"{port}{half}": bit for half in (0, 1) for port, bit in zip("ABCD", bits[half], strict=True)}
    cell = _cell("CCU2C", {"S0": 100, "S1": 101, "COUT": 102}, CIN=99, **inputs)
    parameters = {f"INIT{half}": f"{tables[half]:016b}" for half in (0, 1)} | {"INJECT1_0": "NO", "INJECT1_1": "NO"}
    return cell | {"parameters": parameters}


def _value(cells: dict[str, dict], known: dict) -> tuple[bool, bool, bool]:
    """S0, S1 and COUT, as yosys' cells_sim.v has them."""
    bits = {"0": False, "1": True, **known}

    def entry(cell: dict, half: str = "") -> int:
        return sum(bits[cell["connections"][f"{port}{half}"][0]] << i for i, port in enumerate("ABCD"))

    for cell in cells.values():
        if cell["type"] == "LUT4":
            bits[cell["connections"]["Z"][0]] = bool(int(cell["parameters"]["INIT"], 2) >> entry(cell) & 1)
    adder, carry, sums = cells["adder"], bits[99], []
    for half in "01":
        table = int(adder["parameters"][f"INIT{half}"], 2)
        passes, own = (bool(table >> at & 1) for at in (entry(adder, half), entry(adder, half) & 3))
        sums.append(passes ^ carry)
        carry = carry if passes else own
    return *sums, carry


@pytest.mark.parametrize("seed", range(300))
def test_sum_and_carry_stay_what_they_were(seed: int) -> None:
    """Random functions of random inputs in front of both halves; usual adders, and any function in place of one."""
    rng = random.Random(seed)
    sources, cells, halves = list(range(1, 1 + rng.choice((2, 3, 5)))), {}, []
    for half in range(2):
        bits: list[int | str] = []
        for port in range(2):
            bits.append(rng.choice(sources))
            if rng.random() < 0.8:
                out = 10 + 2 * half + port
                constants = rng.randint(0, 3)
                read = [*(rng.choice(sources) for _ in range(4 - constants)), *rng.choices("01", k=constants)]
                cells[f"table_{out}"] = _table(rng.randrange(1 << 16), read, out)
                bits[-1] = out
        halves.append([*bits, *rng.choice((["0", "1"], ["1", "1"], [rng.choice(sources), "1"]))])
    tables = tuple(rng.choice((SUM, SUM, rng.randrange(1 << 16))) for _ in range(2))
    cells["adder"] = _adder(tables, tuple(halves))
    moved = move_inside(FlatModule({"cells": cells, "ports": {}}))
    again = f"pytest '{__file__}::test_sum_and_carry_stay_what_they_were[{seed}]'"
    for values in product((False, True), repeat=len(sources) + 1):
        known = dict(zip([*sources, 99], values, strict=True))
        assert _value(moved, known) == _value(cells, known), again


def test_most_gates_and_choices_of_two_addends_go_inside() -> None:
    """Of all pairs of functions of two bits, where they share none and where they share one."""
    for bits, least in (((1, 2, 3, 4), 30), ((1, 2, 2, 3), 100)):
        inside = 0
        for first, second in combinations(range(16), 2):
            cells = {
                "one": _table(first * 0x1111, [*bits[:2], "0", "0"], 10),
                "other": _table(second * 0x1111, [*bits[2:], "0", "0"], 11),
                "adder": _adder((SUM, SUM), ([10, 11, "0", "1"], ["0", "0", "0", "1"])),
            }
            inside += len(move_inside(FlatModule({"cells": cells, "ports": {}}))) == 1
        assert inside >= least, (bits, inside)


@pytest.mark.parametrize("name", ADDENDS)
def test_area_of_an_addend(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    addend, more = ADDENDS[name]
    ports = f"input [{BITS - 1}:0] x, y, z, input s, t, output [{BITS}:0] sum, output [{BITS - 1}:0] gated"
    gated = "y & {8{s}}" if addend == "gated" else "0"
    statements = f"assign gated = {gated}; assign sum = x + {addend};"
    netlist = synthesize(f"module adds({ports}); {statements} endmodule", "adds", device("85f"))
    cells = json.loads((netlist.folder / NETLIST).read_text())
    assert area(cells, "adds").comb == BITS + 2 + more

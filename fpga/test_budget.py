"""Blocks and engines stay as small as fpga/budget.toml says."""

import tomllib
from pathlib import Path

import pytest

from compiler.config import preset
from compiler.engines import engine
from fpga.area import Area
from fpga.blocks import BLOCKS, ENGINE, TOP, block, block_verilog, component_verilog
from fpga.device import device
from fpga.netlist import synthesize

BUDGET = tomllib.loads((Path(__file__).parent / "budget.toml").read_text())
TOLERANCE = 0.05


def check(verilog: str, told: dict[str, int]) -> None:
    """The area of this Verilog is what is told, within TOLERANCE."""
    found = synthesize(verilog, TOP, device("85f")).area
    assert told.keys() == {"comb", "ff", "dsp", "block_ram"}
    wrong = outside(found, told)
    assert not wrong, f"{', '.join(wrong)}: more needs a reason, less its new figure in fpga/budget.toml"


def outside(found: Area, told: dict[str, int]) -> list[str]:
    """What differs from the budget by more than TOLERANCE, and how."""
    cells = {
        "comb": found.comb + found.memory_comb, "ff": found.ff, "dsp": found.dsp, "block_ram": found.block_ram,
    }
    return [
        f"{name} {cells[name]:,} instead of {budget:,}"
        for name, budget in told.items()
        if abs(cells[name] - budget) > TOLERANCE * budget
    ]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_keeps_its_budget(name: str) -> None:
    check(component_verilog(block(name, preset("medium"))), BUDGET["blocks"][name])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BUDGET["engines"])
def test_an_engine_keeps_its_budget(name: str) -> None:
    check(block_verilog(ENGINE, engine(name))[0], BUDGET["engines"][name])


def test_every_budget_is_of_a_block() -> None:
    assert BUDGET["blocks"].keys() == BLOCKS.keys()


@pytest.mark.parametrize(("comb", "memory_comb", "ff", "wrong"), [
    (105, 0, 20, []), (55, 50, 20, []), (106, 0, 20, ["comb 106 instead of 100"]), (94, 0, 22, [
        "comb 94 instead of 100", "ff 22 instead of 20",
    ]),
])
def test_five_percent_are_the_most(comb: int, memory_comb: int, ff: int, wrong: list[str]) -> None:
    found = Area(comb=comb, memory_comb=memory_comb, dsp=0, block_ram=1, large_ram=0, ff=ff)
    assert outside(found, {"comb": 100, "ff": 20, "dsp": 0, "block_ram": 1}) == wrong

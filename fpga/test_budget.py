"""Blocks stay as small as fpga/budget.toml says."""

import tomllib
from pathlib import Path

import pytest

from compiler.config import preset
from fpga.blocks import BLOCKS, TOP, block, component_verilog
from fpga.device import device
from fpga.netlist import synthesize

_TOLD = tomllib.loads((Path(__file__).parent / "budget.toml").read_text())
BUDGET = {name: comb for name, comb in _TOLD.items() if name != "boards"}
TOLERANCE = 0.05


@pytest.mark.parametrize("name", BUDGET)
def test_a_block_keeps_its_budget(name: str) -> None:
    found = synthesize(component_verilog(block(name, preset("medium"))), TOP, device("85f")).area.comb
    assert found <= BUDGET[name] * (1 + TOLERANCE) + 1
    assert found >= BUDGET[name] * (1 - TOLERANCE) - 1, f"{name} has shrunk to {found}: lower its budget"


def test_every_budget_is_of_a_block() -> None:
    assert BUDGET and set(BUDGET) <= set(BLOCKS)

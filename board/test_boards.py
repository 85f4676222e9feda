"""What goes to the tools for every board: pins, clocks, dividers, the design; and how their refusals are told."""

import pytest

from board.bitstream import missing_cells
from board.boards import BOARDS, BoardTop, board_design
from board.pll import ecp5_dividers, ice40_dividers
from board.soc import TOP
from golden.errors import WesnpuError


@pytest.mark.parametrize("name", BOARDS)
def test_the_tools_get_the_design_its_pins_and_clocks(name, monkeypatch):
    monkeypatch.setattr("board.boards.soc_verilog", lambda board: f"module {TOP}(); endmodule")
    board = board_design(name)
    plan = board.platform().build(BoardTop(board), name="top", do_build=False)
    constraints = "".join(plan.files[file] for file in ("top.lpf", "top.pcf") if file in plan.files)
    assert all(pin in constraints for pin in ("uart_0__rx", "uart_0__tx"))
    mhz = {"ulx3s_85f": "50000000.0 HZ", "ecpix5_85f": "50000000.0 HZ", "icebreaker": "24.0"}[name]
    assert "pll_clock" in constraints and mhz in constraints
    design = plan.files["top.il"]
    assert f"cell \\{TOP} " in design and ("EHXPLLL" in design or "SB_PLL40_PAD" in design)
    assert plan.files[f"{TOP}.v"].startswith(f"module {TOP}")
    assert board.clock_hz % board.baud == 0


def test_another_board_is_refused():
    with pytest.raises(WesnpuError, match="BOARD is 'arty': must be one of ulx3s_85f"):
        board_design("arty")


@pytest.mark.parametrize("input_mhz, output_mhz", [(25, 50), (100, 50), (25, 75), (12, 48), (100, 125)])
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


def test_what_a_device_lacks_is_read_from_the_log():
    log = (
        "Info: Device utilisation:\nInfo: \t         ICESTORM_LC:  6123/ 5280   115%\n"
        "Info: \t        ICESTORM_RAM:    30/   30   100%\nInfo: \t               SB_IO:     6/   96     6%\n"
    )
    assert missing_cells(log) == ["ICESTORM_LC 6,123 of 5,280"]

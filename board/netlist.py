"""A board's FPGA in Verilator: the netlist that place and route gets for its bitstream, seen through its pins.

What a bitstream has, this has: pins, reset, clock cycles per bit. But the clock enters at the frequency that the PLL
makes, and no cell has a delay.
"""

import re
from pathlib import Path

from board.bitstream import NAME, plan_of
from board.boards import BoardDesign, board_design, family_of
from board.simulation import SimulatedLine
from fpga.cache import kept
from fpga.post_synthesis import with_cells
from fpga.tools import run_tool, tool_version
from fpga.wrong_tables import with_wrong_tables, wrong
from golden.errors import WesnpuError
from sim.build import Build, build_sources

#: board -> Verilog around its FPGA, with the members of board/soc.py
PINS = {"icebreaker": Path(__file__).resolve().parent / "icebreaker_pins.v"}
SCRIPT, DESIGN = f"{NAME}.ys", f"{NAME}.json"
SYNTHESIZED = (".il", ".v", ".ys", ".map")  # ends of the files of a plan that yosys reads
WRONG_TABLES, DRAW = 8, 1  # tables that can be made wrong, and the seed that chooses them
OPTIMIZE = "-O1"  # of the compiler
_PLACE = re.compile(r"^ *attribute \\src .*\n", re.M)


def synthesized(board: BoardDesign) -> str:
    """The JSON netlist that `make bitstream` places, cached by the files that yosys reads; WesnpuError when it fails.

    The places in Python that the files tell are left out, so that no netlist depends on a folder's name.
    """
    files = plan_of(board, board.platform()).files
    texts = {name: _PLACE.sub("", text) for name, text in sorted(files.items()) if name.endswith(SYNTHESIZED)}

    def make(folder: Path) -> None:
        for name, text in texts.items():
            (folder / name).write_text(text)
        run_tool("yosys", [SCRIPT], folder)

    parts = (f"{name}\0{text}" for name, text in texts.items())
    return (kept(make, *parts, tool_version("yosys")) / DESIGN).read_text()


def netlist_board(name: str, *, can_be_wrong: bool = False) -> Build:
    """The simulator of a board's netlist; WesnpuError lists the boards of which there is one.

    can_be_wrong: with WRONG_TABLES tables that hold the inverse when told so (fpga/wrong_tables.py).
    """
    if name not in PINS:
        raise WesnpuError(f"BOARD is {name!r}: must be one of {', '.join(PINS)}")
    board = board_design(name)
    family = family_of(board.platform())
    netlist = with_cells(synthesized(board), family)
    if can_be_wrong:
        netlist = with_wrong_tables(netlist, family, WRONG_TABLES, DRAW)
    return build_sources([netlist, PINS[name]], PINS[name].stem, optimize=OPTIMIZE)


def netlist_line(name: str, *, table: int = 0, seed: int = 1) -> SimulatedLine:
    """The serial port of that board, at its own clock and baud. table: the number of a table that is wrong."""
    board, build = board_design(name), netlist_board(name, can_be_wrong=table > 0)
    plusargs = (wrong(table),) if table else ()
    return SimulatedLine(build, divisor=board.divisor, clock_hz=board.clock_hz, seed=seed, plusargs=plusargs)

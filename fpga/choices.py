"""Synthesis of choices for ECP5: one of four in two look-up tables, one of eight in four.

yosys maps functions of up to seven inputs at once; a choice of one of four has six and of one of eight eleven, though a
slice makes them of tables of three inputs (fpga/cells/choices_map.v). So they are covered before look-up tables are.
"""

from pathlib import Path

MAP = "choices.map"
#: The file that the commands name, not to be read with the design's.
FILES = {MAP: (Path(__file__).resolve().parent / "cells" / "choices_map.v").read_text()}
#: What a choice of two, of four and of eight costs beside the others: hundredths of a look-up table.
COSTS = "-mux4=220 -mux8=440"
#: ps of a path's cells and wires above which mapping takes more look-up tables to shorten it: 80 MHz.
DELAY = 12_500
#: yosys, all of the synthesis of module {top}.
SCRIPT = (
    f"scratchpad -set abc9.D {DELAY}; "
    "synth_ecp5 -top {top} -run begin:map_ram; pmux2shiftx; synth_ecp5 -run map_ram:map_luts; "
    f"muxcover -nopartial {COSTS}; techmap -map {MAP}; opt_clean; synth_ecp5 -run map_luts:"
)

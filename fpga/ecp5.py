"""Synthesis for ECP5, with what yosys' own script does not do.

Choices: a slice makes one of four values of two look-up tables and one of eight of four (fpga/cells/choices_map.v), but
they have six and eleven inputs, and yosys maps functions of up to seven at once: they are covered before.
"""

from pathlib import Path

MAP = "choices_map.v"
#: The file that the commands name, not to be read with the design's.
FILES = {MAP: (Path(__file__).resolve().parent / "cells" / MAP).read_text()}
#: What a choice of four and of eight costs where one of two costs 100.
COSTS = "-mux4=220 -mux8=440"
#: ps of a path's cells and wires above which mapping takes more look-up tables to shorten it: 80 MHz.
DELAY = 12_500
#: yosys, all of the synthesis of module {top}.
SCRIPT = (
    f"scratchpad -set abc9.D {DELAY}; "
    "synth_ecp5 -top {top} -run begin:map_ram; pmux2shiftx; synth_ecp5 -run map_ram:map_luts; "
    f"muxcover -nopartial {COSTS}; techmap -map {MAP}; opt_clean; synth_ecp5 -run map_luts:"
)

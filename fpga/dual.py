"""Synthesis of rtl/dual.py for iCE40 UltraPlus: one SB_MAC16 for two products."""

from pathlib import Path

CELLS = Path(__file__).resolve().parent / "cells"
CELL, MAP = "dual8.cell", "dual8.map"
#: The files that the commands name, none of them to be read with the design's.
FILES = {CELL: (CELLS / "dual8.v").read_text(), MAP: (CELLS / "dual8_map.v").read_text()}
#: yosys, before synthesis: every module of the kind becomes a black box (a component `products_..` of rtl/array.py).
BEFORE = f"read_verilog {CELL}; chtype -set DUAL8 t:*.products_*"
#: and after it.
AFTER = f"techmap -map {MAP}"

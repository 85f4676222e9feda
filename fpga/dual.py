"""Synthesis of rtl/dual.py for iCE40 UltraPlus: one SB_MAC16 for two products."""

from pathlib import Path

from rtl.dual import MODULE

MAP = "dual8.map"
#: The file that the commands name, not to be read with the design's.
FILES = {MAP: (Path(__file__).resolve().parent / "cells" / "dual8_map.v").read_text()}
#: yosys, before synthesis: a black box until logic is mapped; it would make a 16 x 16 multiplier of an SB_MAC16.
BEFORE = f"blackbox {MODULE}"
#: and after it.
AFTER = f"techmap -map {MAP}"

"""The blockage in a netlist: the cells that boards have, put in and taken out again."""

import re

import pytest

from fpga.blockage import SECOND_ROWS, THIRD_ROWS, blockage_verilog, with_blockage, without_blockage


@pytest.mark.parametrize("rows, count", [(SECOND_ROWS, 32_544), (THIRD_ROWS, 19_888)])
def test_a_netlist_with_the_blockage(rows: list[int], count: int) -> None:
    design = {"creator": "yosys", "modules": {"top": {"cells": {"one": {"type": "LUT4"}}}, "other": {"cells": {}}}}
    blocked = with_blockage(design, "top", rows)
    cells = blocked["modules"]["top"]["cells"]
    added = [cell for name, cell in cells.items() if name != "one"]
    places = [cell["attributes"]["BEL"] for cell in added]
    assert places == re.findall(r'BEL = "(\S+)"', blockage_verilog(rows))
    assert len(places) == len(set(places)) == count
    assert all(cell["type"] == "LUT4" and int(cell["attributes"]["keep"], 2) for cell in added)
    assert design["modules"]["top"]["cells"] == {"one": {"type": "LUT4"}}
    assert without_blockage(blocked, "top") == {"modules": {"top": design["modules"]["top"]}}
    assert blocked["modules"]["other"] == design["modules"]["other"] and blocked["creator"] == "yosys"

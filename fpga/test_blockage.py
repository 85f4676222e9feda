"""The blockage in a netlist: the cells that boards have, put in and taken out again."""

import re

from fpga.blockage import blockage_verilog, with_blockage, without_blockage


def test_a_netlist_with_the_blockage() -> None:
    design = {"creator": "yosys", "modules": {"top": {"cells": {"one": {"type": "LUT4"}}}, "other": {"cells": {}}}}
    blocked = with_blockage(design, "top")
    cells = blocked["modules"]["top"]["cells"]
    added = [cell for name, cell in cells.items() if name != "one"]
    places = [cell["attributes"]["BEL"] for cell in added]
    assert places == re.findall(r'BEL = "(\S+)"', blockage_verilog()) and len(places) == len(set(places)) == 19_888
    assert all(cell["type"] == "LUT4" and int(cell["attributes"]["keep"], 2) for cell in added)
    assert design["modules"]["top"]["cells"] == {"one": {"type": "LUT4"}}
    assert without_blockage(blocked, "top") == {"modules": {"top": design["modules"]["top"]}}
    assert blocked["modules"]["other"] == design["modules"]["other"] and blocked["creator"] == "yosys"

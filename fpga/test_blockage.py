"""The blockage: which places, and in a netlist the cells that boards have, put in and taken out again."""

import re

from fpga.blockage import ALL, blockage_verilog, with_blockage, without_blockage


def test_blocked_are_whole_rows_of_slices_between_those_of_block_rams_and_multipliers() -> None:
    places = re.findall(r'BEL = "X(\d+)/Y(\d+)/SLICE([A-D]).K([01])" \*\) LUT4', blockage_verilog())
    rows = {int(place[1]) for place in places}
    assert len(places) == len(set(places)) == len(rows) * 113 * 8
    assert not rows & {10, 22, 34, 46, 58, 70, 82}
    assert all(row + 1 not in rows for row in rows)


def test_a_netlist_with_the_blockage() -> None:
    design = {"creator": "yosys", "modules": {"top": {"cells": {"one": {"type": "LUT4"}}}, "other": {"cells": {}}}}
    blocked = with_blockage(design, "top")
    cells = blocked["modules"]["top"]["cells"]
    added = [cell for name, cell in cells.items() if name != "one"]
    places = [cell["attributes"]["BEL"] for cell in added]
    assert places == re.findall(r'BEL = "(\S+)"', blockage_verilog())
    assert len(places) == len(set(places)) == 32_544
    assert all(cell["type"] == "LUT4" and int(cell["attributes"]["keep"], 2) for cell in added)
    assert design["modules"]["top"]["cells"] == {"one": {"type": "LUT4"}}
    assert without_blockage(blocked, "top") == {"modules": {"top": design["modules"]["top"]}}
    everywhere = with_blockage(design, "top", ALL)["modules"]["top"]["cells"].values()
    assert {cell["attributes"]["BEL"] for cell in everywhere if "attributes" in cell} > set(places)
    assert len(everywhere) == 1 + 32_544 // 113 * 123
    assert blocked["modules"]["other"] == design["modules"]["other"] and blocked["creator"] == "yosys"


def test_a_netlist_without_what_is_blocked() -> None:
    cells = {"blockage.blocked_0": {"type": "LUT4"}, "design.blockage": {"type": "LUT4"}}
    design = without_blockage({"modules": {"top": {"cells": cells}}}, "top")
    assert list(design["modules"]["top"]["cells"]) == ["design.blockage"]

"""The blockage: which places, and in a netlist the cells that boards have, put in and taken out again."""

import re

import pytest

from fpga.blockage import SECOND_ROWS, THIRD_ROWS, blockage_verilog, with_blockage, without_blockage


@pytest.mark.parametrize("free, distance", [(SECOND_ROWS, 2), (THIRD_ROWS, 3)])
def test_blocked_are_whole_rows_of_slices_between_those_of_block_rams_and_multipliers(
    free: list[int], distance: int
) -> None:
    places = re.findall(r'BEL = "X(\d+)/Y(\d+)/SLICE([A-D]).K([01])" \*\) LUT4', blockage_verilog(free))
    rows = {int(place[1]) for place in places}
    assert len(places) == len(set(places)) == len(rows) * 113 * 8
    assert not rows & {10, 22, 34, 46, 58, 70, 82}
    assert all(not rows & set(range(row + 1, row + distance)) for row in rows)


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


def test_a_netlist_without_what_is_blocked() -> None:
    cells = {"blockage.blocked_0": {"type": "LUT4"}, "design.blockage": {"type": "LUT4"}}
    design = without_blockage({"modules": {"top": {"cells": cells}}}, "top")
    assert list(design["modules"]["top"]["cells"]) == ["design.blockage"]

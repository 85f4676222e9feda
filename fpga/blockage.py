"""Placement blockage: tiles of an LFE5U-85F that stay without logic, so that the wires around them are free.

nextpnr's placer `static` fills tiles to 70 % and has no option for less. A look-up table without connections, fixed in
every place of a row of tiles, keeps that row free. Every second row is: a carry chain lies in one row.
"""

from itertools import product

BLOCKAGE = "blockage"
#: Rows of tiles, without those of block RAMs and multipliers (10, 22, ..), which hold no look-up tables. 51,000 places
#: are left.
ROWS = [row for row in range(8, 93, 2) if row % 12 != 10]
#: Columns of the device but the last ten, which the placer fills then; a design that has no room for that needs ALL.
COLUMNS, ALL = range(2, 115), range(2, 125)
PLACES = [f"SLICE{part}.K{half}" for part, half in product("ABCD", (0, 1))]


def blockage_verilog() -> str:
    """Module `blockage`, without ports, of fixed LUT4 named blocked_N in all of ROWS."""
    cells = (
        f'  (* keep, BEL = "{bel}" *) LUT4 #(.INIT(16\'h0)) blocked_{number} ();'
        for number, bel in enumerate(_bels())
    )
    return "\n".join([f"module {BLOCKAGE}();", *cells, "endmodule", ""])


def _bels(columns: range = COLUMNS) -> list[str]:
    return [f"X{column}/Y{row}/{place}" for row, column, place in product(ROWS, columns, PLACES)]


def with_blockage(netlist: dict, top: str, columns: range = COLUMNS) -> dict:
    """The yosys netlist with such cells, in these columns, in its module `top`."""
    module = netlist["modules"][top]
    lut = {"hide_name": 0, "type": "LUT4", "parameters": {"INIT": "0" * 16}, "port_directions": {}, "connections": {}}
    blocked = {
        f"{BLOCKAGE}.blocked_{number}": lut | {"attributes": {"BEL": bel, "keep": f"{1:032b}"}}
        for number, bel in enumerate(_bels(columns))
    }
    return netlist | {"modules": netlist["modules"] | {top: module | {"cells": module["cells"] | blocked}}}


def without_blockage(netlist: dict, top: str) -> dict:
    """The yosys netlist without the blockage's cells."""
    cells = netlist["modules"][top]["cells"]
    kept = {name: cell for name, cell in cells.items() if not name.startswith(f"{BLOCKAGE}.")}
    return {"modules": {top: {"cells": kept}}}

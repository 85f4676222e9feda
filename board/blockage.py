"""Placement blockage: tiles of an LFE5U-85F that stay without logic, so that the wires around them are free.

nextpnr's placer `static` fills tiles to 70 % and has no option for less. A look-up table without connections, fixed in
every place of a row of tiles, keeps that row free. Every third row is: a carry chain lies in one row, and block RAMs
and multipliers, whose rows hold no look-up tables, keep neighbours.
"""

from itertools import product

BLOCKAGE = "blockage"
ROWS = [row for row in range(7, 93, 3) if row % 12 != 10]
COLUMNS = range(2, 115)
PLACES = [f"SLICE{part}.K{half}" for part, half in product("ABCD", (0, 1))]


def blockage_verilog() -> str:
    """Module `blockage`, without ports, of fixed LUT4 named blocked_N."""
    places = product(ROWS, COLUMNS, PLACES)
    cells = (
        f'  (* keep, BEL = "X{column}/Y{row}/{place}" *) LUT4 #(.INIT(16\'h0)) blocked_{number} ();'
        for number, (row, column, place) in enumerate(places)
    )
    return "\n".join([f"module {BLOCKAGE}();", *cells, "endmodule", ""])


def without_blockage(netlist: dict, top: str) -> dict:
    """The yosys netlist without the blockage's cells."""
    cells = netlist["modules"][top]["cells"]
    kept = {name: cell for name, cell in cells.items() if not name.startswith(f"{BLOCKAGE}.")}
    return {"modules": {top: {"cells": kept}}}

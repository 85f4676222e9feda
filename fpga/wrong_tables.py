"""Planted bugs in a netlist: look-up tables that hold the inverse of what they should, one at a time."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from fpga.cache import kept
from golden.errors import WesnpuError

ARGUMENT = "wrong_table"
FILE = "wrong_tables.v"


@dataclass(frozen=True)
class Table:
    """The cell of a family that is a look-up table of four inputs, and the names of its members."""

    cell: str
    contents: str
    inputs: tuple[str, ...]
    output: str


TABLES = {
    "ice40": Table("SB_LUT4", "LUT_INIT", ("I0", "I1", "I2", "I3"), "O"),
    "ecp5": Table("LUT4", "INIT", ("A", "B", "C", "D"), "Z"),
}


def with_wrong_tables(netlist: Path, family: str, count: int, seed: int) -> Path:
    """The netlist, a file of fpga/post_synthesis.py, with `count` tables, drawn from `seed`, that can be made wrong.

    A simulator that is started with `wrong(number)`, number in 1..count, inverts all 16 entries of that one, else none.
    WesnpuError when the netlist has fewer tables.
    """
    table, text = TABLES[family], netlist.read_text()
    cell = re.compile(rf"^  {table.cell} #\(\n    \.{table.contents}\(16'h[0-9a-f]{{4}}\)", re.M)
    places = [found.span() for found in cell.finditer(text)]
    if len(places) < count:
        raise WesnpuError(f"{netlist} has {len(places)} tables: {count} of them cannot be wrong")
    numbered = dict(zip(sorted(random.Random(seed).sample(places, count)), range(1, count + 1), strict=True))
    for (start, end), number in reversed(numbered.items()):
        planted = text[start:end].replace(f"{table.cell} ", f"WRONG_{table.cell} ") + f",\n    .NUMBER({number})"
        text = text[:start] + planted + text[end:]
    text += _module(table)

    def make(folder: Path) -> None:
        (folder / FILE).write_text(text)

    return kept(make, text) / FILE


def wrong(number: int) -> str:
    """The argument of a simulator that inverts that table."""
    return f"+{ARGUMENT}={number}"


def _module(table: Table) -> str:
    """The table with an inverter behind it."""
    inputs = ", ".join(table.inputs)
    wired = ", ".join(f".{name}({name})" for name in table.inputs)
    return f"""
module WRONG_{table.cell} #(parameter [15:0] {table.contents} = 0, parameter NUMBER = 0) (
    input {inputs}, output {table.output}
);
    integer number;
    initial if (!$value$plusargs("{ARGUMENT}=%d", number)) number = 0;
    wire right;
    {table.cell} #(.{table.contents}({table.contents})) table_of_four ({wired}, .{table.output}(right));
    assign {table.output} = right ^ (number == NUMBER);
endmodule
"""

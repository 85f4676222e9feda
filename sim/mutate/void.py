"""Mutations that are none: the mutated cell alone computes the same as before, whatever its inputs are.

yosys' `cnot0` and `cnot1` invert one bit of a port where another bit of it, the control bit, is 0 or 1. Where that
value of the control bit decides the result by itself, the inverted bit does not matter.
"""

import re
from dataclasses import dataclass, field

DECIDES = {"$reduce_or": "1", "$reduce_bool": "1", "$reduce_and": "0"}  # the value of one bit that decides the result
CONSTANT = re.compile(r"\d+'([01]+)")


@dataclass(frozen=True)
class Cell:
    """A cell of a netlist: its type, and what its ports and parameters are set to, as RTLIL writes it."""

    kind: str
    set_to: dict[str, str] = field(default_factory=dict)


def read_cells(rtlil: str) -> dict[tuple[str, str], Cell]:
    r"""The cells of a netlist in RTLIL by (module, cell), names without a leading `\`."""
    cells: dict[tuple[str, str], Cell] = {}
    module, cell = "", Cell("")
    for line in rtlil.splitlines():
        word, *rest = line.split(maxsplit=2)[:3] or [""]
        if word == "module":
            module = rest[0].removeprefix("\\")
        elif word == "cell":
            cell = cells[module, rest[1].removeprefix("\\")] = Cell(rest[0])
        elif word in ("connect", "parameter") and len(rest) == 2:
            cell.set_to[rest[0].removeprefix("\\")] = rest[1]
    return cells


def is_void(cell: Cell, mode: str, port: str, control: int) -> bool:
    """Whether inverting a bit of `port` where bit `control` of it is 0 (mode cnot0) or 1 (cnot1) changes no result."""
    if mode not in ("cnot0", "cnot1") or port not in ("A", "B"):
        return False
    value = mode[-1]
    if cell.kind in DECIDES:
        return DECIDES[cell.kind] == value
    constant = CONSTANT.fullmatch(cell.set_to.get("B" if port == "A" else "A", ""))
    if cell.kind not in ("$eq", "$ne") or constant is None or "1" in (cell.set_to["A_SIGNED"], cell.set_to["B_SIGNED"]):
        return False
    bits = constant[1][::-1]
    return (bits[control] if control < len(bits) else "0") != value  # already unequal, and stays so

"""Mutations that are none, by the netlist alone.

Either nothing reads the mutated bit, or it is set to the constant that it has, or its cell computes the same as before,
whatever the inputs are: yosys' `cnot0` and `cnot1` invert one bit of a port where another bit of it, the control bit,
is 0 or 1, and where that value of the control bit decides the result by itself, the inverted bit does not matter.
"""

import re
from dataclasses import dataclass, field

DECIDES = {"$reduce_or": "1", "$reduce_bool": "1", "$reduce_and": "0"}  # the value of one bit that decides the result
CONSTANT = re.compile(r"\d+'([01]+)")
OUTPUTS = {"Y", "Q"}  # of yosys' own cells, and DATA of a read port
READ_PORTS = ("$memrd", "$memrd_v2")
SLICE = re.compile(r"\[(\d+)(?::(\d+))?\]")

Bit = str | tuple[str, int]  # a constant, or a bit of a wire


@dataclass(frozen=True)
class Cell:
    """A cell of a netlist: its type, and what its ports and parameters are set to, as RTLIL writes it."""

    kind: str
    set_to: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NetModule:
    """A module of a netlist, names without a leading `\\`.

    widths: of its wires; inputs, outputs: names of ports; cells by name; joined: what `connect` lines read.
    """

    widths: dict[str, int] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    cells: dict[str, Cell] = field(default_factory=dict)
    joined: list[str] = field(default_factory=list)

    def bits(self, text: str) -> list[Bit]:
        """The bits of an expression in RTLIL, lowest first."""
        words = [word for word in text.split() if word not in "{}"]
        found: list[Bit] = []
        for place, word in reversed(list(enumerate(words))):
            if SLICE.fullmatch(word):
                continue
            if re.match(r"\d+'", word):
                width, digits = word.split("'")
                found += reversed(digits.rjust(int(width), digits[0]))  # 57'x: all are x
                continue
            name = word.removeprefix("\\")
            cut = SLICE.fullmatch(words[place + 1]) if place + 1 < len(words) else None
            high, low = (int(cut[1]), int(cut[2] or cut[1])) if cut else (self.widths[name] - 1, 0)
            found += [(name, bit) for bit in range(low, high + 1)]
        return found


def read_modules(rtlil: str) -> dict[str, NetModule]:
    """The modules of a netlist in RTLIL by name."""
    modules: dict[str, NetModule] = {}
    module, cell = NetModule(), None
    for line in rtlil.splitlines():
        word, *rest = line.split(maxsplit=2)[:3] or [""]
        if word == "module":
            module = modules[rest[0].removeprefix("\\")] = NetModule()
        elif word == "wire":
            _add_wire(module, line.split())
        elif word == "cell":
            cell = module.cells[rest[1].removeprefix("\\")] = Cell(rest[0].removeprefix("\\"))
        elif word == "end":
            cell = None
        elif word in ("connect", "parameter") and len(rest) == 2:
            if cell is not None:
                cell.set_to[rest[0].removeprefix("\\")] = rest[1]
            else:
                module.joined.append(line.split(maxsplit=1)[1])
    return modules


def _add_wire(module: NetModule, words: list[str]) -> None:
    name = words[-1].removeprefix("\\")
    module.widths[name] = int(words[words.index("width") + 1]) if "width" in words else 1
    if "input" in words:
        module.inputs.add(name)
    if "output" in words:
        module.outputs.add(name)


class Netlist:
    """Which bits of every module are read."""

    def __init__(self, rtlil: str):
        self.modules = read_modules(rtlil)
        self._known: dict[str, set[Bit]] = {}

    def cell(self, module: str, name: str) -> Cell | None:
        """The cell, None when there is none of this name."""
        return self.modules[module].cells.get(name) if module in self.modules else None

    def _drives(self, cell: Cell, port: str) -> bool:
        if cell.kind in self.modules:
            return port in self.modules[cell.kind].outputs
        return port in OUTPUTS or (port == "DATA" and cell.kind in READ_PORTS)

    def _read(self, name: str) -> set[Bit]:
        """The bits of wires that module `name` reads; what goes to a module in it counts when that reads it."""
        if name not in self._known:
            module = self.modules[name]
            read: set[Bit] = {(port, bit) for port in module.outputs for bit in range(module.widths[port])}
            for cell in module.cells.values():
                for port, text in cell.set_to.items():
                    if _is_signal(text) and not self._drives(cell, port):
                        read.update(self._taken(cell, port, module.bits(text)))
            for text in module.joined:  # both sides, for which one is driven is not told
                read.update(module.bits(text))
            self._known[name] = read
        return self._known[name]

    def _taken(self, cell: Cell, port: str, bits: list[Bit]) -> list[Bit]:
        """Those of `bits`, at an input of the cell, that it reads: all, unless it is a module."""
        if cell.kind not in self.modules:
            return bits
        return [bit for place, bit in enumerate(bits) if (port, place) in self._read(cell.kind)]

    def is_idle(self, module: str, name: str, mode: str, port: str, bit: int) -> bool:
        """Whether nothing reads this bit of a cell's port (x says so too), or the mode is the constant that it has."""
        cell = self.modules[module].cells[name]
        here = self.modules[module].bits(cell.set_to[port])[bit]
        if here == "x" or mode == f"const{here}":
            return True
        if self._drives(cell, port):
            return here not in self._read(module)
        return cell.kind in self.modules and (port, bit) not in self._read(cell.kind)


def _is_signal(text: str) -> bool:
    """Whether a cell is set to a signal here, not to a parameter's number or string."""
    return text[0] in "{\\$" or "'" in text


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

"""Registers beside an ECP5's multiplier move into it: one behind each operand, one behind the product.

yosys infers MULT18X18D without its registers. A register moves when it is plain (always enabled, never reset) and
nothing but operands that move too reads it: what the netlist computes, cycle by cycle, stays the same.
"""

from collections import defaultdict
from collections.abc import Iterator

MULTIPLIER, REGISTER = "MULT18X18D", "TRELLIS_FF"
WIDTHS = {"A": 18, "B": 18, "P": 36}
CLOCKED = {"A": "REG_INPUTA_CLK", "B": "REG_INPUTB_CLK", "P": "REG_OUTPUT_CLK"}
Operand = tuple[str, str]  # name of a multiplier's cell, "A" or "B"


def with_registers_inside(netlist: dict, top: str) -> dict:
    """The JSON netlist that yosys writes for ECP5 with registers moved into the multipliers of module `top`."""
    module = netlist["modules"][top]
    cells = dict(module["cells"])
    _move_before(cells, _Wires(module))
    _move_behind(cells, _Wires(module | {"cells": cells}))
    return netlist | {"modules": netlist["modules"] | {top: module | {"cells": cells}}}


class _Wires:
    """What drives and reads the bits of a flat module.

    registers: plain registers by the bit that they drive; readers: (cell, port) by bit, ("", "") for a port of the
    module; multipliers: names.
    """

    def __init__(self, module: dict):
        self.cells = module["cells"]
        self.readers: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits if cell["port_directions"][port] == "input" else ():
                    self.readers[bit].append((name, port))
        for port in module["ports"].values():
            for bit in port["bits"]:
                self.readers[bit].append(("", ""))
        self.registers = {
            cell["connections"]["Q"][0]: name
            for name, cell in self.cells.items()
            if cell["type"] == REGISTER and _is_plain(cell)
        }
        self.multipliers = [name for name, cell in self.cells.items() if cell["type"] == MULTIPLIER]

    def bits(self, multiplier: str, group: str) -> Iterator[tuple[str, int]]:
        """(port, bit) of an operand or of the product, constants left out."""
        ports = self.cells[multiplier]["connections"]
        for name in (f"{group}{i}" for i in range(WIDTHS[group])):
            bit = ports.get(name, ["0"])[0]
            if isinstance(bit, int):
                yield name, bit

    def clock(self, bit: int) -> int:
        """The clock of the register that drives a bit."""
        return self.cells[self.registers[bit]]["connections"]["CLK"][0]


def _is_plain(cell: dict) -> bool:
    parameters, ports = cell["parameters"], cell["connections"]
    enabled = parameters.get("CEMUX", "1").strip() == "1" or ports.get("CE") == ["1"]
    never_reset = ports.get("LSR", ["0"]) == ["0"] and parameters.get("LSRMUX", "LSR") == "LSR"
    return enabled and never_reset and parameters.get("CLKMUX", "CLK") == "CLK"


def _moving(wires: _Wires) -> set[Operand]:
    """Operands that come whole from registers of one clock which only such operands read."""
    bits = {(name, group): [bit for _, bit in wires.bits(name, group)] for name in wires.multipliers for group in "AB"}
    moving = {
        operand for operand, its in bits.items()
        if its and all(bit in wires.registers for bit in its) and len({wires.clock(bit) for bit in its}) == 1
    }
    while kept_outside := {
        operand for operand in moving
        if any((name, port[:1]) not in moving for bit in bits[operand] for name, port in wires.readers[bit])
    }:
        moving -= kept_outside
    return moving


def _move_before(cells: dict, wires: _Wires) -> None:
    """Registers of operands: each operand that reads one gets its own, so the one outside goes."""
    for name, group in sorted(_moving(wires)):
        changed, clock = {}, 0
        for port, bit in wires.bits(name, group):
            register = wires.registers[bit]
            clock = wires.clock(bit)
            changed[port] = wires.cells[register]["connections"]["DI"]
            cells.pop(register, None)
        cells[name] = _clocked(cells[name], group, changed, clock)


def _move_behind(cells: dict, wires: _Wires) -> None:
    """Registers of products: those of all bits that are read, none of which has another reader."""
    by_data = {wires.cells[name]["connections"]["DI"][0]: (bit, name) for bit, name in wires.registers.items()}
    for name in wires.multipliers:
        read = {port: bit for port, bit in wires.bits(name, "P") if wires.readers[bit]}
        if not read or any(len(wires.readers[bit]) > 1 or bit not in by_data for bit in read.values()):
            continue
        clocks = {wires.clock(by_data[bit][0]) for bit in read.values()}
        if len(clocks) == 1:
            changed = {port: [by_data[bit][0]] for port, bit in read.items()}
            for bit in read.values():
                del cells[by_data[bit][1]]
            cells[name] = _clocked(cells[name], "P", changed, clocks.pop())


def _clocked(cell: dict, group: str, changed: dict, clock: int) -> dict:
    """The multiplier with a register in `group` and other bits at the ports `changed`."""
    always = {"CLK0": [clock], "CE0": ["1"], "RST0": ["0"]}
    return cell | {
        "parameters": cell["parameters"] | {CLOCKED[group]: "CLK0", "GSR": "DISABLED"},
        "port_directions": cell["port_directions"] | dict.fromkeys(always, "input"),
        "connections": cell["connections"] | changed | always,
    }

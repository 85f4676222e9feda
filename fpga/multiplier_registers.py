"""Registers beside an ECP5's multiplier move into it: one behind each operand, one behind the product.

yosys infers MULT18X18D without its registers. A register moves when it is always enabled and never reset, and nothing
but operands that move too reads it: what the netlist computes, cycle by cycle, stays the same.
"""

from collections.abc import Iterator

from fpga.flat_module import FlatModule

MULTIPLIER = "MULT18X18D"
WIDTHS = {"A": 18, "B": 18, "P": 36}
CLOCKED = {"A": "REG_INPUTA_CLK", "B": "REG_INPUTB_CLK", "P": "REG_OUTPUT_CLK"}
Operand = tuple[str, str]  # name of a multiplier's cell, "A" or "B"


def move_before(module: FlatModule) -> dict[str, dict]:
    """The cells with the registers of operands inside: each operand that reads one gets its own."""
    cells = dict(module.cells)
    for name, group in sorted(_moving(module)):
        changed, clock = {}, 0
        for port, bit in _bits(module, name, group):
            register = module.registers[bit]
            clock = module.clock(register)
            changed[port] = module.cells[register]["connections"]["DI"]
            cells.pop(register, None)
        cells[name] = _clocked(cells[name], group, changed, clock)
    return cells


def move_behind(module: FlatModule) -> dict[str, dict]:
    """The cells with the registers of products inside: those of all bits that are read, which nothing else reads."""
    cells = dict(module.cells)
    for name in module.named(MULTIPLIER):
        read = {port: bit for port, bit in _bits(module, name, "P") if module.readers[bit]}
        registers = {port: register for port, bit in read.items() if (register := module.register_behind(bit))}
        clocks = {module.clock(register) for register in registers.values()}
        always = all(module.enable(register) == "1" for register in registers.values())
        if len(registers) == len(read) and always and len(clocks) == 1:
            changed = {port: module.cells[register]["connections"]["Q"] for port, register in registers.items()}
            for register in registers.values():
                del cells[register]
            cells[name] = _clocked(cells[name], "P", changed, clocks.pop())
    return cells


def _bits(module: FlatModule, multiplier: str, group: str) -> Iterator[tuple[str, int]]:
    """(port, bit) of an operand or of the product, constants left out."""
    ports = module.cells[multiplier]["connections"]
    for name in (f"{group}{i}" for i in range(WIDTHS[group])):
        bit = ports.get(name, ["0"])[0]
        if isinstance(bit, int):
            yield name, bit


def _moving(module: FlatModule) -> set[Operand]:
    """Operands that come whole from registers of one clock, always enabled, which only such operands read."""
    bits = {(name, group): [bit for _, bit in _bits(module, name, group)] for name in module.named(MULTIPLIER)
            for group in "AB"}
    moving = {operand for operand, its in bits.items() if its and _is_one_register(module, its)}
    while kept_outside := {
        operand for operand in moving
        if any((name, port[:1]) not in moving for bit in bits[operand] for name, port in module.readers[bit])
    }:
        moving -= kept_outside
    return moving


def _is_one_register(module: FlatModule, bits: list[int]) -> bool:
    registers = [module.registers[bit] for bit in bits if bit in module.registers]
    always = all(module.enable(register) == "1" for register in registers)
    return always and len(registers) == len(bits) and len(set(map(module.clock, registers))) == 1


def _clocked(cell: dict, group: str, changed: dict, clock: int) -> dict:
    """The multiplier with a register in `group` and other bits at the ports `changed`."""
    always = {"CLK0": [clock], "CE0": ["1"], "RST0": ["0"]}
    return cell | {
        "parameters": cell["parameters"] | {CLOCKED[group]: "CLK0", "GSR": "DISABLED"},
        "port_directions": cell["port_directions"] | dict.fromkeys(always, "input"),
        "connections": cell["connections"] | changed | always,
    }

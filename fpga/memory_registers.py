"""The register behind an ECP5's block RAM moves into it, where data come 1 ns after the clock instead of 5.8 ns.

yosys infers DP16KD without its output register (REGMODE, FPGA-TN-02204). A register moves when it is never reset and
alone reads its bit, and with all others behind that port has one clock and one enable: what the netlist computes, cycle
by cycle, stays the same.
"""

from fpga.flat_module import FlatModule

MEMORY = "DP16KD"
WIDEST = 36  # bits of a port that has the outputs of both


def move_behind(module: FlatModule) -> dict[str, dict]:
    """The cells with the registers of outputs inside."""
    cells = dict(module.cells)
    for name in module.named(MEMORY):
        for sides in ("AB",) if _is_wide(cells[name]) else ("A", "B"):
            registers = _registers(module, name, sides)
            if registers:
                enable = module.enable(next(iter(registers.values())))
                changed = {port: module.cells[register]["connections"]["Q"] for port, register in registers.items()}
                cells[name] = _registered(cells[name], sides, changed, enable)
                for register in registers.values():
                    del cells[register]
    return cells


def _is_wide(cell: dict) -> bool:
    return WIDEST in {int(cell["parameters"][f"DATA_WIDTH_{side}"], 2) for side in "AB"}


def _registers(module: FlatModule, memory: str, sides: str) -> dict[str, str]:
    """Registers by output of these sides of a memory, if all outputs that are read have one that can move."""
    ports = module.cells[memory]["connections"]
    outputs = {
        port: bits[0] for port, bits in ports.items()
        if port[:2] == "DO" and port[2] in sides and module.readers[bits[0]]
    }
    registers = {port: register for port, bit in outputs.items() if (register := module.register_behind(bit))}
    if len(registers) < len(outputs):
        return {}
    clocks = {module.clock(register) for register in registers.values()} | {ports[f"CLK{side}"][0] for side in sides}
    enables = {module.enable(register) for register in registers.values()}
    never_reset = all(ports.get(f"RST{side}", ["0"]) == ["0"] for side in sides)
    return registers if len(clocks) == 1 and len(enables) == 1 and None not in enables and never_reset else {}


def _registered(cell: dict, sides: str, changed: dict, enable) -> dict:
    """The memory with output registers at these sides and other bits at the ports `changed`."""
    return cell | {
        "parameters": cell["parameters"] | {f"REGMODE_{side}": "OUTREG" for side in sides},
        "port_directions": cell["port_directions"] | {f"OCE{side}": "input" for side in sides},
        "connections": cell["connections"] | changed | {f"OCE{side}": [enable] for side in sides},
    }

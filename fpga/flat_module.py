"""A flat module of ECP5 cells, as yosys writes it in JSON: what drives and what reads each bit."""

from collections import defaultdict

REGISTER = "TRELLIS_FF"
Reader = tuple[str, str]  # (cell, port); ("", "") is a port of the module


class FlatModule:
    """The wires of one module; bits are yosys' numbers, or "0" and "1".

    cells: by name; readers: of each bit; registers: by the bit that they drive, those that are never reset, start at 0
    and take their input at a rising edge.
    """

    def __init__(self, module: dict):
        self.cells: dict[str, dict] = module["cells"]
        self.readers: dict[int, list[Reader]] = defaultdict(list)
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
            if cell["type"] == REGISTER and _is_simple(cell)
        }
        self._by_input = {self.cells[name]["connections"]["DI"][0]: name for name in self.registers.values()}

    def named(self, kind: str) -> list[str]:
        """Names of the cells of a type."""
        return [name for name, cell in self.cells.items() if cell["type"] == kind]

    def register_behind(self, bit: int) -> str | None:
        """The one of `registers` that reads a bit, if nothing else does."""
        return self._by_input.get(bit) if len(self.readers[bit]) == 1 else None

    def clock(self, register: str) -> int:
        """The clock of a register."""
        return self.cells[register]["connections"]["CLK"][0]

    def enable(self, register: str) -> int | str | None:
        """What enables a register: a bit, "1" for always, None where the inverse of a bit does."""
        mux = self.cells[register]["parameters"].get("CEMUX", "1").strip()
        return {"1": "1", "CE": self.cells[register]["connections"].get("CE", ["1"])[0]}.get(mux)


def _is_simple(cell: dict) -> bool:
    parameters, ports = cell["parameters"], cell["connections"]
    never_reset = ports.get("LSR", ["0"]) == ["0"] and parameters.get("LSRMUX", "LSR") == "LSR"
    from_zero = parameters.get("REGSET", "RESET") == "RESET"
    return never_reset and from_zero and parameters.get("CLKMUX", "CLK") == "CLK"

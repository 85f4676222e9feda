"""python -m compiler.document_registers writes docs/registers.md and docs/wesnpu_registers.h from the table."""

from pathlib import Path

from compiler.documents import DOCS, bit_range, write_documents
from compiler.registers import ADDRESS_BITS, REGISTERS, Register

INTRODUCTION = f"""# Registers

<!-- made by `python -m compiler.document_registers` from compiler/registers.py: change it there -->

AXI4-Lite, 32-bit data, {ADDRESS_BITS}-bit byte addresses; the two low address bits are ignored. Bits outside the
fields read 0 and ignore writes. A write changes only the bytes whose strobe is set; its response comes afterwards.

`SLVERR` answers an address without a register (reads give 0), a write to a read-only register, and a write to a
*locked* register while the engine is busy; none of them changes anything.
"""


def _section(register: Register) -> str:
    access = register.access.value + (", locked" if register.locked else "")
    origin = "fixed when the engine is generated" if register.offset < 0x20 else f"after reset {register.reset:#x}"
    lines = [f"## {register.offset:#05x} {register.name}", "", f"{register.doc} ({access}; {origin})"]
    lines += ["", "| bits | field | meaning |", "|---|---|---|"]
    lines += [f"| {bit_range(field.low, field.width)} | {field.name} | {field.doc} |" for field in register.fields]
    for field in register.fields:
        if field.values:
            lines += ["", f"| {field.name} | meaning |", "|---|---|"]
            lines += [f"| {code} | {meaning} |" for code, meaning in field.values.items()]
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The whole of docs/registers.md."""
    return INTRODUCTION + "\n" + "\n".join(_section(register) for register in REGISTERS)


def header() -> str:
    """The whole of docs/wesnpu_registers.h."""
    lines = [
        "/* made by python -m compiler.document_registers from compiler/registers.py: change it there */",
        "#ifndef WESNPU_REGISTERS_H",
        "#define WESNPU_REGISTERS_H",
    ]
    for register in REGISTERS:
        name = f"WESNPU_{register.name}"
        lines += ["", f"/* {register.doc} ({register.access.value}) */", f"#define {name} {register.offset:#05x}u"]
        for field in register.fields:
            if field.width < 32:
                prefix = f"{name}_{field.name.upper()}"
                lines += [f"#define {prefix}_SHIFT {field.low}u", f"#define {prefix}_MASK {field.mask:#010x}u"]
    return "\n".join([*lines, "", "#endif", ""])


def documents() -> dict[Path, str]:
    """File -> what it must hold."""
    return {DOCS / "registers.md": markdown(), DOCS / "wesnpu_registers.h": header()}


if __name__ == "__main__":
    write_documents(documents())

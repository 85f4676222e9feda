"""python -m compiler.document writes docs/commands.md and docs/wesnpu_commands.h from the encoding table."""

from pathlib import Path

from compiler.document_example import compute_example, parameter_example
from compiler.documents import DOCS, bit_range, write_documents
from compiler.encoding import FIELDS, HEADER, Field, Mode, Unit, length_units

INTRODUCTION = """# Commands

<!-- made by `python -m compiler.document` from compiler/encoding.py: change it there -->

A program is a sequence of commands in the image region, ended by END. Every command is a whole number of 16-byte units
of little-endian 32-bit words. Bits outside the fields are 0. [engine.md](engine.md) says what the commands mean.
"""


def _table(fields: tuple[Field, ...]) -> list[str]:
    ordered = sorted(fields, key=lambda field: (field.word, field.low))
    lines = ["", "| word | bits | field | range | meaning |", "|---|---|---|---|---|"]
    for field in ordered:
        low, high = field.range
        bits = bit_range(field.low, field.width)
        lines.append(f"| {field.word} | {bits} | {field.name} | {low}..{high} | {field.doc} |")
    return lines


def _section(unit: Unit) -> list[str]:
    own = tuple(field for field in FIELDS[unit] if field not in HEADER)
    size = length_units(unit) * 16
    lines = ["", f"## {unit.name}", "", f"unit = {unit:d}, {size} bytes."]
    return lines + (_table(own) if own else [])


def markdown() -> str:
    """The whole of docs/commands.md."""
    lines = [INTRODUCTION, "## Header", "", "The same in every command.", *_table(HEADER)]
    for unit in Unit:
        lines += _section(unit)
    lines += ["", "## Modes of COMPUTE", "", "| mode | name |", "|---|---|"]
    lines += [f"| {mode:d} | {mode.name} |" for mode in Mode]
    lines += compute_example() + parameter_example()
    return "\n".join(lines) + "\n"


def _macros(prefix: str, fields: tuple[Field, ...]) -> list[str]:
    lines = []
    for field in fields:
        name, mask = f"{prefix}_{field.name.upper()}", (1 << field.width) - 1 << field.low
        lines.append(f"#define {name}_WORD {field.word}u")
        lines += [f"#define {name}_SHIFT {field.low}u", f"#define {name}_MASK {mask:#010x}u"]
    return lines


def header() -> str:
    """The whole of docs/wesnpu_commands.h: number, length and fields of every command."""
    lines = [
        "/* made by python -m compiler.document from compiler/encoding.py: change it there */",
        "#ifndef WESNPU_COMMANDS_H",
        "#define WESNPU_COMMANDS_H",
        "",
        "/* every command: 32-bit word, shift and mask of a field */",
        *_macros("WESNPU_COMMAND", HEADER),
    ]
    for unit in Unit:
        prefix = f"WESNPU_{unit.name}"
        lines += ["", f"#define {prefix} {unit:d}u", f"#define {prefix}_BYTES {length_units(unit) * 16}u"]
        lines += _macros(prefix, tuple(field for field in FIELDS[unit] if field not in HEADER))
    lines += ["", *(f"#define WESNPU_MODE_{mode.name} {mode:d}u" for mode in Mode)]
    return "\n".join([*lines, "", "#endif", ""])


def documents() -> dict[Path, str]:
    """File -> what it must hold."""
    return {DOCS / "commands.md": markdown(), DOCS / "wesnpu_commands.h": header()}


if __name__ == "__main__":
    write_documents(documents())

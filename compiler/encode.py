"""Commands to bytes and back, from the one table in compiler/encoding.py."""

from dataclasses import dataclass

import numpy as np

from compiler.encoding import FIELDS, Unit, length_units

UNIT_BYTES = 16


@dataclass(frozen=True)
class Command:
    """One command: its unit and all its fields by name."""

    unit: Unit
    fields: dict[str, int]


def encode(unit: Unit, fields: dict[str, int]) -> bytes:
    """The bytes of one command; fields not given are 0. ValueError names a field that is unknown or out of range.

    A field `unit` goes before the unit itself: a test may make a command that no unit executes.
    """
    words = [0] * (4 * length_units(unit))
    values = {"unit": int(unit), **fields}
    for field in FIELDS[unit]:
        value = int(values.pop(field.name, 0))
        low, high = field.range
        if not low <= value <= high:
            raise ValueError(f"{unit.name} field {field.name} = {value} must be in {low}..{high}")
        words[field.word] |= (value & ((1 << field.width) - 1)) << field.low
    if values:
        raise ValueError(f"{unit.name} has no field {', '.join(sorted(values))}")
    return np.array(words, dtype="<u4").tobytes()


def decode(program: bytes) -> list[Command]:
    """The commands of a program up to and including END; ValueError on an unknown unit, half a command or no END."""
    commands: list[Command] = []
    position = 0
    while position + UNIT_BYTES <= len(program):
        number = program[position] & 15
        if number not in Unit.__members__.values():
            raise ValueError(f"command {len(commands)} at byte {position}: unit {number} must be in 0..{max(Unit)}")
        unit = Unit(number)
        size = length_units(unit) * UNIT_BYTES
        if position + size > len(program):
            raise ValueError(f"command {len(commands)} at byte {position}: {unit.name} is cut off")
        commands.append(_decode_one(unit, program[position : position + size]))
        position += size
        if unit == Unit.END:
            return commands
    raise ValueError(f"the program of {len(commands)} commands has no END")


def _decode_one(unit: Unit, data: bytes) -> Command:
    words = np.frombuffer(data, dtype="<u4")
    fields = {}
    for field in FIELDS[unit]:
        value = int(words[field.word]) >> field.low & ((1 << field.width) - 1)
        if field.signed and value >> (field.width - 1):
            value -= 1 << field.width
        fields[field.name] = value
    del fields["unit"]
    return Command(unit, fields)


def listing(program: bytes) -> str:
    """A readable listing: number, unit, every field that is not 0."""
    lines = []
    for number, command in enumerate(decode(program)):
        shown = " ".join(f"{name}={value}" for name, value in command.fields.items() if value)
        lines.append(f"{number:5d} {command.unit.name:8s} {shown}".rstrip())
    return "\n".join(lines) + "\n"

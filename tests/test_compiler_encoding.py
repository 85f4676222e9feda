"""Commands to bytes and back, the listing, and the documents made from the table."""

import re

import numpy as np
import pytest

from compiler.document import documents, markdown
from compiler.document_example import BIASES, SHIFTS
from compiler.encode import Command, decode, encode, listing
from compiler.encoding import FIELDS, Field, Unit, length_units

END = encode(Unit.END, {})


def random_fields(unit: Unit, rng: np.random.Generator) -> dict[str, int]:
    """Every field of the command, smallest and largest values preferred."""
    fields = {}
    for field in FIELDS[unit]:
        low, high = field.range
        if field.name != "unit":
            fields[field.name] = int([low, high, 0, rng.integers(low, high + 1)][rng.integers(4)])
    return fields


def test_every_command_comes_back() -> None:
    rng = np.random.default_rng(0)
    commands = [Command(unit, random_fields(unit, rng)) for unit in (*Unit,) * 50 if unit != Unit.END]
    program = b"".join(encode(command.unit, command.fields) for command in commands)
    decoded = decode(program + END)
    assert decoded[:-1] == commands and decoded[-1].unit == Unit.END and len(commands) == 200


def test_bytes_of_a_command_by_hand() -> None:
    data = encode(Unit.WEIGHTS, {"wait_compute": 0x1234, "address": 0x89ABCDE0, "row": 7, "parameters": 1, "length": 3})
    words = [0x11, 0, 0x1234, 0x89ABCDE0, 7, 3, 0, 0]
    assert data == b"".join(word.to_bytes(4, "little") for word in words)
    negative = encode(Unit.COMPUTE, {"first_row": -1, "first_column": -2})
    assert negative[28:32] == bytes([0xFF, 0xFF, 0xFE, 0xFF])


def test_fields_neither_overlap_nor_leave_their_word() -> None:
    for unit, fields in FIELDS.items():
        used: dict[int, int] = {}
        for field in fields:
            mask = (1 << field.width) - 1 << field.low
            assert mask < 1 << 32 and not used.get(field.word, 0) & mask, (unit, field)
            used[field.word] = used.get(field.word, 0) | mask
        assert len({field.name for field in fields}) == len(fields)


@pytest.mark.parametrize("unit", Unit)
def test_values_out_of_range_are_named(unit: Unit) -> None:
    for field in FIELDS[unit]:
        low, high = field.range
        for value in (low - 1, high + 1):
            if field.name != "unit":
                message = f"{unit.name} field {field.name} = {value} must be in {low}..{high}"
                with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                    encode(unit, {field.name: value})


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ValueError, match="STORE has no field unpack"):
        encode(Unit.STORE, {"unpack": 1})


def test_damaged_programs_are_refused() -> None:
    with pytest.raises(ValueError, match="command 1 at byte 48: unit 9 must be in 0..4"):
        decode(encode(Unit.LOAD, {}) + bytes([9]) + bytes(15))
    with pytest.raises(ValueError, match="the program of 1 commands has no END"):
        decode(encode(Unit.LOAD, {}))
    for cut in range(16, length_units(Unit.COMPUTE) * 16):
        with pytest.raises(ValueError, match="command 0 at byte 0: COMPUTE is cut off|has no END"):
            decode(encode(Unit.COMPUTE, {})[:cut])


def test_listing_shows_every_field_that_is_not_0() -> None:
    text = listing(encode(Unit.LOAD, {"wait_store": 2, "rows": 5, "unpack": 1}) + END)
    first, second = text.splitlines()
    assert first.split() == ["0", "LOAD", "wait_store=2", "rows=5", "unpack=1"]
    assert second.split() == ["1", "END"]


def test_documents_are_up_to_date() -> None:
    for path, text in documents().items():
        assert path.read_text() == text, f"{path.name}: run python -m compiler.document"


def test_documents_hold_every_field() -> None:
    header, markdown = (text for _, text in sorted(documents().items(), key=lambda item: item[0].suffix))

    def check(unit: Unit, field: Field) -> None:
        prefix = "COMMAND" if field.name == "unit" or field.name.startswith("wait_") else unit.name
        name = f"WESNPU_{prefix}_{field.name.upper()}"
        mask = (1 << field.width) - 1 << field.low
        for line in (f"{name}_WORD {field.word}u", f"{name}_SHIFT {field.low}u", f"{name}_MASK {mask:#010x}u"):
            assert f"#define {line}\n" in header
        assert f"| {field.name} |" in markdown and f"{field.doc} |" in markdown

    for unit, fields in FIELDS.items():
        assert f"#define WESNPU_{unit.name}_BYTES {length_units(unit) * 16}u\n" in header
        for field in fields:
            check(unit, field)


def test_examples_in_the_documents_are_real() -> None:
    """The documented hexadecimal words decode to the documented fields; the parameter row is unpacked by hand."""
    text = markdown()
    rows = re.findall(r"^\| (\d+) \| ([0-9a-f]{8}) \| (.*) \|$", text, re.MULTILINE)
    data = b"".join(int(word, 16).to_bytes(4, "little") for _, word, _ in rows)
    fields = decode(data + END)[0].fields
    shown = dict(pair.rsplit(" ", 1) for _, _, cell in rows for pair in cell.split(", ") if pair)
    assert int(shown.pop("unit")) == Unit.COMPUTE and len(rows) == 20
    assert {name: int(value) for name, value in shown.items()} == {n: v for n, v in fields.items() if v}
    row = bytes.fromhex("".join(re.findall(r"^\| (?:0|16|32) \| ((?:[0-9a-f]{8} ?){4}) \|$", text, re.MULTILINE)))
    assert [int.from_bytes(row[i : i + 4], "little", signed=True) for i in range(0, 32, 4)] == list(BIASES)
    assert [row[32 + lane // 2] >> 4 * (lane % 2) & 15 for lane in range(8)] == list(SHIFTS)
    assert len(row) == 48 and not any(row[36:])

"""The case `errors` breaks every field that can be wrong, and bursts of every command."""

import pytest

from compiler.config import PRESETS, preset
from compiler.encode import Command, decode
from compiler.encoding import FIELDS, Mode, Unit, is_size
from compiler.legal import illegal_fields
from sim.copies import copies
from sim.illegal import illegal_commands
from sim.layers import random_network
from sim.plain_program import plain_program

TRANSFER = {"address", "external_block_stride", "rows", "width", "blocks"}
REFUSED = {  # every field of which an engine refuses values
    Unit.LOAD: TRANSFER,
    Unit.STORE: TRANSFER,
    Unit.WEIGHTS: {"address", "length"},
    Unit.COMPUTE: {
        "stride_y", "stride_x", "first_group", "grid", "passes", "vectors", "input_height", "input_width",
        "kernel_height", "kernel_width", "output_rows", "output_width", "groups", "residual_multiplier", "multiplier",
        "exponent", "low", "high", "continues", "partial", "mode",
    },
}
CHAIN = ("continues", "partial")


def commands(config: str) -> list[Command]:
    """A small program of every unit."""
    network, _ = random_network("depthwise", 1, preset(config).guard_bits)
    return decode(plain_program(network, preset(config)).image)


@pytest.mark.parametrize("config", sorted(PRESETS))
@pytest.mark.parametrize("unit", REFUSED)
def test_every_field_with_illegal_values_is_broken(unit, config):
    command = next(one for one in commands(config) if one.unit == unit)
    broken = list(illegal_commands(command, preset(config)))
    always_legal = {"first_group"} if preset(config).lanes == 2 else set()  # 3 bits, 8 groups
    no_window = {"grid", "passes"} if preset(config).window_kernel == 1 else set()  # the mode is refused before
    sizes = {field.name for field in FIELDS[unit] if is_size(field) and preset(config).size_bits < 16}
    assert {field for field, _ in broken} == REFUSED[unit] - always_legal - no_window | sizes
    for field, wrong in broken:
        rules = {"low" if field == "high" else field, *CHAIN}
        assert any(line.split(" = ")[0] in rules for line in illegal_fields(wrong, preset(config)))


def test_illegal_commands_come_in_every_mode_and_misaligned_by_every_bit():
    found = {unit: next(one for one in commands("small") if one.unit == unit) for unit in (Unit.LOAD, Unit.COMPUTE)}
    load = [wrong.fields["address"] for field, wrong in illegal_commands(found[Unit.LOAD], preset("small"))
            if field == "address"]
    assert {1, 2, 4, 8} <= set(load)
    compute = [(field, wrong.fields) for field, wrong in illegal_commands(found[Unit.COMPUTE], preset("small"))]
    for field in ("stride_x", "groups", "multiplier", "exponent", "residual_multiplier", "input_height"):
        assert {fields["mode"] for name, fields in compute if name == field} == set(Mode)
    assert any(fields["mode"] == Mode.GATHER and fields["grid"] == 5 for name, fields in compute if name == "grid")
    for flag in CHAIN:
        steps = [fields for name, fields in compute if name == flag and fields["groups"] == fields["output_rows"] == 1]
        assert {fields["mode"] for fields in steps if fields["output_width"] == 1} == {Mode.WINDOW, Mode.GATHER}


def test_bus_errors_meet_every_command():
    made = copies(preset("small"), 1)
    numbers = range(len(made.commands))
    assert {number for number, _ in made.reads()} == set(numbers)
    stores = {number for number, (unit, _) in enumerate(made.commands) if unit == Unit.STORE}
    assert {number for number, _ in made.writes()} == stores and len(stores) > 1
    assert len({address for _, address in made.reads()}) > 3 * len(numbers)

"""The machine looks at every field: a changed or swapped one gives other results, or none."""

import dataclasses

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.encode import Command, decode, encode
from compiler.encoding import FIELDS, Field, Mode, Unit
from compiler.footprint import slot_offsets
from compiler.program import CompiledNetwork, compile_network
from golden.network import Network
from sim.expected import Expected, expected_of
from sim.layers import Builder, Shape
from tests.compiler_check import differences, run_program

ONE = (1, 1)
WAITS = {field.name for field in FIELDS[Unit.END]}
NOT_READ = {  # by a mode; kernel_* of windows tell the hazard checker which weights are 0
    Mode.DENSE: {"grid", "passes"},
    Mode.SEQUENTIAL: {"grid", "passes", "vectors"},
    Mode.WINDOW: {"vectors", "kernel_height", "kernel_width"},
    Mode.GATHER: {"vectors", "kernel_height", "kernel_width", "input_block_stride"},
}
RINGS = {"extent", "input_extent", "output_extent", "residual_extent"}  # looked at where a ring goes round


def sample_network() -> tuple[Network, np.ndarray]:
    """One layer per mode, residuals, several channel blocks and, in a small scratchpad, several tiles."""
    rng = np.random.default_rng(3)
    builder = Builder(rng, 7, 3, 12, 13)
    wide = {"clamp": (-120, 118)}
    first = builder.add(Shape(kernel=(3, 3), stride=(2, 2), same=True, channels=40, **wide))  # GATHER
    builder.add(Shape(kernel=(1, 3), stride=ONE, same=True, channels=40, **wide), residual=first)  # DENSE
    builder.add(Shape(depthwise=True, kernel=(3, 3), stride=ONE, same=True, **wide), residual=first)  # WINDOW
    builder.add(Shape(depthwise=True, kernel=(1, 7), stride=ONE, same=True, **wide), residual=first)  # SEQUENTIAL
    return builder.network("fields"), rng.integers(-128, 128, (3, 12, 13)).astype(np.int8)


Sample = tuple[CompiledNetwork, list[Command], np.ndarray, Expected]


@pytest.fixture(scope="module")
def sample() -> Sample:
    network, image = sample_network()
    compiled = compile_network(network, PRESETS["small"], keep_all=True, fuse=False, tile_rows=6)
    return compiled, decode(compiled.program), image, expected_of(network, image)


def number_of(commands: list[Command], unit: Unit, mode: Mode | None = None) -> int:
    """The last command of the unit (and mode) in the program that is not for empty lane groups."""
    live = {"mode": mode, "hold_weights": 0}.items() if unit == Unit.COMPUTE else ()
    return max(n for n, one in enumerate(commands) if one.unit == unit and set(live) <= one.fields.items())


def found(sample: Sample, number: int, **fields: int) -> bool:
    """Whether the program with these fields of one command leaves another result or none."""
    compiled, commands, image, expected = sample
    try:
        changed = encode(commands[number].unit, commands[number].fields | fields)
        one = decode(changed + encode(Unit.END, {}))[0]
        data = run_program(compiled, [*commands[:number], one, *commands[number + 1 :]], image, 1, shuffled=False)
    except ValueError:
        return True
    return bool(differences(compiled, data, expected))


def changes(field: Field, value: int) -> list[int]:
    """The value one more and one less, as far as the field can hold them; of addresses also 16 more and less."""
    steps = (1, -1, 16, -16) if "address" in field.name or "stride" in field.name else (1, -1)
    return [value + step for step in steps if field.range[0] <= value + step <= field.range[1]]


def test_the_sample_holds_every_mode_and_is_right(sample: Sample) -> None:
    commands = sample[1]
    assert {one.fields["mode"] for one in commands if one.unit == Unit.COMPUTE} == set(Mode)
    assert not found(sample, 0)


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("low", "high"),
        ("input_zero_point", "output_zero_point"),
        ("input_base", "output_base"),
        ("first_row", "first_column"),
        ("weight_row", "parameter_row"),
        ("output_rows", "output_width"),
        ("output_pitch", "output_extent"),
        ("input_pitch", "input_extent"),
        ("exponent", "output_zero_point"),
    ],
)
def test_swapped_fields_are_found(sample: Sample, mode: Mode, one: str, other: str) -> None:
    number = number_of(sample[1], Unit.COMPUTE, mode)
    fields = sample[1][number].fields
    same = {(Mode.WINDOW, "first_row")}  # equal here: nothing to swap
    assert (fields[one] == fields[other]) == ((mode, one) in same)
    assert found(sample, number, **{one: fields[other], other: fields[one]}) == (fields[one] != fields[other])


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
def test_every_field_of_compute_that_is_one_off_is_found(sample: Sample, mode: Mode) -> None:
    number = number_of(sample[1], Unit.COMPUTE, mode)
    fields = sample[1][number].fields
    not_read = NOT_READ[mode] | RINGS | WAITS | {"layer"}
    if fields["groups"] <= 16 // PRESETS["small"].lanes:
        not_read |= {"output_block_stride"}  # one block: as at the start of the program
    if not fields["residual"]:
        not_read |= {name for name in fields if name.startswith("residual")}
    weight = sample[0].network.layers[fields["layer"]].weight
    if (weight == weight.flat[0]).all():  # drawn so for one mode: its rows are all the same
        assert mode == Mode.DENSE
        not_read |= {"hold_weights"}
    for field in FIELDS[Unit.COMPUTE]:
        if field.name not in not_read:
            seen = [found(sample, number, **{field.name: value}) for value in changes(field, fields[field.name])]
            assert any(seen), field.name


@pytest.mark.parametrize("unit", [Unit.LOAD, Unit.WEIGHTS, Unit.STORE], ids=lambda unit: unit.name)
def test_every_field_of_a_transfer_that_is_one_off_is_found(sample: Sample, unit: Unit) -> None:
    number = number_of(sample[1], unit)
    fields = sample[1][number].fields
    not_read = RINGS | WAITS | ({"block_stride"} if fields.get("blocks") == 1 else set())
    for field in FIELDS[unit]:
        if field.name not in not_read:
            seen = [found(sample, number, **{field.name: value}) for value in changes(field, fields[field.name])]
            assert any(seen), field.name


@pytest.mark.parametrize(("name", "count"), [("extent", "rows"), ("input_extent", "kernel_height")])
def test_where_a_ring_ends_is_found(name: str, count: str) -> None:
    network, image = sample_network()
    config = dataclasses.replace(PRESETS["small"], scratchpad_words=256)
    compiled = compile_network(network, config, keep_all=True)
    sample = compiled, decode(compiled.program), image, expected_of(network, image)
    prefix = name.removesuffix("extent")
    round_trips = [
        number
        for number, one in enumerate(sample[1])
        if name in one.fields
        and one.fields[f"{prefix}row_offset"] + one.fields[count] * one.fields[f"{prefix}pitch"] > one.fields[name]
    ]
    assert round_trips
    for number in round_trips[:4]:
        assert found(sample, number, **{name: sample[1][number].fields[name] + 1})


@pytest.mark.parametrize(
    ("offset", "pitch", "extent", "expected"),
    [
        (0, 7, 21, [0, 7, 14, 0, 7]),
        (14, 7, 21, [14, 0, 7, 14, 0]),
        (0, 5, 5, [0, 0, 0, 0, 0]),
        (0, 7, 0, [0, 7, 14, 21, 28]),
        (49152, 16384, 0, [49152, 0, 16384, 32768, 49152]),
        (0, 0, 0, [0, 0, 0, 0, 0]),
    ],
)
def test_row_offsets_go_round(offset: int, pitch: int, extent: int, expected: list[int]) -> None:
    assert slot_offsets(offset, pitch, extent, 5).tolist() == expected

"""Layers that do not fit whole: tiles of rows and columns, sums made in pieces; every tensor equals golden's."""

import dataclasses

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.encode import Command, decode, encode
from compiler.encoding import Mode, Unit
from compiler.hazards import hazards_of
from compiler.layout import blocks_of
from compiler.legal import illegal_fields
from compiler.program import CompiledNetwork, compile_network
from compiler.slots import Slots
from golden.network import Network
from sim.layers import Builder, Shape
from sim.split import many_weights, split_programs
from tests.compiler_check import check_compiled
from tests.compiler_networks import NONE, ONE

NANO, MICRO, SMALL = PRESETS["nano"], PRESETS["micro"], PRESETS["small"]
SMALLEST = {"nano", "micro"}
# name -> (size of the input, layer, presets where its sums are made in pieces, presets where its tiles are columns)
LAYERS = {
    "pooling_56": ((24, 56, 56), {"depthwise": True, "kernel": (56, 56), "equal_weights": True}, SMALLEST, set()),
    "pooling_112": (
        (5, 112, 112), {"depthwise": True, "kernel": (112, 112), "equal_weights": True}, SMALLEST | {"small", "medium"},
        set(),
    ),
    "depthwise_112": ((3, 112, 112), {"depthwise": True, "kernel": (112, 112)}, set(PRESETS), set()),
    "pooling_of_a_row": (
        (3, 1, 32767), {"depthwise": True, "kernel": (1, 32767), "equal_weights": True}, set(PRESETS), set(),
    ),
    "dense_512": (
        (512, 4, 5), {"kernel": (3, 3), "padding": (1, 1, 1, 1), "channels": 20}, SMALLEST | {"small"}, {"nano"},
    ),
    "pointwise_4500": ((4500, 1, 2), {"kernel": ONE, "channels": 9}, SMALLEST | {"small"}, {"nano"}),
    "pointwise_40000": ((40000, 1, 1), {"kernel": ONE, "channels": 3}, set(PRESETS), set()),
    "vgg_classifier": ((512, 7, 7), {"kernel": (7, 7), "channels": 10}, set(PRESETS), set()),
    "audio": (
        (1, 1, 16000), {"kernel": (1, 9), "channels": 8, "stride": (1, 2), "padding": (0, 4, 0, 4)}, set(),
        set(PRESETS),
    ),
    "as_wide_as_int16_allows": (
        (3, 3, 32767), {"kernel": (3, 3), "channels": 8, "padding": (1, 1, 1, 1)}, set(), set(PRESETS),
    ),
    "wide_depthwise": (
        (40, 4, 3000), {"depthwise": True, "kernel": (3, 3), "stride": (2, 2), "same": True}, set(),
        SMALLEST | {"small", "medium"},
    ),
}


def network_of(size: tuple[int, int, int], guard_bits: int, shape: dict) -> tuple[Network, np.ndarray]:
    rng = np.random.default_rng(size)
    builder = Builder(rng, guard_bits, *size)
    builder.add(Shape(**{"stride": ONE, "padding": None if shape.get("same") else NONE} | shape))
    return builder.network("split"), rng.integers(-128, 128, size).astype(np.int8)


def computes(compiled: CompiledNetwork) -> list[dict[str, int]]:
    return [one.fields for one in decode(compiled.program) if one.unit == Unit.COMPUTE]


def tiled_by_columns(compiled: CompiledNetwork) -> bool:
    """Whether a command makes a tile that begins at a column other than 0, and not one step of a chain."""
    writing = [fields for fields in computes(compiled) if not fields["partial"]]
    pairs = zip(writing, compiled.traced, strict=True)
    return any(traced.first_column and not fields["continues"] for fields, traced in pairs)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("layer", LAYERS)
def test_layer(layer: str, name: str) -> None:
    size, shape, chained, tiled = LAYERS[layer]
    network, image = network_of(size, PRESETS[name].guard_bits, shape)
    compiled = compile_network(network, PRESETS[name])
    assert any(fields["partial"] for fields in computes(compiled)) == (name in chained)
    assert tiled_by_columns(compiled) == (name in tiled)
    assert check_compiled(compiled, image, seed=1) > 0


@pytest.mark.parametrize("name", PRESETS)
def test_random_networks_in_little_memory(name: str) -> None:
    modes, chained, tiled = set(), 0, 0
    for compiled, image, seed in split_programs(0, 16, PRESETS[name]):
        assert check_compiled(compiled, image, seed) > 0
        modes |= {fields["mode"] for fields in computes(compiled) if fields["partial"]}
        chained += any(fields["partial"] for fields in computes(compiled))
        tiled += tiled_by_columns(compiled)
    assert modes == {Mode.DENSE, Mode.SEQUENTIAL}
    assert chained > 2 and tiled > 1


@pytest.mark.parametrize("seed", range(12))
def test_the_smallest_engine_runs_everything(seed: int) -> None:
    """The smallest memories that an engine may have."""
    config = dataclasses.replace(
        list(PRESETS.values())[seed % 4], scratchpad_words=16 * (1 + (seed % 4 == 3)), weight_rows=16, parameter_rows=4,
    )
    rng = np.random.default_rng(seed)
    builder = Builder(rng, config.guard_bits, *rng.integers((1, 3, 3), (40, 7, 7)).tolist())
    first = builder.add(Shape(depthwise=seed % 3 == 0))
    builder.add(Shape(depthwise=seed % 2 == 0, kernel=(3, 3), stride=ONE, same=True, channels=first.channels), first)
    network = builder.network("smallest")
    image = rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)
    assert check_compiled(compile_network(network, config, keep_all=True), image, seed) > 0


def test_weights_of_a_single_pixel_are_loaded_once() -> None:
    size, shape, _, _ = LAYERS["vgg_classifier"]
    network, _ = network_of(size, SMALL.guard_bits, shape)
    (layer,) = network.layers
    compiled = compile_network(network, SMALL)
    lengths = [one.fields["length"] for one in decode(compiled.program)
               if one.unit == Unit.WEIGHTS and not one.fields["parameters"]]
    groups = -(-layer.channels // SMALL.lanes)
    needed = groups * layer.weight[0].size * SMALL.lanes // 16
    empty = SMALL.weight_row_bytes // 16  # one row for channels 10 .. 15
    assert sum(lengths) == needed + empty * (blocks_of(layer.channels) * 16 // SMALL.lanes > groups)


def sample() -> tuple[CompiledNetwork, list[Command]]:
    network, _ = many_weights(0, NANO)
    compiled = compile_network(network, NANO)
    return compiled, decode(compiled.program)


def found(compiled: CompiledNetwork, commands: list[Command]) -> list[str]:
    program = b"".join(encode(one.unit, one.fields) for one in commands)
    return hazards_of(program, compiled.config, len(compiled.image), compiled.data_size)


@pytest.mark.parametrize("flag", ["continues", "partial"])
def test_a_broken_chain_is_reported(flag: str) -> None:
    compiled, commands = sample()
    assert not found(compiled, commands)
    for value in (0, 1):
        number = next(n for n, one in enumerate(commands) if one.fields.get(flag) == value)
        one = commands[number]
        broken = [*commands[:number], Command(one.unit, one.fields | {flag: 1 - value}), *commands[number + 1 :]]
        assert any("(rule 3)" in line for line in found(compiled, broken)), (flag, value)


@pytest.mark.parametrize("flag", ["continues", "partial"])
@pytest.mark.parametrize(
    "other", [{"groups": 2}, {"output_rows": 2}, {"output_width": 2}, {"mode": Mode.WINDOW, "grid": 3, "passes": 1}]
)
def test_a_chain_is_one_step_of_one_lane_group(flag: str, other: dict[str, int]) -> None:
    _, commands = sample()
    fields = next(one.fields for one in commands if one.fields.get("partial")) | {"continues": 0, "partial": 0}
    assert not illegal_fields(Command(Unit.COMPUTE, fields | {flag: 1}), MICRO)
    assert not illegal_fields(Command(Unit.COMPUTE, fields | other), MICRO)
    assert illegal_fields(Command(Unit.COMPUTE, fields | other | {flag: 1}), MICRO)


def test_two_columns_are_one_step_where_two_pixels_share_weights() -> None:
    _, commands = sample()
    fields = next(one.fields for one in commands if one.fields.get("partial")) | {"output_width": 2}
    large = PRESETS["large"]
    assert not illegal_fields(Command(Unit.COMPUTE, fields | {"stride_x": 1}), large)
    assert illegal_fields(Command(Unit.COMPUTE, fields | {"stride_x": 2}), large)


@pytest.mark.parametrize(("places", "parts", "loads"), [(4, 4, 4), (8, 9, 9 + 4 * 3), (8, 30, 30 + 4 * 24), (2, 5, 25)])
def test_most_places_keep_their_part(places: int, parts: int, loads: int) -> None:
    slots, held, loaded = Slots(places), {}, 0
    for _ in range(5):
        for number in range(parts):
            place, fresh = slots.place(number, parts, number)
            assert 0 <= place < places and (fresh or held[place] == number)
            held[place] = number
            loaded += fresh
    assert loaded == loads


def test_streamed_parts_take_turns() -> None:
    slots = Slots(4, streamed=True)
    assert [slots.place(number, 9, number) for number in range(6)] == [(n % 4, True) for n in range(6)]

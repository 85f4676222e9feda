"""Sections: layers that run tile by tile in turn compute the same integers, and their wide tensors stay on chip."""

import dataclasses
import itertools

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.fusion import Fuser
from compiler.planner import Planner
from compiler.program import CompiledNetwork, compile_network
from compiler.region import Window, conflict_free
from compiler.section import Rows, interleave, ring_rows
from golden.errors import WesnpuError
from golden.network import Network
from sim.layers import Builder, Shape, choose
from tests.compiler_check import check_compiled
from tests.compiler_networks import NONE, ONE, random_config


def bottlenecks(
    rng: np.random.Generator, guard_bits: int, *, narrow: int, size: tuple[int, int], blocks: int
) -> Network:
    """Blocks of expansion, depthwise layer and projection, with a residual where the shape stays."""
    builder = Builder(rng, guard_bits, narrow, *size)
    builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=narrow))
    for _ in range(blocks):
        first, stride, kernel = builder.last, choose(rng, 1, 1, 2), choose(rng, 3, 5)
        builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=narrow * choose(rng, 2, 3, 6)))
        same = stride > 1 or None
        builder.add(Shape(depthwise=True, kernel=(kernel, kernel), stride=(stride, stride), same=bool(same),
                          padding=None if same else (kernel // 2,) * 4))
        twin = first if stride == 1 and rng.random() < 0.7 else None
        builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=narrow), residual=twin)
    return builder.network("bottlenecks")


def fused_tensors(compiled: CompiledNetwork) -> set[str]:
    """Tensors between the layers of a section."""
    return {compiled.network.layers[i].output for section in compiled.sections for i in section[:-1]}


@pytest.mark.parametrize("lag", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_tiles_in_turn_make_every_row_once_and_read_only_what_the_rings_hold(seed: int, lag: bool) -> None:
    rng = np.random.default_rng(seed)
    layers, height = [], int(rng.integers(1, 40))
    for _ in range(int(rng.integers(2, 6))):
        kernel, stride = choose(rng, 1, 2, 3, 5), choose(rng, 1, 1, 2)
        top = int(rng.integers(0, kernel))
        bottom = int(rng.integers(max(0, kernel - height - top), kernel + max(0, kernel - height)))
        output = (height + top + bottom - kernel) // stride + 1
        layers.append(Rows(height, output, kernel, stride, top))
        height = output
    steps = interleave(layers, int(rng.integers(1, 6)), lag=lag)
    rings: list[dict[int, int]] = [{} for _ in layers]  # slot -> row that it holds
    done = [0] * len(layers)
    for step in steps:
        assert step.row == done[step.layer] and step.rows > 0
        layer = layers[step.layer]
        if step.layer:
            slots = ring_rows(layers, steps, step.layer - 1)
            first = step.row * layer.stride - layer.top
            last = (step.row + step.rows - 1) * layer.stride - layer.top + layer.kernel
            for row in range(max(first, 0), min(last, layer.input)):
                assert rings[step.layer - 1].get(row % slots) == row
        if step.layer + 1 < len(layers):
            slots = ring_rows(layers, steps, step.layer)
            rings[step.layer] |= {row % slots: row for row in range(step.row, step.row + step.rows)}
        done[step.layer] += step.rows
    assert done == [layer.output for layer in layers]


@pytest.mark.parametrize("name", ["medium", "large"])
def test_wide_tensors_have_no_external_place(name: str) -> None:
    """They are computed and traced, but no LOAD or STORE can name them; fewer cycles are not the subject here."""
    network = bottlenecks(np.random.default_rng(1), 7, narrow=24, size=(20, 28), blocks=3)
    config = dataclasses.replace(PRESETS[name], scratchpad_words=2048)
    compiled = compile_network(network, config)
    wide = {layer.output for layer in network.layers[1:] if layer.residual is None and layer.weight.shape[0] > 24}
    assert len(wide) == 6 and wide <= fused_tensors(compiled)
    assert wide.isdisjoint(compiled.placements)
    assert {trace.layer for trace in compiled.traced} == set(range(len(network.layers)))
    plain = compile_network(network, config, fuse=False)
    assert fused_tensors(plain) == set() and not wide.isdisjoint(plain.placements)
    image = np.random.default_rng(2).integers(-128, 128, network.tensors["x"].shape).astype(np.int8)
    for one in (compiled, plain, compile_network(network, config, keep_all=True)):
        assert check_compiled(one, image, seed=3) > 0


def check_fused(seed: int) -> tuple[int, int]:
    """(sections of several layers, values compared) of the first bottlenecks of this seed that their engine runs."""
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, attempt])
        config = random_config(rng)
        if rng.random() < 0.7:
            rows = {"weight_rows": max(config.weight_rows, 512), "parameter_rows": max(config.parameter_rows, 128)}
            config = dataclasses.replace(config, **rows)
        size = choose(rng, 1, 5, 9, 14, 23), choose(rng, 1, 4, 7, 16)
        network = bottlenecks(rng, config.guard_bits, narrow=choose(rng, 3, 8, 16, 17, 24), size=size,
                              blocks=int(rng.integers(1, 4)))
        image = rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)
        rows = int(rng.integers(1, 4)) if rng.random() < 0.3 else None
        try:
            compiled = compile_network(network, config, keep_all=bool(rng.integers(2)), tile_rows=rows)
        except WesnpuError:
            continue
        return sum(len(section) > 1 for section in compiled.sections), check_compiled(compiled, image, seed)
    raise AssertionError("unreachable")


@pytest.mark.parametrize("block", range(4))
def test_random_bottlenecks_on_random_engines(block: int) -> None:
    found = [check_fused(seed) for seed in range(10 * block, 10 * block + 10)]
    assert all(values > 0 for _, values in found)
    assert sum(sections for sections, _ in found) >= 8


def test_an_output_that_fits_whole_has_the_pitch_of_its_reader() -> None:
    """A ring of two tiles can be as tall as the tensor: then the next section's 5 x 5 window reads it where it lies."""
    config = dataclasses.replace(PRESETS["micro"], window_kernel=5, weight_rows=16)
    builder = Builder(np.random.default_rng(1), config.guard_bits, 3, 12, 2)
    for channels in (18, 3, 18):
        builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=channels))
    builder.add(Shape(depthwise=True, kernel=(5, 5), stride=(2, 2), padding=(1, 1, 2, 2)))
    network = builder.network("short")
    found = Fuser(network, config, Planner(network, config, keep_all=False)).sections(0, 2)
    assert len(found) == 2
    for section, _, _ in found:
        region = section.plans[-1].output.region
        assert region.slots == 12 and conflict_free(region.pitch, 12, Window(5, 1), 12, config)


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
def test_many_random_bottlenecks(block: int) -> None:
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        try:
            assert check_fused(seed)[1] > 0
        except (AssertionError, ValueError) as error:
            command = f"python -c 'from tests.test_compiler_fusion import check_fused; check_fused({seed})'"
            raise AssertionError(f"{error}; repeat with: {command}") from error

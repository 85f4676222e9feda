"""Speed in the cycle model, with a memory of a bus width per cycle each way and 64 cycles latency; RTL under `long`."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from compiler.config import EngineConfig, preset
from compiler.cycles import RESIDUAL_WAITS, Estimate, Memory, estimate
from compiler.program import CompiledNetwork, compile_network
from golden.network import Network
from rtl.check_verilog import lint
from rtl.generate import MODULE, generate
from sim.cosim import CosimResult, cosim
from sim.layers import Builder, Shape
from tests.compiler_networks import NONE, ONE, waiting_residual
from tests.test_compiler_cycles import FETCHED_AHEAD
from wesnpu.imagenet_shapes import NETWORKS
from wesnpu.speed import DEPTHWISE as DEPTHWISE_HEAD
from wesnpu.speed import DOCUMENT, HEAD, configurations, document, row

MEMORY = Memory(read_latency=64, write_latency=64)

#: Network: percent of peak layer by layer and in sections, at least.
PEAK = {"EfficientNet-Lite0": (81, 87), "MobileNetV1": (89, 94), "MobileNetV2": (78, 86)}

#: Depthwise layers: channels, height, kernel, stride, and percent of the array while operands are on chip, at least.
DEPTHWISE = [
    (144, 56, 3, 1, 52), (96, 112, 3, 2, 54), (240, 28, 5, 1, 72), (672, 14, 5, 1, 66), (144, 56, 3, 2, 52),
    (192, 28, 3, 2, 47), (240, 28, 3, 2, 47), (144, 56, 5, 2, 70),
]

#: 3x3 of stride 2 padded on the left: channels, height, and percent of the array, at least.
PADDED_LEFT = [(96, 112, 56), (144, 56, 56), (192, 28, 53)]

#: Dense 28x28, 64 -> 64, whole inference: preset, kernel, percent of peak, at least.
DENSE = [("large", 3, 98), ("large", 1, 94), ("small", 3, 98), ("small", 1, 97)]


#: Multiply-accumulates per cycle, and percent of peak of EfficientNet-Lite0 in sections, at least.
GROWN = [(128, 85, 2), (1024, 65, 3)]  # MAC/cycle; percent of peak at least; percent a layer may differ from its model


def share(macs: int, cycles: int, config: str) -> float:
    """Percent of the multiply-accumulates that the array could have done."""
    return 100 * macs / (cycles * preset(config).macs_per_cycle)


@cache
def network(name: str) -> Network:
    return NETWORKS[name]()


@cache
def predicted(name: str, fuse: bool) -> tuple[CompiledNetwork, Estimate]:
    compiled = compile_network(network(name), preset("large"), fuse=fuse)
    return compiled, estimate(compiled, MEMORY)


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("name", PEAK)
def test_imagenet_networks(name: str, fuse: bool) -> None:
    found = predicted(name, fuse)[1]
    assert share(sum(layer.macs for layer in found.layers), found.cycles, "large") >= PEAK[name][fuse]


@pytest.mark.parametrize("name", PEAK)
def test_fully_connected_layers_run_at_the_speed_of_the_bus(name: str) -> None:
    compiled, found = predicted(name, True)
    assert found.layers[-1].cycles <= compiled.network.layers[-1].weight.size / preset("large").bus_bytes


@pytest.mark.parametrize(("name", "blocks"), [("EfficientNet-Lite0", 15), ("MobileNetV2", 16)])
def test_wide_tensors_of_bottlenecks_never_leave_the_chip(name: str, blocks: int) -> None:
    """Every block with an expansion, from the second on, runs inside one section, expansion, depthwise, projection."""
    compiled, found = predicted(name, True)
    layers = compiled.network.layers
    bottlenecks = [range(first, first + 3) for first in range(3, len(layers) - 3, 3)]
    assert len(bottlenecks) == blocks
    for block in bottlenecks:
        assert layers[block[1]].depthwise and layers[block[0]].weight.shape[0] > layers[block[2]].weight.shape[0]
        assert any(set(block) <= set(section) for section in compiled.sections), block
        assert {layers[i].output for i in block[:2]}.isdisjoint(compiled.placements)
    assert found.written_bytes < 0.02 * predicted(name, False)[1].written_bytes


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_document_is_what_its_generator_writes() -> None:
    assert DOCUMENT.read_text() == document()


@pytest.mark.parametrize("name", NETWORKS)
def test_depthwise_layers_of_stride_2_lose_the_fill_of_each_row(name: str) -> None:
    """What docs/speed.md says of 3x3: two columns in a cycle, one cycle more for every row, and nothing else."""
    compiled, found = predicted(name, True)
    tensors = compiled.network.tensors
    for layer, one in zip(compiled.network.layers, found.layers, strict=True):
        if layer.depthwise and layer.kernel == (3, 3) and layer.stride == (2, 2):
            channels, height, width = tensors[layer.output].shape
            steps = -(-width // 2)
            assert one.causes["active"] + one.causes["fill"] == channels // 8 * height * (steps + 1)
            assert one.cycles - one.causes["active"] - one.causes["fill"] <= 40


def test_the_document_holds_the_figures_of_its_generator() -> None:
    """Quick; one row of it."""
    text = DOCUMENT.read_text()
    assert text.startswith(HEAD) and row(preset("large"), "MobileNetV1", network("MobileNetV1")) in text
    growth = text[: text.index(DEPTHWISE_HEAD)]
    assert sum(line.startswith("| ") for line in growth.splitlines()) == 1 + len(configurations()) * len(NETWORKS)


def bottleneck(channels: int, height: int, kernel: int, stride: int, left: bool = False) -> Network:
    """A depthwise layer between two pointwise ones; left: padded by 1 on each side instead of SAME."""
    builder = Builder(np.random.default_rng(0), 7, 16, height, height)
    builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=channels))
    padding = (1, 1, 1, 1) if left else None
    builder.add(Shape(depthwise=True, kernel=(kernel, kernel), stride=(stride, stride), same=True, padding=padding))
    builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=16))
    return builder.network("bottleneck")


def dense(kernel: int) -> Network:
    builder = Builder(np.random.default_rng(0), 7, 64, 28, 28)
    builder.add(Shape(kernel=(kernel, kernel), stride=ONE, padding=(kernel // 2,) * 4, channels=64))
    return builder.network("dense")


@pytest.mark.parametrize(("channels", "height", "kernel", "stride", "percent"), DEPTHWISE)
def test_depthwise_from_the_scratchpad(channels: int, height: int, kernel: int, stride: int, percent: int) -> None:
    compiled = compile_network(bottleneck(channels, height, kernel, stride), preset("large"))
    layer = estimate(compiled, MEMORY).layers[1]
    assert len(compiled.sections) == 1
    assert share(layer.macs, layer.cycles, "large") >= percent


@pytest.mark.parametrize(("channels", "height", "percent"), PADDED_LEFT)
def test_stride_2_padded_on_the_left(channels: int, height: int, percent: int) -> None:
    compiled = compile_network(bottleneck(channels, height, 3, 2, left=True), preset("large"))
    layer = estimate(compiled, MEMORY).layers[1]
    assert len(compiled.sections) == 1 and layer.causes["fill"] == 0
    assert share(layer.macs, layer.cycles, "large") >= percent


@pytest.mark.parametrize(("config", "kernel", "percent"), DENSE)
def test_dense_with_its_transfers(config: str, kernel: int, percent: int) -> None:
    found = estimate(compile_network(dense(kernel), preset(config)), MEMORY)
    assert share(found.layers[0].macs, found.cycles, config) >= percent


def check_rtl(asked: Network, config: EngineConfig, *, fuse: bool = True, layer_percent: int = 2) -> CosimResult:
    """Every tensor exact, every layer within `layer_percent` % or 64 cycles of the model, the whole within 0.5 %.

    Nothing is written but, once, the tensors that have a place in memory.
    """
    shape = asked.tensors[asked.input].shape
    image = np.random.default_rng(5).integers(-128, 128, (1, *shape)).astype(np.int8)
    real = cosim(asked, image, config, fuse=fuse, latency=64)
    compiled = compile_network(asked, config, fuse=fuse)
    model = estimate(compiled, MEMORY)
    assert real.mismatches == [] and real.tensors_compared == len(asked.layers)
    placed = {name: place.size for name, place in compiled.placements.items() if name != asked.input}
    assert real.written_bytes == model.written_bytes == sum(placed.values())
    assert abs(model.read_bytes - real.read_bytes) <= FETCHED_AHEAD
    for one, other in zip(model.layers, real.layers, strict=True):
        assert abs(one.cycles - other.cycles) <= max(64, layer_percent * other.cycles / 100), (one, other)
    assert abs(model.cycles - real.cycles_per_image[0]) <= 0.005 * real.cycles_per_image[0]
    return real


def whole_share(real: CosimResult, macs_per_cycle: int) -> float:
    """Percent of the array's peak, from start to interrupt."""
    return 100 * sum(layer.macs for layer in real.layers) / (real.cycles_per_image[0] * macs_per_cycle)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("name", PEAK)
def test_imagenet_networks_in_rtl(name: str, fuse: bool) -> None:
    assert whole_share(check_rtl(network(name), preset("large"), fuse=fuse), 256) >= PEAK[name][fuse]


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("config", configurations()[3:], ids=lambda config: config.name)
def test_grown_engines_are_clean(config: EngineConfig, tmp_path: Path) -> None:
    """Those beyond the presets, which rtl/test_generate.py checks."""
    assert lint(generate(config, tmp_path, trace=True), MODULE) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("macs_per_cycle", "percent", "layer_percent"), GROWN)
def test_growth_in_rtl(macs_per_cycle: int, percent: int, layer_percent: int) -> None:
    """Two more points of docs/speed.md."""
    config = next(one for one in configurations() if one.macs_per_cycle == macs_per_cycle)
    real = check_rtl(network("EfficientNet-Lite0"), config, layer_percent=layer_percent)
    assert whole_share(real, macs_per_cycle) >= percent


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("config", "kernel", "percent"), DENSE)
def test_dense_in_rtl(config: str, kernel: int, percent: int) -> None:
    assert whole_share(check_rtl(dense(kernel), preset(config)), preset(config).macs_per_cycle) >= percent


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("channels", "height", "kernel", "stride", "percent"), DEPTHWISE)
def test_depthwise_in_rtl(channels: int, height: int, kernel: int, stride: int, percent: int) -> None:
    layer = check_rtl(bottleneck(channels, height, kernel, stride), preset("large")).layers[1]
    assert share(layer.macs, layer.cycles, "large") >= percent


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("channels", "height", "percent"), PADDED_LEFT)
def test_stride_2_padded_on_the_left_in_rtl(channels: int, height: int, percent: int) -> None:
    layer = check_rtl(bottleneck(channels, height, 3, 2, left=True), preset("large")).layers[1]
    assert share(layer.macs, layer.cycles, "large") >= percent


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size", [28, 56])
def test_residual_operands_wait_in_rtl_no_longer_than_told(size: int) -> None:
    """Where the model says that it does not know, the engine takes more cycles, within the factor that is told."""
    asked, config = waiting_residual(size), preset("large")
    image = np.random.default_rng(5).integers(-128, 128, (1, *asked.tensors[asked.input].shape)).astype(np.int8)
    real, model = cosim(asked, image, config, latency=64), estimate(compile_network(asked, config), MEMORY)
    assert real.mismatches == [] and [layer.at_least for layer in model.layers] == [False, True]
    told, took = model.layers[1].cycles, real.layers[1].cycles
    assert told < took <= RESIDUAL_WAITS * told

"""The cycle model against the counters of the simulated engine, layer by layer."""

from functools import cache

import numpy as np
import pytest

from compiler.bound import READS, bound, shares
from compiler.config import EngineConfig, preset
from compiler.cycles import Memory, estimate
from compiler.program import compile_network
from golden.network import Network
from models.build import model_path
from quant.onnx_import import import_onnx
from quant.recipe import quantize
from sim.cosim import cosim
from tests.test_compiler_split import LAYERS, network_of
from tests.test_sim_engine import FOUR_PIXELS
from wesnpu.demo import DATA, MODELS, PREPROCESSING

CALIBRATION = 8
USUAL = Memory()
FETCHED_AHEAD = 1024  # bytes of program beyond END that may still be asked for when it comes


@cache
def fashion(name: str, guard_bits: int = 7) -> Network:
    """A Fashion-MNIST network, quantized on a few pictures: cycles do not depend on the values."""
    with np.load(DATA, allow_pickle=False) as data:
        pictures = data["calibration"][:CALIBRATION]
    model = import_onnx(MODELS / f"{name}.onnx")
    return quantize(model, pictures, recipe="wes", preprocessing=PREPROCESSING, guard_bits=guard_bits)


def check_causes(model: dict[str, int], real: dict[str, int]) -> None:
    """Every cause within 2 % of the layer's cycles or 64; in RTL none is longer than the bound by more."""
    allowed, found = max(64, 0.02 * sum(real.values())), shares(real)
    reads = [sum(causes.get(cause, 0) for cause in READS) for causes in (model, real)]
    others = [(model.get(cause, 0), real[cause]) for cause in ("program", "requantizer", "store")]
    for one, other in (reads, *others):
        assert abs(one - other) <= allowed, (model, real)
    named = reads[1] if bound(model) in ("LOAD", "WEIGHTS") else found[bound(model)]
    assert named >= max(found.values()) - allowed, (model, real)


def check(
    network: Network, config: EngineConfig, memory: Memory = USUAL, *, stalls: str = "none", share: float = 0.02
) -> None:
    """Every layer within `share` of its cycles or 64, the network within a quarter of it; memory: that of `stalls`."""
    shape = network.tensors[network.input].shape
    image = np.random.default_rng(5).integers(-128, 128, (1, *shape)).astype(np.int8)
    measured = cosim(network, image, config, stalls=stalls, latency=None if memory == USUAL else memory.read_latency)
    compiled = compile_network(network, config)
    predicted = estimate(compiled, memory)
    assert measured.mismatches == []
    assert len(predicted.layers) == len(measured.layers) > 0
    for model, real in zip(predicted.layers, measured.layers, strict=True):
        assert (model.name, model.macs) == (real.name, real.macs)
        assert abs(model.cycles - real.cycles) <= max(64, share * real.cycles), (model, real)
        for cause in ("active", "fill"):
            assert model.causes.get(cause, 0) == real.causes[cause], (cause, model, real)
        if not config.in_order:  # whose counters tell no other cause
            check_causes(model.causes, real.causes)
    if config.counters:
        written = sum(layer.traffic.written for layer in measured.layers)
        assert predicted.written_bytes == measured.written_bytes == written
        if not config.in_order:  # which reads commands again
            fetched = measured.read_bytes - sum(layer.traffic.read for layer in measured.layers)
            assert 0 <= fetched - len(compiled.program) <= FETCHED_AHEAD
        assert abs(predicted.read_bytes - measured.read_bytes) <= FETCHED_AHEAD
    total = sum(layer.cycles for layer in predicted.layers)
    assert predicted.cycles == total
    assert abs(total - measured.cycles_per_image[0]) <= share / 4 * measured.cycles_per_image[0]


WITHOUT_QUEUES = EngineConfig(
    name="without_queues", pixels=1, lanes=8, taps=4, requant_lanes=2, scratchpad_words=1024, weight_rows=512,
    parameter_rows=128, window_kernel=1, queue_units=0, guard_bits=5,
)
LONG = pytest.mark.long
RUNS = [
    pytest.param("fashion_mobilenet_v1", "large"),
    pytest.param("fashion_mobilenet_v2", "large"),
    pytest.param("fashion_mobilenet_v1", "small"),
    pytest.param("fashion_mobilenet_v2", "medium"),
    pytest.param("fashion_mobilenet_v2", "small", marks=LONG),
    pytest.param("fashion_mobilenet_v1", "medium", marks=LONG),
]


@pytest.mark.parametrize(("name", "config"), RUNS)
def test_fashion_networks(name, config):
    check(fashion(name), preset(config))


@pytest.mark.parametrize("name", ["fashion_nano", pytest.param("fashion_mobilenet_v1", marks=LONG)])
def test_without_queues(name):
    check(fashion(name, 5), preset("nano"))


@pytest.mark.parametrize(
    "config", [preset("nano"), pytest.param(WITHOUT_QUEUES, marks=LONG)], ids=lambda config: config.name
)
def test_residuals_without_queues(config):
    """Residual operands are read where the array does not read."""
    check(fashion("fashion_mobilenet_v2", 5), config)


@pytest.mark.parametrize("layer", ["pooling_56", pytest.param("dense_512", marks=LONG)])
def test_chains_without_queues(layer):
    size, shape, chained, _ = LAYERS[layer]
    assert "nano" in chained
    check(network_of(size, preset("nano").guard_bits, shape)[0], preset("nano"))


def test_four_pixels():
    check(fashion("fashion_mobilenet_v2"), FOUR_PIXELS)


@pytest.mark.parametrize("layer", ["pooling_56", "vgg_classifier"])
def test_chains(layer):
    """Layers whose sums are made in pieces, input or weights loaded all the time."""
    size, shape, chained, _ = LAYERS[layer]
    assert "micro" in chained
    check(network_of(size, preset("micro").guard_bits, shape)[0], preset("micro"))


@pytest.mark.parametrize(
    ("causes", "name"),
    [
        ({"active": 50, "fill": 49, "weights": 49}, "array"), ({"active": 49, "fill": 50}, "window fill"),
        ({"active": 50, "weights": 20, "activations": 31}, "LOAD"), ({"active": 9, "bus": 9, "weights": 1}, "WEIGHTS"),
        ({"requantizer": 3, "program": 2}, "results"), ({"program": 2, "store": 1}, "commands"), ({"store": 1}, "STORE")
    ],
)
def test_a_layer_is_bound_by_what_takes_most_of_its_cycles(causes, name):
    assert bound(causes) == name


@pytest.mark.parametrize(
    ("field", "value"), [("read_bytes", 0), ("write_bytes", -1.0), ("read_latency", -1), ("outstanding", 0)]
)
def test_memory_refuses(field, value):
    with pytest.raises(ValueError, match=f"Memory.{field} = {value}"):
        Memory(**{field: value})


@pytest.mark.parametrize(
    ("config", "latency"),
    [("large", 200), ("small", 200), pytest.param("large", 20, marks=LONG), pytest.param("small", 20, marks=LONG)],
)
def test_narrow_memory(config, latency):
    """Half the bus width: 8 bytes per cycle on `large`, 4 on `small`."""
    engine = preset(config)
    width = engine.bus_bytes / 2
    memory = Memory(read_bytes=width, write_bytes=width, read_latency=latency, write_latency=latency)
    check(fashion("fashion_mobilenet_v2"), engine, memory, stalls="half")


@pytest.mark.parametrize("latency", [20, 21, pytest.param(200, marks=LONG)])
def test_narrow_memory_without_queues(latency):
    """A beat goes every other cycle, and here every beat is waited for."""
    memory = Memory(read_bytes=4, write_bytes=4, read_latency=latency, write_latency=latency)
    check(fashion("fashion_nano", 5), preset("nano"), memory, stalls="half", share=0.005)


def test_slow_memory_costs_cycles():
    compiled = compile_network(fashion("fashion_mobilenet_v2"), preset("large"))
    cycles = [
        estimate(compiled, memory).cycles
        for memory in (Memory(), Memory(read_latency=200), Memory(read_bytes=4), Memory(read_bytes=1, read_latency=200))
    ]
    assert cycles == sorted(set(cycles))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v1_224", "mobilenet_v2_224"])
def test_imagenet_networks(name):
    path = model_path(name)
    if not path.exists():
        pytest.skip(f"{path} is not there: make models")
    pictures = np.random.default_rng(7).normal(size=(2, 3, 224, 224)).astype(np.float32)
    check(quantize(import_onnx(path, shape=(1, 3, 224, 224)), pictures, recipe="wes"), preset("large"))

"""Power-of-two networks: every scale is 2^k, every multiplier 2^15, nothing is clipped, exact where it can be."""

import math

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from golden.network import Preprocessing
from quant.float_graph.graph import Pool
from quant.float_graph.sample_graphs import RELU, conv, graph_of, real_images, residual_network
from quant.passes.pow2_scales import channel_exponents
from quant.plan.scales import CODES
from quant.recipe import execute, make_plan, quantize, recipe_passes
from quant.weights.power_of_two import ceil_exponent, floor_exponent, scale_of_exponent
from quant.weights.weights import largest_code

SCALES = ["pow2", "pow2-channel"]


def is_power(value: float) -> bool:
    return math.frexp(value)[0] == 0.5


def test_exponents_are_exact():
    for k in range(-1000, 1000, 7):
        power = math.ldexp(1.0, k)
        assert ceil_exponent(power) == floor_exponent(power) == k
        assert ceil_exponent(math.nextafter(power, math.inf)) == k + 1
        assert floor_exponent(math.nextafter(power, 0.0)) == k - 1


def test_a_scale_that_is_too_small_cuts_both_ends_alike_and_keeps_zero():
    for seed in range(200):
        generator = np.random.default_rng(seed)
        low, high = -float(generator.uniform(0, 4) * generator.integers(2)), float(generator.uniform(0.1, 4))
        k = floor_exponent((high - low) / CODES)
        scale, cut = scale_of_exponent(k, low, high), (high - low) - CODES * math.ldexp(1.0, k)
        assert scale.scale == math.ldexp(1.0, k) and scale.low <= 0 <= scale.high
        if scale.low < 0 < scale.high:
            assert abs((scale.low - low) - cut / 2) <= scale.scale, seed
        narrow = scale_of_exponent(k + 4, low, high, 2**4 - 129)
        assert narrow.top == -113 and narrow.low <= 0 <= narrow.high and narrow.high - narrow.low == 15 * 2.0 ** (k + 4)
        if low == 0:
            assert scale.low == 0
        whole = scale_of_exponent(k + 1, low, high)
        assert whole.low <= low + whole.scale / 2 and whole.high >= high - whole.scale / 2, seed


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("recipe", SCALES)
def test_every_scale_is_a_power_of_two_and_every_multiplier_a_wire(recipe, bits):
    for seed in range(5):
        graph, images = residual_network(seed), real_images(seed, 8, (3, 8, 8))
        network = quantize(graph, images, recipe=recipe, weight_bits=bits)
        assert all(is_power(tensor.scale) for tensor in network.tensors.values())
        assert {layer.requantizer.multiplier for layer in network.layers} == {2**15}
        powers = [layer.residual.multiplier for layer in network.layers if layer.residual is not None]
        assert powers and all(is_power(power) for power in powers)
        assert compile_network(network, PRESETS["small"]).program


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("recipe", SCALES)
def test_no_weight_and_no_activation_seen_is_clipped_and_no_scale_is_larger_than_needed(recipe, bits):
    plan = make_plan(residual_network(0), real_images(0, 8, (3, 8, 8)), recipe=recipe, weight_bits=bits)
    execute(plan, recipe_passes(recipe))
    assert not any("fit_bias" in line for line in plan.log)
    for operation in plan.operations:
        weights = plan.codes[operation.name]
        ranges = np.abs(operation.weight).reshape(len(operation.weight), -1).max(axis=1)
        top = weights.real_scale * largest_code(weights.bits)
        assert (ranges <= top).all(), operation.name
        if operation.kind == "conv" and recipe == "pow2-channel":
            assert (2 * ranges > top)[weights.shift < 15].all(), operation.name
        elif operation.kind == "conv":
            assert 2 * ranges.max() > top.max() and not weights.shift.any()
    for name, (low, high) in plan.statistics.ranges.items():
        scale = plan.scales[name]
        assert scale.low <= min(low, 0) + scale.scale / 2 and scale.high >= max(high, 0) - scale.scale / 2, name


def test_channel_exponents_by_hand():
    ranges = np.array([127.0, 127.5, 63.5, 1e-9, 0.0]) * 2.0**-7
    scale, shift = channel_exponents(ranges, 8)
    assert scale == 2.0**-6 and shift.tolist() == [1, 0, 2, 15, 0]


def test_weights_on_the_grid_stay_what_they_are():
    graph = graph_of([conv(np.random.default_rng(0), "a", "x", 3, 4, kernel=3, activation=RELU)], (3, 8, 8), ["a"])
    graph.nodes[0].weight = np.ldexp(np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)).astype(float), -9)
    plan = make_plan(graph, real_images(0, 4, (3, 8, 8)), recipe="pow2-channel")
    execute(plan, recipe_passes("pow2-channel"))
    weights = plan.codes["a"]
    assert np.array_equal(weights.codes * weights.real_scale.reshape(-1, 1, 1, 1), graph.nodes[0].weight)


def test_an_average_over_9_values_says_how_far_off_it_is_and_over_16_is_exact():
    def network(size: int):
        return graph_of([Pool("p", "x", "p", (size, size), (1, 1), (0, 0, 0, 0))], (1, size, size), ["p"])

    how = {size: Preprocessing(size, size, "L", mean=(128.0,), std=(128.0,)) for size in (3, 4)}
    pixels = {size: np.random.default_rng(0).integers(0, 256, (4, size, size, 1), np.uint8) for size in (3, 4)}
    three, four = (
        quantize(network(size), pixels[size], recipe="pow2", weight_bits=2, preprocessing=how[size]) for size in (3, 4)
    )
    # 1/9 = 113.78 2^-10
    assert three.layers[0].weight.flat[0] == 114 and four.layers[0].weight.flat[0] == 64
    assert any("the weight of its average is off by +0.20 %" in line for line in three.provenance["log"])
    assert not any("is off by" in line for line in four.provenance["log"])

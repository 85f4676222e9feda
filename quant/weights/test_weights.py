"""Weight scales: the shift rule and every edge case of docs/arithmetic.md, "Choosing n_c, M, e"."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.bounds import accumulator_bounds
from golden.errors import WesnpuError
from golden.file import encode_network
from golden.run import run
from quant.evaluation.evaluate import input_codes
from quant.float_graph.graph import Activation
from quant.float_graph.sample_graphs import LINEAR, RELU, one_layer, real_images, residual_network
from quant.plan.multiplier import (
    channel_multipliers,
    layer_multiplier,
    residual_multiplier,
    smallest_output_scale,
)
from quant.recipe import quantize
from quant.weights.weights import equalizing_shifts, largest_code, saturated_channels

POSITIVE = st.floats(1e-30, 1e30, allow_subnormal=False)


@given(st.lists(st.one_of(POSITIVE, st.just(0.0)), min_size=1, max_size=8))
def test_shifts_are_the_exact_floor_of_log2(ranges):
    shifts = equalizing_shifts(np.array(ranges))
    top = Fraction(max(ranges))
    for value, shift in zip(ranges, shifts, strict=True):
        if value == 0:
            assert shift == 0
        elif shift < 15:
            assert Fraction(value) * 2 ** int(shift) <= top < Fraction(value) * 2 ** int(shift + 1)
        else:
            assert Fraction(value) * 2**15 <= top


def test_exact_powers_of_two_give_exactly_k_and_15_saturates():
    ranges = 3.7 * 2.0 ** -np.arange(18.0)
    assert equalizing_shifts(ranges).tolist() == [*range(16), 15, 15]
    assert saturated_channels(ranges) == 2
    assert equalizing_shifts(np.array([5e-324, 1.0])).tolist() == [15, 0]


def layer_network(weight, bias, recipe, *, activation: Activation = LINEAR, weight_bits=8):
    weight = np.asarray(weight, float).reshape(len(bias), -1, 1, 1)
    graph = one_layer(weight, np.asarray(bias, float), (weight.shape[1], 4, 4), activation)
    images = real_images(0, 8, graph.shapes["x"])
    return quantize(graph, images, recipe=recipe, weight_bits=weight_bits), images


def test_equal_ranges_make_wes_the_layerwise_network_bit_for_bit():
    graph = residual_network(7)
    for node in graph.nodes:
        if hasattr(node, "weight"):
            node.weight /= np.abs(node.weight).max(axis=(1, 2, 3), keepdims=True)
    images = real_images(0, 8, graph.shapes["x"])
    one, other = (quantize(graph, images, recipe=recipe) for recipe in ("wes", "layerwise"))
    assert all(not layer.requantizer.shift.any() for layer in one.layers)
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert mine.weight.tobytes() == theirs.weight.tobytes() and mine.bias.tobytes() == theirs.bias.tobytes()
        assert (mine.requantizer.multiplier, mine.requantizer.exponent) == (
            theirs.requantizer.multiplier, theirs.requantizer.exponent,
        )  # fmt: skip


def test_weights_that_are_powers_of_two_apart_use_the_same_codes():
    row = np.array([0.7, -0.31, 0.05])
    network, _ = layer_network([row, row / 8, row / 2**15], [0, 0, 0], "wes")
    weight = network.layers[0].weight[:, :, 0, 0]
    assert network.layers[0].requantizer.shift.tolist() == [0, 3, 15]
    assert weight[0].tolist() == [127, -56, 9] and (weight == weight[0]).all()


def test_a_dead_channel_keeps_shift_0_and_gives_its_bias():
    network, images = layer_network([[0.5, 0.2], [0.0, 0.0]], [0.0, 0.25], "wes")
    tensor = network.tensors["layer"]
    assert network.layers[0].requantizer.shift[1] == 0
    output = run(network, input_codes(network, images)).outputs["layer"][:, 1]
    assert set(np.unique(output)) == {tensor.zero_point + math.floor(0.25 / tensor.scale + 0.5)}


@pytest.mark.parametrize("recipe", ["layerwise", "wes", "channelwise"])
def test_a_dead_layer_gives_its_bias_and_one_without_bias_has_multiplier_0(recipe):
    network, images = layer_network(np.zeros((2, 3)), [0.5, -0.25], recipe)
    tensor, output = network.tensors["layer"], run(network, input_codes(network, images)).outputs["layer"]
    real = (output.astype(float) - tensor.zero_point) * tensor.scale
    assert np.abs(real[:, 0] - 0.5).max() <= tensor.scale / 2 * 1.01
    assert np.abs(real[:, 1] + 0.25).max() <= tensor.scale / 2 * 1.01
    silent, _ = layer_network(np.zeros((2, 3)), [0.0, 0.0], recipe)
    if recipe != "channelwise":
        assert silent.layers[0].requantizer.multiplier == 0


def test_one_live_channel_sets_the_scale():
    network, _ = layer_network([[0.0, 0.0], [0.3, -0.6], [0.0, 0.0]], [0.1, 0.0, 0.0], "wes")
    assert np.abs(network.layers[0].weight).reshape(3, -1).max(axis=1).tolist() == [0, 127, 0]


@pytest.mark.parametrize("recipe", ["wes", "channelwise"])
def test_a_tiny_channel_with_a_large_bias_loses_shift_until_int32_holds_it(recipe):
    network, images = layer_network([[1.0, 0.5], [3e-5, 1e-5]], [0.0, 60_000.0], recipe)
    layer = network.layers[0]
    low, high = accumulator_bounds(layer.weight, layer.bias, -128, 127)
    assert -(2**31) <= low.min() and high.max() < 2**31
    assert high.max() > 2**27, "the shift was lowered further than the bias needs"
    if recipe == "wes":
        assert layer.requantizer.shift[1] < 15 and any("fit_bias" in line for line in network.provenance["log"])
    tensor, output = network.tensors["layer"], run(network, input_codes(network, images)).outputs["layer"][:, 1]
    assert np.abs((output.astype(float) - tensor.zero_point) * tensor.scale - 60_000).max() <= tensor.scale


def test_saturation_at_15_is_counted_in_the_log():
    network, _ = layer_network([[1.0, 0.5], [1e-6, 1e-6]], [0.0, 0.0], "wes")
    assert network.layers[0].requantizer.shift.tolist() == [0, 15]
    assert any("1 channels saturate at shift 15" in line for line in network.provenance["log"])


def test_weights_below_the_smallest_normal_number_count_as_zero():
    network, _ = layer_network([[1.0, 0.5], [1e-39, 1e-42]], [0.0, 0.0], "wes")
    assert network.layers[0].requantizer.shift[1] == 0 and not network.layers[0].weight[1].any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("recipe", ["layerwise", "wes", "channelwise"])
def test_weights_that_are_not_finite_are_refused(bad, recipe):
    with pytest.raises(WesnpuError, match="finite"):
        layer_network([[1.0, bad]], [0.0], recipe)


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_narrow_weights_are_left_aligned_and_use_the_whole_grid(bits):
    network, _ = layer_network(np.linspace(-1, 1, 40).reshape(2, 20), [0.0, 0.0], "wes", weight_bits=bits)
    weight = network.layers[0].weight
    assert int(np.abs(weight).max()) == largest_code(bits) and network.layers[0].weight_bits == bits


@given(POSITIVE, POSITIVE, st.floats(1e-5, 0.999))
def test_the_layer_multiplier_is_m_rounded_half_up(input_scale, weight_scale, ratio):
    output_scale = input_scale * weight_scale / ratio
    exact = Fraction(input_scale) * Fraction(weight_scale) / Fraction(output_scale)
    multiplier, exponent = layer_multiplier(input_scale, weight_scale, output_scale, "layer")
    assert 2**15 <= multiplier < 2**16 and 0 <= exponent <= 16
    error = Fraction(multiplier, 2 ** (16 + exponent)) - exact
    assert -Fraction(1, 2 ** (17 + exponent)) < error <= Fraction(1, 2 ** (17 + exponent))


def test_a_multiplier_just_below_1_takes_the_largest_and_1_is_refused_with_a_scale_that_works():
    assert layer_multiplier(1.0, math.nextafter(1.0, 0), 1.0, "layer") == (65535, 0)
    assert layer_multiplier(0.5, 1.0, 1.0, "layer") == (2**15, 0)
    assert layer_multiplier(math.nextafter(0.5, 0), 1.0, 1.0, "layer") == (2**15, 0)
    with pytest.raises(WesnpuError, match="layer 'a'.*at least") as caught:
        layer_multiplier(0.3, 0.7, 0.2, "a")
    needed = smallest_output_scale(0.3, 0.7)
    assert repr(needed) in str(caught.value)
    assert layer_multiplier(0.3, 0.7, needed, "a")[0] >= 2**15
    with pytest.raises(WesnpuError):
        layer_multiplier(0.3, 0.7, math.nextafter(needed, 0), "a")


@pytest.mark.parametrize("size", [1e20, 1e200])
def test_scales_whose_product_no_float32_holds_are_refused(size):
    with pytest.raises(WesnpuError, match="their product must be below 3.403e.38"):
        smallest_output_scale(size, size)


def test_channel_multipliers_are_exact_to_31_bits_and_refuse_1():
    scales = np.array([0.9, 1e-3, 2e-6])
    multiplier, shift = channel_multipliers(1.0, scales, 1.0, "a")
    assert np.abs(np.ldexp(multiplier.astype(float), -shift.astype(int)) / scales - 1).max() <= 2.0**-30
    with pytest.raises(WesnpuError, match="channel 1 is 2"):
        channel_multipliers(1.0, np.array([0.5, 2.0]), 1.0, "a")


def test_a_residual_multiplier_is_at_most_2_to_the_15():
    assert residual_multiplier(0.1, 0.1, "a") == 2**15 and residual_multiplier(0.05, 0.1, "a") == 2**14
    with pytest.raises(WesnpuError, match="layer 'a': residual scale"):
        residual_multiplier(0.11, 0.1, "a")


def test_two_runs_give_the_same_bytes():
    graph = residual_network(3)
    images = real_images(1, 8, graph.shapes["x"])
    files = {encode_network(quantize(graph, images, recipe="wes+bc")) for _ in range(2)}
    assert len(files) == 1


def test_layers_with_relu_never_go_below_their_zero_point():
    network, images = layer_network([[1.0, -0.5], [0.2, 0.4]], [0.0, -0.3], "wes", activation=RELU)
    assert network.layers[0].lo == network.tensors["layer"].zero_point == -128
    assert run(network, input_codes(network, images)).outputs["layer"].min() == -128

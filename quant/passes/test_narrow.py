"""Narrow activations, narrow shift fields and half steps (Eq. 3h)."""

import numpy as np
import pytest

from compiler.config import preset
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.run import run
from quant.evaluation.evaluate import input_codes
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.plan.scales import scale_of_range
from quant.qdq.weight_scale import real_weight_scale
from quant.recipe import quantize
from quant.weights.weights import channel_ranges, equalizing_shifts, half_steps
from tests.compiler_check import check_network


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.0, 3.0), (-2.0, 0.0)])
def test_a_narrow_tensor_has_2_to_the_bits_codes(bits, low, high):
    scale = scale_of_range(low, high, bits=bits)
    assert scale.code(low) == -128 and scale.code(high) == scale.top == 2**bits - 129
    assert scale.scale == pytest.approx((high - low) / (2**bits - 1))
    assert scale.raised_to(2 * scale.scale).top == scale.top


@pytest.mark.parametrize("bits", [4, 6])
def test_no_layer_leaves_its_bits_but_the_ends_have_eight(bits):
    graph = residual_network(4)
    images = real_images(4, 8, graph.shapes["x"])
    network = quantize(graph, images, recipe="wes+bc", activation_bits=bits)
    tensors = run(network, input_codes(network, images), keep=True).tensors
    for layer in network.layers:
        values = tensors[layer.output]
        largest = 127 if layer.output in network.outputs else 2**bits - 129
        assert layer.hi <= largest and values.max() <= largest
    assert tensors[network.input].max() > 2**bits - 129
    assert network.provenance["activation_bits"] == bits


def test_the_engine_runs_narrow_activations():
    graph = residual_network(4)
    images = real_images(4, 4, graph.shapes["x"])
    network = quantize(graph, images, recipe="wes+ecr", activation_bits=4, weight_bits=4)
    assert check_network(network, input_codes(network, images[:1])[0], preset("small"), seed=4) > 0


def test_bits_that_do_not_exist_are_refused():
    with pytest.raises(WesnpuError, match="activation_bits is 5: must be one of 4, 6, 8"):
        quantize(residual_network(0), real_images(0, 2, (3, 8, 8)), activation_bits=5)


@pytest.mark.parametrize(("word", "largest"), [("shift3", 7), ("shift2", 3), ("half", 7)])
def test_a_narrow_field_holds_every_shift(word, largest):
    graph = residual_network(6)
    first = next(node for node in graph.nodes if hasattr(node, "weight"))
    first.weight[0] *= 2.0**-12
    images = real_images(6, 4, graph.shapes["x"])
    network = quantize(graph, images, recipe=f"wes+{word}")
    found = [int(layer.requantizer.shift.max()) for layer in network.layers]
    assert max(found) == largest
    assert int(quantize(graph, images, recipe="wes").layers[0].requantizer.shift.max()) > 7


def test_a_half_step_is_taken_exactly_where_three_quarters_hold_the_range():
    ranges = np.array([1.0, 0.75, 0.76, 0.5, 0.375, 0.38, 0.0])
    shift = equalizing_shifts(ranges)
    assert shift.tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert half_steps(ranges, shift).tolist() == [0, 1, 0, 0, 1, 0, 0]


def test_half_steps_make_the_grid_finer_and_clip_nothing():
    graph = residual_network(7)
    images = real_images(7, 4, graph.shapes["x"])
    plain, half = (quantize(graph, images, recipe=recipe) for recipe in ("wes+shift3", "wes+half"))
    taken = 0
    for ours, theirs in zip(half.layers, plain.layers, strict=True):
        if ours.requantizer.half_step is None:
            continue
        factor = np.where(ours.requantizer.half_step, 0.75, 1.0)
        taken += int(ours.requantizer.half_step.sum())
        scale = real_weight_scale(half, ours)
        assert np.allclose(scale, real_weight_scale(plain, theirs) * factor, rtol=1e-4)
        assert channel_ranges(ours.weight).max() <= 127
    assert taken > 0


def test_the_engine_refuses_half_steps_by_name():
    graph = residual_network(7)
    network = quantize(graph, real_images(7, 4, graph.shapes["x"]), recipe="wes+half")
    with pytest.raises(WesnpuError, match="layer"):
        compile_network(network, preset("small"))

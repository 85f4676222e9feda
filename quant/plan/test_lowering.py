"""Fusion and lowering: every integer layer against exact real arithmetic on its own integer inputs."""

import dataclasses

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from golden.run import run
from quant.evaluation.evaluate import input_codes
from quant.float_graph.graph import Add, Conv, Graph, Pool
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import LINEAR, RELU, conv, graph_of, real_images, residual_network
from quant.grammar import RANGES
from quant.plan.lower import lower, lower_layer
from quant.plan.operations import fuse
from quant.plan.scales import Scale
from quant.qdq.weight_scale import real_weight_scale
from quant.recipe import RECIPES, execute, make_plan, quantize, recipe_passes


def names(operations):
    return [(operation.name, operation.kind, operation.input, operation.residual) for operation in operations]


def fused(nodes, outputs, scales=None, shape=(4, 4, 4)):
    graph = graph_of(nodes, shape, outputs)
    scales = scales or {}
    return fuse(graph, {name: Scale(scales.get(name, 0.1), 0) for name in graph.shapes})


def test_an_addition_goes_into_the_convolution_whose_partner_has_the_smaller_scale():
    generator = np.random.default_rng(0)
    nodes = [conv(generator, "a", "x", 4, 4), conv(generator, "b", "x", 4, 4), Add("s", ("a", "b"), "s", RELU)]
    assert names(fused(nodes, ["s"], {"a": 0.2})) == [("b", "conv", "x", None), ("a", "conv", "x", "b")]
    assert names(fused(nodes, ["s"], {"b": 0.2})) == [("a", "conv", "x", None), ("b", "conv", "x", "a")]


@pytest.mark.parametrize("why", ["read twice", "an output", "clamped"])
def test_a_producer_that_must_keep_its_own_tensor_does_not_absorb(why):
    generator = np.random.default_rng(0)
    nodes = [
        conv(generator, "a", "x", 4, 4, activation=RELU if why == "clamped" else LINEAR),
        Add("s", ("a", "x"), "s"),
        *([conv(generator, "b", "a", 4, 4)] if why == "read twice" else []),
    ]
    outputs = ["s", *(["a"] if why == "an output" else []), *(["b"] if why == "read twice" else [])]
    assert names(fused(nodes, outputs))[1] == ("s", "add", "a", "x")


def test_a_tensor_added_to_itself_and_a_second_addition_are_identities():
    generator = np.random.default_rng(0)
    assert names(fused([Add("s", ("x", "x"), "s")], ["s"])) == [("s", "add", "x", "x")]
    nodes = [conv(generator, "a", "x", 4, 4), Add("s", ("a", "x"), "s"), Add("t", ("s", "x"), "t")]
    assert names(fused(nodes, ["t"])) == [("a", "conv", "x", "x"), ("t", "add", "s", "x")]


def test_an_absorbing_convolution_runs_where_its_residual_exists():
    generator = np.random.default_rng(0)
    nodes = [
        conv(generator, "early", "x", 4, 4),
        conv(generator, "b", "x", 4, 4, activation=RELU),
        Add("s", ("early", "b"), "s"),
    ]
    assert names(fused(nodes, ["s"])) == [("b", "conv", "x", None), ("early", "conv", "x", "b")]


def exact_output(network: Network, layer: ConvLayer, tensors: dict[str, np.ndarray], bias: np.ndarray) -> np.ndarray:
    """The layer's output in codes before rounding, float64, from its integer inputs and its real bias."""
    source, target = network.tensors[layer.input], network.tensors[layer.output]
    weight = layer.weight * real_weight_scale(network, layer)[:, None, None, None]
    node = Conv("n", "x", "y", layer.depthwise, weight, bias, layer.stride, layer.padding)
    graph = Graph("g", "x", ["y"], [node], {"x": source.shape, "y": target.shape})
    real = run_graph(graph, (tensors[layer.input].astype(float) - source.zero_point) * source.scale)["y"]
    if layer.residual is not None:
        other = network.tensors[layer.residual.tensor]
        real = real + (tensors[other.name].astype(float) - other.zero_point) * other.scale
    return np.clip(real / target.scale + target.zero_point, layer.lo, layer.hi)


@pytest.mark.parametrize("recipe", ["layerwise", "wes", "channelwise"])
@pytest.mark.parametrize("seed", range(5))
def test_every_layer_is_its_real_arithmetic_to_half_a_code(recipe, seed):
    # Half a code is the rounding of Eq. 5. Beyond it: a truncation by at most 2^-G M/2^16 of a code, half a unit of
    # the bias (m/2), and M_u, which is off by at most 2^-16 for each of 255 codes, all added up in `slack`.
    graph = residual_network(seed)
    images = real_images(seed, 8, graph.shapes["x"])
    plan = make_plan(graph, images, recipe=recipe)
    execute(plan, recipe_passes(recipe))
    network = lower(plan)
    tensors = run(network, input_codes(network, images), keep=True).tensors
    assert len(network.layers) == 9 and sum(layer.residual is not None for layer in network.layers) == 2
    for layer, operation in zip(network.layers, plan.operations, strict=True):
        unit = network.tensors[layer.input].scale * real_weight_scale(network, layer)
        slack = 2.0**-7 + 255 / 65536 + float(unit.max()) / network.tensors[layer.output].scale / 2 + 0.002
        exact = exact_output(network, layer, tensors, plan.bias(operation))
        error = np.abs(tensors[layer.output] - exact).max()
        assert error <= 0.5 + slack, f"seed {seed}, layer {layer.name}: {error} codes"


def test_a_pooling_is_64_in_every_tap_and_global_pooling_of_any_size_works():
    for size in (7, 40, 224):
        nodes = [Pool("p", "x", "p", (size, size), (1, 1), (0, 0, 0, 0))]
        graph = graph_of(nodes, (2, size, size), ["p"])
        images = real_images(size, 4, graph.shapes["x"])
        network = quantize(graph, images, recipe="wes")
        layer, target = network.layers[0], network.tensors["p"]
        assert layer.depthwise and len(set(layer.weight.ravel().tolist())) == 1
        expected = images.astype(float).mean(axis=(2, 3))
        output = run(network, input_codes(network, images)).outputs["p"][:, :, 0, 0]
        step = network.tensors["x"].scale
        real = (output.astype(float) - target.zero_point) * target.scale
        assert np.abs(real - expected).max() <= target.scale + step / 2


def test_a_large_pooling_raises_the_weight_scale_and_says_so():
    graph = graph_of([Pool("p", "x", "p", (224, 224), (1, 1), (0, 0, 0, 0))], (1, 224, 224), ["p"])
    images = np.ones((2, 1, 224, 224), np.float32)
    network = quantize(graph, images, recipe="wes")
    assert network.layers[0].requantizer.exponent == 16 and int(network.layers[0].weight[0, 0, 0, 0]) < 64
    assert any("fit_exponent: p" in line for line in network.provenance["log"])
    assert run(network, input_codes(network, images)).outputs["p"].ravel().tolist() == [127, 127]


def test_a_multiplier_of_1_or_more_is_refused_by_lowering_and_repaired_by_the_recheck():
    generator = np.random.default_rng(1)
    node = conv(generator, "layer", "x", 4, 4)
    node.weight[:], node.bias[:] = 1.0, 0.0
    graph = graph_of([node], (4, 4, 4), ["layer"])
    images = np.full((2, 4, 4, 4), 2e-4, np.float32)
    images[0, 0, 0, 0], images[0, 1, 0, 0] = 1.0, -1.0
    plan = make_plan(graph, images, recipe="wes")
    execute(plan, ("zero_dead_channels", *RANGES, "wes_scales"))
    with pytest.raises(WesnpuError, match="layer 'layer'.*output scale of at least"):
        lower_layer(plan, plan.operations[0])
    network = quantize(graph, images, recipe="wes")
    assert network.layers[0].requantizer.multiplier >= 2**15
    assert any("recheck: layer: scale raised" in line for line in network.provenance["log"])


def test_a_residual_of_larger_scale_raises_the_output_scale_by_the_factor_told():
    generator = np.random.default_rng(2)
    node = conv(generator, "a", "x", 4, 4)
    node.weight[:], node.bias[:] = -np.eye(4)[:, :, None, None] * 0.99, 0.0
    graph = graph_of([node, Add("s", ("a", "x"), "s")], (4, 4, 4), ["s"])
    network = quantize(graph, real_images(0, 4, (4, 4, 4)), recipe="wes")
    assert network.tensors["s"].scale >= network.tensors["x"].scale
    assert any(line.startswith("tie_residual_scales: s: scale raised by") for line in network.provenance["log"])


def test_the_planned_network_is_what_quantize_gives_for_every_recipe():
    graph = residual_network(11)
    images = real_images(0, 6, graph.shapes["x"])
    for recipe in RECIPES:
        network = quantize(graph, images, recipe=recipe)
        assert network.provenance["passes"] == list(RECIPES[recipe])
        assert dataclasses.asdict(network.tensors["scores"])["channels"] == 5

"""What equalization and absorption make of BatchNormalization's statistics and of a tensor with several readers."""

import numpy as np
import pytest

from quant.float_graph.graph import Activation, Add, BatchNorm, Conv, Pool
from quant.float_graph.normal_moments import moments_before_clamp
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import RELU, conv, graph_of, real_images
from quant.passes.bias_absorption import bias_absorption
from quant.passes.cross_layer_equalization import cross_layer_equalization, cross_layer_equalization_pow2
from quant.passes.test_equalization import SHAPE, chain, convs, equalized, with_norms


@pytest.mark.parametrize("function", [cross_layer_equalization, cross_layer_equalization_pow2])
def test_statistics_are_scaled_as_the_values_that_they_describe(function):
    graph = with_norms(chain(), 3, 0.5)
    plan, x = equalized(graph, function), real_images(0, 4, SHAPE)
    before, after = run_graph(graph, x), run_graph(plan.graph, x)
    moved = 0
    for old, new in zip(convs(graph), convs(plan.graph), strict=True):
        sizes = [np.abs(values[old.output]).max(axis=(0, 2, 3)) for values in (before, after)]
        live = sizes[0] > 0
        factor = sizes[0][live] / sizes[1][live]
        moved += int((np.abs(factor - 1) > 0.1).sum())
        assert np.allclose(new.batch_norm.gamma[live] * factor, old.batch_norm.gamma[live], rtol=1e-9, atol=0)
        assert np.allclose(new.batch_norm.beta[live] * factor, old.batch_norm.beta[live], rtol=1e-9, atol=0)
    assert moved > 10


def test_a_tensor_with_several_readers_is_equalized_against_the_largest_weight_of_all():
    generator = np.random.default_rng(1)
    nodes = [conv(generator, "a", "x", 3, 8, activation=RELU), conv(generator, "b", "a", 8, 4),
             conv(generator, "c", "a", 8, 5), conv(generator, "d", "a", 8, 8, kernel=3, depthwise=True)]  # fmt: skip
    for node, channels in zip(nodes[1:3], (slice(0, 3), slice(3, 6)), strict=True):
        node.weight[:, channels] *= 50  # each reader is the largest somewhere
    nodes[3].weight[6:] *= 50
    a, *readers = convs(equalized(graph_of(nodes, SHAPE, ["b", "c", "d"])).graph)
    reads = [np.abs(node.weight).max(axis=(1, 2, 3) if node.depthwise else (0, 2, 3)) for node in readers]
    assert len(set(np.argmax(reads, axis=0))) == 3
    assert np.ptp(np.log2(np.abs(a.weight).max(axis=(1, 2, 3)) / np.max(reads, axis=0))) < 1e-4


def pair(gamma, beta):
    """A 1x1 convolution of these statistics and its reader."""
    generator, count = np.random.default_rng(0), len(gamma)
    nodes = [conv(generator, "a", "x", 3, count, activation=RELU), conv(generator, "b", "a", count, 4)]
    nodes[0].batch_norm = BatchNorm(np.array(gamma), np.array(beta))
    return graph_of(nodes, SHAPE, ["b"])


def test_absorption_moves_the_bias_its_statistics_and_three_deviations_of_either_sign_stay():
    graph = pair([1.0, -1.0, 2.0, -2.0, 0.5], [4.0, 4.0, 5.0, -9.0, 0.0])
    a, b = equalized(graph, bias_absorption).graph.nodes
    shift = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    assert np.allclose(graph.nodes[0].bias - a.bias, shift, atol=1e-12)
    assert np.array_equal(graph.nodes[0].batch_norm.beta - a.batch_norm.beta, shift)
    assert np.array_equal(graph.nodes[0].batch_norm.gamma, a.batch_norm.gamma)
    assert np.allclose(b.bias - graph.nodes[1].bias, graph.nodes[1].weight[:, :2, 0, 0].sum(axis=1))


def test_moments_that_are_passed_on_against_monte_carlo():
    """Independent pixels with the two tensors' statistics through an addition, convolutions and a pooling."""
    generator, draws = np.random.default_rng(7), 40_000
    nodes = [conv(generator, name, "x", 3, 4, activation=act) for name, act in (("a", RELU), ("b", Activation(0, 6)))]
    for node in nodes:
        node.batch_norm = BatchNorm(generator.normal(0, 1.5, 4), generator.normal(1, 2, 4))
    nodes += [Add("s", ("a", "b"), "s"), conv(generator, "dense", "s", 4, 5, kernel=3),
              conv(generator, "depthwise", "s", 4, 4, kernel=3, depthwise=True),
              Pool("one", "s", "one", (1, 1), (1, 1), (0, 0, 0, 0))]  # fmt: skip
    for node in nodes[3:5]:
        node.padding = (0, 0, 0, 0)
    found = moments_before_clamp(graph_of(nodes, (3, 3, 3), ["dense", "depthwise", "one"]))
    drawn = [generator.normal(n.batch_norm.beta, np.abs(n.batch_norm.gamma), (draws, 3, 3, 4)) for n in nodes[:2]]
    summed = np.maximum(drawn[0], 0) + np.clip(drawn[1], 0, 6)
    values = {"a": drawn[0][:, 0, 0], "b": drawn[1][:, 0, 0], "s": summed[:, 0, 0], "one": summed[:, 0, 0],
              "dense": np.einsum("nyxi,oiyx->no", summed, nodes[3].weight),
              "depthwise": np.einsum("nyxi,iyx->ni", summed, nodes[4].weight[:, 0])}  # fmt: skip
    bias = {node.output: node.bias for node in nodes[3:5] if isinstance(node, Conv)}
    for name, each in values.items():
        mean, variance = found[name]
        assert (np.abs(each.mean(0) + bias.get(name, 0) - mean) <= 5 * each.std(0) / np.sqrt(draws)).all(), name
        spread = np.square(each - each.mean(0)).std(0) / np.sqrt(draws)
        assert (np.abs(each.var(0) - variance) <= 5 * spread).all(), name

"""The rule of `auto`: it equalizes what needs it, leaves alone what would lose, and says why."""

import copy

import numpy as np
import pytest

from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, float_scores, scores
from quant.evaluation.stress import inverse_cle, silent_outliers
from quant.float_graph.graph import Conv
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import LINEAR, RELU, conv, graph_of, real_images
from quant.images.batches import Images
from quant.passes.cross_layer_equalization import cross_layer_equalization, find_factors, tensor_groups
from quant.passes.equalize_where_needed import GAIN, equalize_where_needed, lost_bits
from quant.recipe import make_plan, quantize, recipe_passes

PLAIN, RELU6 = fashion.NETWORKS


def plan_of(graph):
    data = fashion.data()
    return make_plan(graph, data.calibration[:32], recipe="auto", preprocessing=fashion.PREPROCESSING)


def weights_of(plan):
    return [node.weight for node in plan.graph.nodes if isinstance(node, Conv)]


@pytest.mark.parametrize(
    ("strength", "equalized"), [(0, False), (2, False), (6, True), (12, True), (18, True)]
)
def test_gains_between_layers_are_taken_out_from_some_strength_on(strength, equalized):
    graph = inverse_cle(fashion.imported(PLAIN).graph, strength, seed=3)
    plan = plan_of(graph)
    before = copy.deepcopy(weights_of(plan))
    equalize_where_needed(plan)
    same = all(np.array_equal(a, b) for a, b in zip(before, weights_of(plan), strict=True))
    assert same is not equalized
    assert any(line.startswith("cross_layer_equalization:") for line in plan.log) is equalized
    assert sum("bits lost by a channel" in line for line in plan.log) == 1


@pytest.mark.parametrize("graph", ["silent outliers", "relu6"])
def test_networks_that_gain_nothing_are_left_alone(graph):
    silent = silent_outliers(fashion.imported(PLAIN).graph, 6)
    plan = plan_of(silent if graph == "silent outliers" else fashion.imported(RELU6).graph)
    equalize_where_needed(plan)
    assert len(plan.log) == 1 and "left as it is" in plan.log[0]


def test_a_network_without_a_pair_says_so():
    graph = graph_of([conv(np.random.default_rng(0), "a", "x", 3, 4)], (3, 8, 8), ["a"])
    plan = make_plan(graph, real_images(0, 4, (3, 8, 8)), recipe="auto")
    equalize_where_needed(plan)
    assert plan.log == ["equalize_where_needed: no tensor can be equalized"]


def test_lost_bits_are_those_of_the_float_graph():
    generator = np.random.default_rng(1)
    nodes = [
        conv(generator, "a", "x", 3, 6, kernel=3, activation=RELU),
        conv(generator, "b", "a", 6, 6, kernel=3, depthwise=True, activation=RELU),
        conv(generator, "c", "b", 6, 2, activation=LINEAR),
    ]
    nodes[0].weight[2] *= 64
    graph, images = graph_of(nodes, (3, 8, 8), ["c"]), real_images(4, 5, (3, 8, 8))
    plan = make_plan(graph, images, recipe="auto")
    groups = [group for group in tensor_groups(plan.graph) if not group.refused]
    find_factors(groups)
    before, after = lost_bits(plan, groups)
    equalized = make_plan(graph, images, recipe="auto")
    cross_layer_equalization(equalized)
    for found, judged in ((before, graph), (after, equalized.graph)):
        tensors, bits = run_graph(judged, images), []
        for name in ("a", "b"):
            ranges = np.abs(tensors[name]).max(axis=(0, 2, 3))
            bits += [np.log2(ranges.max() / value) for value in ranges if value > 0]
        assert abs(found - np.mean(bits)) < 1e-4
    assert before - after > GAIN


@pytest.mark.parametrize("strength", [0, 12])
def test_auto_unchanged_follows_float_with_and_without_stress(strength):
    # with wes+sum+bc, which does not equalize, 28 of the 200 agree at k = 12
    data, graph = fashion.data(), inverse_cle(fashion.imported(PLAIN).graph, strength, seed=0)
    images = Images(data.images[:200], fashion.SHAPE, fashion.PREPROCESSING)
    network = quantize(graph, data.calibration[:32], recipe="auto", preprocessing=fashion.PREPROCESSING)
    assert compare_scores(scores(network, images), reference=float_scores(graph, images)).agreement >= 96
    assert network.provenance["passes"] == list(recipe_passes("auto"))
    assert any(line.startswith("equalize_where_needed:") for line in network.provenance["log"])


@pytest.mark.parametrize(("bits", "agreement"), [(8, 99), (4, 95)])
def test_auto_unchanged_follows_a_network_that_had_no_part_in_its_rule(bits, agreement):
    data, name = fashion.data(), "fashion_nano"
    graph, images = fashion.imported(name).graph, Images(data.images, fashion.SHAPE, fashion.PREPROCESSING)
    reference, found = float_scores(graph, images), {}
    for recipe in ("auto", "layerwise"):
        options = {"recipe": recipe, "weight_bits": bits, "preprocessing": fashion.PREPROCESSING}
        network = quantize(graph, data.calibration, **options)
        found[recipe] = compare_scores(scores(network, images), reference=reference).agreement
    print(f"{name}, {bits} bits: {found}")
    assert found["auto"] >= agreement and found["auto"] > found["layerwise"]

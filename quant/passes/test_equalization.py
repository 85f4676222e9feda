"""Cross-layer equalization, bias absorption and analytic bias correction: each against an oracle that is not itself."""

import copy

import numpy as np
import pytest

from quant.evaluation import fashion
from quant.evaluation.stress import inverse_cle
from quant.float_graph.graph import Activation, Add, BatchNorm, Conv
from quant.float_graph.normal_moments import clamped_normal, tensor_moments
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import LINEAR, RELU, RELU6, conv, graph_of, real_images, residual_network
from quant.passes.analytic_bias_correction import rounding_error_mean
from quant.passes.bias_absorption import bias_absorption
from quant.passes.cross_layer_equalization import (
    OCTAVES,
    cross_layer_equalization,
    cross_layer_equalization_pow2,
    find_factors,
    tensor_groups,
)
from quant.recipe import RECIPES, execute, make_plan

SHAPE = (3, 8, 8)


def chain(seed=0, activation=RELU):
    """Dense, depthwise, dense with a linear bottleneck that is added, dense."""
    generator = np.random.default_rng(seed)
    nodes = [
        conv(generator, "expand", "x", 3, 8, kernel=3, activation=activation),
        conv(generator, "depthwise", "expand", 8, 8, kernel=3, depthwise=True, activation=activation),
        conv(generator, "project", "depthwise", 8, 4),
        conv(generator, "expand2", "project", 4, 8, activation=activation),
        conv(generator, "project2", "expand2", 8, 4),
        Add("sum", ("project", "project2"), "sum"),
        conv(generator, "scores", "sum", 4, 5),
    ]
    return graph_of(nodes, SHAPE, ["scores"])


def equalized(graph, function=cross_layer_equalization):
    plan = make_plan(graph, real_images(0, 2, graph.shapes[graph.input]), recipe="wes")
    function(plan)
    return plan


@pytest.mark.parametrize("make", [chain, residual_network])
@pytest.mark.parametrize("seed", range(4))
def test_the_float_network_stays_what_it_is(make, seed):
    graph = make(seed)
    x = real_images(seed, 3, SHAPE)
    expected = run_graph(graph, x)["scores"]
    for function, bound in ((cross_layer_equalization, 1e-12), (cross_layer_equalization_pow2, 0.0)):
        plan = equalized(graph, function)
        assert any(not np.array_equal(a.weight, b.weight) for a, b in zip(convs(graph), convs(plan.graph), strict=True))
        found = run_graph(plan.graph, x)["scores"]
        assert np.abs(found - expected).max() <= bound * np.abs(expected).max(), seed


def convs(graph):
    return [node for node in graph.nodes if isinstance(node, Conv)]


@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_trained_networks_stay_what_they_are(name):
    graph = fashion.imported(name).graph
    x = np.random.default_rng(0).uniform(-1, 1, (4, *fashion.SHAPE))
    expected, found = (run_graph(g, x)[graph.outputs[0]] for g in (graph, equalized(graph).graph))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_afterwards_the_two_ranges_of_every_pair_are_proportional_and_a_second_pass_does_nothing():
    graph = equalized(chain()).graph
    first, depthwise, project = graph.nodes[:3]
    pairs = [(np.abs(first.weight).max(axis=(1, 2, 3)), np.abs(depthwise.weight).max(axis=(1, 2, 3)))]
    pairs.append((pairs[0][1], np.abs(project.weight).max(axis=(0, 2, 3))))
    for writes, reads in pairs:
        assert np.ptp(np.log2(writes / reads)) < 1e-4
    groups = [group for group in tensor_groups(graph) if not group.refused]
    find_factors(groups)
    assert len(groups) == 4 and max(np.abs(group.octaves).max() for group in groups) < 1e-4


def test_a_bottleneck_and_its_residual_share_one_factor_and_relu6_is_skipped_and_counted():
    plan = equalized(chain(activation=RELU6))
    groups = tensor_groups(plan.graph)
    free = [group for group in groups if not group.refused]
    assert [[conv.name for conv in group.producers] for group in free] == [["project", "project2"]]
    assert [conv.name for conv in free[0].consumers] == ["expand2", "scores"]
    skipped = "3 skipped: a clamp with an upper bound"
    assert plan.log == [f"cross_layer_equalization: 4 pairs in 1 groups; {skipped}"]
    assert equalized(chain()).log == ["cross_layer_equalization: 7 pairs in 4 groups; none skipped"]


def test_an_output_and_an_addition_with_the_input_are_left_alone():
    generator = np.random.default_rng(0)
    nodes = [
        conv(generator, "a", "x", 3, 3),
        Add("s", ("a", "x"), "s"),
        conv(generator, "b", "s", 3, 4),
        conv(generator, "c", "b", 4, 4),
    ]
    plan = equalized(graph_of(nodes, SHAPE, ["b", "c"]))
    assert "0 pairs in 0 groups; 1 skipped: the input, 1 skipped: an output of the network" in plan.log[0]


def test_dead_channels_keep_a_factor_of_1_and_the_others_stay_within_the_limit():
    graph = chain()
    graph.nodes[0].weight[2] = 0.0
    graph.nodes[0].weight[3] *= 2.0**60
    groups = [group for group in tensor_groups(graph) if not group.refused]
    find_factors(groups)
    assert groups[0].octaves[2] == 0 and groups[0].octaves[3] == OCTAVES
    assert all(np.abs(group.octaves).max() <= OCTAVES for group in groups)


def test_equalization_undoes_random_gains():
    graph = fashion.imported("fashion_mobilenet_v1").graph
    plain, undone = equalized(graph).graph, equalized(inverse_cle(graph, 8, seed=0)).graph
    for ours, theirs in zip(convs(undone), convs(plain), strict=True):
        ratio = np.abs(ours.weight).max(axis=(1, 2, 3)) / np.abs(theirs.weight).max(axis=(1, 2, 3))
        assert np.ptp(np.log2(ratio)) < 1e-3, ours.name


def with_norms(graph, seed, beta):
    generator = np.random.default_rng(seed)
    for node in convs(graph):
        count = len(node.bias)
        node.batch_norm = BatchNorm(generator.uniform(0.1, 1, count), generator.normal(beta, 1, count))
    return graph


def test_absorption_is_exact_where_no_activation_is_below_the_shift():
    graph = with_norms(chain(), 1, 0.0)
    for node in convs(graph):
        node.padding = (0, 0, 0, 0) if node.name != "depthwise" else node.padding
    first, middle = graph.nodes[0], graph.nodes[1]
    graph = graph_of(graph.nodes, SHAPE, ["scores"])
    x = real_images(0, 4, SHAPE)
    low = run_graph(graph, x)["depthwise"].min(axis=(0, 2, 3))
    middle.bias += 5.0 - low
    middle.batch_norm.beta = np.full(8, 4.0) + 3 * middle.batch_norm.gamma
    first.batch_norm.beta[:] = 100.0  # its reader pads, so it must stay
    expected, plan = run_graph(graph, x)["scores"], equalized(graph, bias_absorption)
    assert np.allclose(plan.graph.nodes[1].bias, middle.bias - 4.0)
    assert np.array_equal(plan.graph.nodes[0].bias, first.bias)
    assert np.allclose(run_graph(plan.graph, x)["scores"], expected, rtol=0, atol=1e-11)
    assert plan.log[0].startswith("bias_absorption: ") and "1 pairs skipped: their reader pads" in plan.log[0]


@pytest.mark.parametrize("activation", [RELU, RELU6, LINEAR, Activation(-1.0, 0.5)])
def test_analytic_moments_against_monte_carlo(activation):
    generator, draws = np.random.default_rng(4), 400_000
    mean, deviation = generator.normal(1, 3, 12), generator.uniform(0.1, 3, 12)
    x = generator.normal(mean, deviation, (draws, 12))
    x = np.clip(x, *(activation.low if activation.low is not None else -np.inf, activation.high))
    found = clamped_normal(mean, deviation, activation)
    error = x.std(axis=0) / np.sqrt(draws)
    assert (np.abs(found[0] - x.mean(axis=0)) <= 5 * error + 1e-12).all()
    assert (np.abs(found[1] - x.var(axis=0)) <= 5 * np.sqrt(np.var((x - x.mean(0)) ** 2, axis=0) / draws) + 1e-9).all()


def test_a_channel_without_spread_has_the_mean_of_its_clamp():
    mean, variance = clamped_normal(np.array([-2.0, 3.0, 9.0]), np.zeros(3), RELU6)
    assert mean.tolist() == [0.0, 3.0, 6.0] and variance.tolist() == [0.0, 0.0, 0.0]


def test_analytic_correction_is_the_mean_that_monte_carlo_finds():
    graph = with_norms(chain(activation=RELU6), 2, 1.0)
    plan = make_plan(graph, real_images(0, 4, SHAPE), recipe="wes+analytic", weight_bits=4)
    execute(plan, RECIPES["wes+analytic"])
    moments, generator, draws = tensor_moments(plan.graph), np.random.default_rng(0), 100_000
    operation = next(op for op in plan.operations if op.name == "project")
    norm = plan.graph.nodes[1].batch_norm
    x = np.clip(generator.normal(norm.beta, norm.gamma, (draws, 8)), 0, 6)
    codes = plan.codes["project"]
    errors = x @ (codes.codes * codes.real_scale[:, None, None, None] - operation.weight)[:, :, 0, 0].T
    expected = rounding_error_mean(plan, operation, moments["depthwise"][0])
    assert (np.abs(errors.mean(axis=0) - expected) <= 5 * errors.std(axis=0) / np.sqrt(draws)).all()
    assert np.array_equal(plan.corrections["project"], -expected) and np.abs(expected).max() > 0
    assert "analytic_bias_correction: 5 layers, 1 with an input of unknown mean" in plan.log


def test_recipes_leave_the_callers_graph_alone():
    graph = chain()
    kept = copy.deepcopy(graph)
    execute(make_plan(graph, real_images(0, 4, SHAPE), recipe="wes+cle+bc"), RECIPES["wes+cle+bc"])
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(convs(graph), convs(kept), strict=True))

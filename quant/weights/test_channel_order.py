"""Channel reordering: the float function stays, integers of a permuted quantization are the same bit for bit."""

import copy
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from golden.run import run
from quant.evaluation import fashion
from quant.evaluation.evaluate import input_codes
from quant.float_graph.graph import Conv
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import LINEAR, conv, graph_of, real_images, residual_network
from quant.passes.channel_reordering import apply_orders, find_orders, keeps_channels, total_cost
from quant.passes.cross_layer_equalization import tied_tensors
from quant.plan.lower import lower
from quant.plan.operations import fuse
from quant.recipe import quantize_with_plan
from quant.weights.channel_order import _Groups, better_order, order_cost, relative_ranges, sorted_order
from quant.weights.weights import recode


def ranges(seed, layers, channels, dead=0.0):
    rng = np.random.default_rng(seed)
    values = 2.0 ** -rng.uniform(0, 9, (layers, channels))
    return np.where(rng.random((layers, channels)) < dead, 0.0, values)


def inverse(values):
    """Weights that make the cost that of errors relative to each channel's range."""
    relative = relative_ranges(values)
    return np.where(relative > 0, 1 / np.where(relative > 0, relative, 1.0) ** 2, 0.0)


def cost(values, order, group):
    return order_cost(values[:, order], group, inverse(values)[:, order])


@pytest.mark.parametrize("seed", range(6))
def test_the_cost_of_an_exchange_is_that_of_the_exchanged_order(seed):
    values, group = ranges(seed, 1 + seed % 3, 11, dead=0.1), 2 + seed % 3
    weights = inverse(values)
    groups = _Groups(relative_ranges(values), group, weights)
    for a in range(11):
        change = groups.exchange_costs(a)
        for b in range(11):
            order = np.arange(11)
            order[[a, b]] = order[[b, a]]
            before = order_cost(values, group, weights)
            wanted = order_cost(values[:, order], group, weights[:, order]) - before
            assert np.isclose(change[b], wanted, rtol=1e-9, atol=1e-9 * before)


@pytest.mark.parametrize("group", [2, 3, 4, 16])
@pytest.mark.parametrize("layers", [1, 3])
def test_an_order_is_a_permutation_and_never_costs_more(layers, group):
    for seed in range(8):
        values = ranges(seed, layers, 21, dead=0.1)
        order = better_order(values, group, inverse(values))
        assert sorted(order.tolist()) == list(range(21))
        assert cost(values, order, group) <= min(
            cost(values, np.arange(21), group), cost(values, sorted_order(values), group)
        )
        assert np.array_equal(order, better_order(values, group, inverse(values)))


def test_one_layer_gets_the_best_of_all_partitions():
    """8 channels in two groups of 4: 70 ways, and the sorted order is among the best."""
    for seed in range(20):
        values = ranges(seed, 1, 8)
        least = min(
            cost(values, [*chosen, *(set(range(8)) - set(chosen))], 4) for chosen in combinations(range(8), 4)
        )
        assert np.isclose(cost(values, better_order(values, 4, inverse(values)), 4), least)


def test_exchanges_help_where_layers_disagree():
    values = [ranges(seed, 2, 24) for seed in range(10)]
    costs = [
        [cost(v, order, 4) for order in (np.arange(24), sorted_order(v), better_order(v, 4, inverse(v)))]
        for v in values
    ]  # fmt: skip
    assert all(best <= min(first, middle) for first, middle, best in costs)
    assert sum(best < middle for _, middle, best in costs) >= 8


def test_groups_of_one_and_of_all_have_nothing_to_reorder():
    values = ranges(0, 2, 6)
    for group in (1, 6):
        assert better_order(values, group, inverse(values)).tolist() == list(range(6))


def graphs():
    made = [residual_network(seed) for seed in range(3)]
    rng = np.random.default_rng(9)
    nodes = [
        conv(rng, "one", "x", 3, 12, kernel=3), conv(rng, "dw", "one", 12, 12, kernel=3, depthwise=True),
        conv(rng, "same", "dw", 12, 12, activation=LINEAR), conv(rng, "out", "same", 12, 4),
    ]  # fmt: skip
    return [*made, graph_of(nodes, (3, 8, 8), ["out", "dw"])]  # an output in the middle keeps its order, and "one" too


def new_order(graph, orders):
    """tensor -> order of its channels, every one."""
    root = tied_tensors(graph, keeps_channels)
    return {name: orders.get(root[name], np.arange(shape[0])) for name, shape in graph.shapes.items()}


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("index", range(4))
def test_the_float_network_stays_and_its_channels_move(index, group):
    graph = graphs()[index]
    x = real_images(1, 3, graph.shapes["x"])
    before, moved = run_graph(graph, x), copy.deepcopy(graph)
    orders = find_orders(graph, group)
    apply_orders(moved, orders)
    moved.validate()
    after = run_graph(moved, x)
    for name, order in new_order(graph, orders).items():
        largest = np.abs(before[name]).max()
        assert np.abs(after[name] - before[name][:, order]).max() <= 1e-6 * largest, name
        assert name not in ("x", *graph.outputs) or order.tolist() == list(range(len(order)))
    assert any((order != np.arange(len(order))).any() for order in orders.values())
    assert total_cost(moved, group) <= total_cost(graph, group) * (1 + 1e-9) or group == 1


@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_the_committed_networks_keep_their_scores(name):
    graph = copy.deepcopy(fashion.imported(name).graph)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *graph.shapes[graph.input]))
    before, first = run_graph(graph, x), total_cost(graph, 8)
    apply_orders(graph, find_orders(graph, 8))
    after = run_graph(graph, x)
    for output in graph.outputs:
        assert np.abs(after[output] - before[output]).max() <= 1e-6 * np.abs(before[output]).max()
    assert total_cost(graph, 8) < first * 0.75


@pytest.mark.parametrize("recipe", ["wes+bc", "wes+sum", "channelwise"])
@pytest.mark.parametrize("index", range(4))
def test_integers_of_a_permuted_quantization_are_the_same_bit_for_bit(index, recipe):
    """Scales, shifts, codes and corrections permuted along: every tensor is the former one with its channels moved."""
    graph = graphs()[index]
    images = real_images(2, 4, graph.shapes["x"])
    plan, network = quantize_with_plan(graph, images, recipe=recipe)
    orders = find_orders(plan.graph, 2)
    order = new_order(plan.graph, orders)
    moved = copy.deepcopy(plan)
    apply_orders(moved.graph, orders)
    moved.operations = fuse(moved.graph, moved.scales)
    for operation in moved.operations:
        moved.codes[operation.name] = permuted(plan, moved, operation, order)
        if operation.name in moved.corrections:
            moved.corrections[operation.name] = plan.corrections[operation.name][order[operation.output]]
    x = input_codes(network, images)
    before, after = run(network, x, keep=True).tensors, run(lower(moved), x, keep=True).tensors
    for name, tensor in before.items():
        assert np.array_equal(after[name], tensor[:, order[name]]), name
    assert any(not np.array_equal(after[name], before[name]) for name in before)


def permuted(plan, moved, operation, order):
    """The codes of an operation in the new order, from the new weights where each is rounded by itself."""
    weights, out, inside = plan.codes[operation.name], order[operation.output], order[operation.input]
    codes = weights.codes[out] if operation.depthwise else weights.codes[out][:, inside]
    channel_scale = None if weights.channel_scale is None else weights.channel_scale[out]
    made = replace(weights, codes=codes, shift=weights.shift[out], channel_scale=channel_scale)
    if "sum" not in plan.rounding.__name__:
        assert np.array_equal(recode(operation.weight, made).codes, codes)
    return made


def test_batch_normalization_moves_with_its_convolution():
    graph = copy.deepcopy(fashion.imported("fashion_mobilenet_v2").graph)
    before = {node.name: node.batch_norm for node in graph.nodes if isinstance(node, Conv) and node.batch_norm}
    before = {name: norm.beta.copy() for name, norm in before.items()}
    orders = find_orders(graph, 4)
    order = new_order(graph, orders)
    apply_orders(graph, orders)
    compared = [
        np.array_equal(node.batch_norm.beta, before[node.name][order[node.output]])
        for node in graph.nodes if isinstance(node, Conv) and node.batch_norm
    ]  # fmt: skip
    assert len(compared) > 10 and all(compared)

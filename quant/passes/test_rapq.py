"""RAPQ's choice of exponents against brute force on whole integer networks."""

from itertools import combinations, product

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.file import encode_network
from golden.run import run
from quant.exponents.loss import ExponentLoss
from quant.float_graph.sample_graphs import RELU, RELU6, conv, graph_of, real_images, residual_network
from quant.passes.rapq import IMAGES, POWER, rapq
from quant.plan.input_scale import quantize_real
from quant.plan.lower import lower
from quant.recipe import execute, make_plan, quantize, recipe_passes

SHAPE = (3, 4, 4)


def chain(seed: int, layers: int):
    """Dense and depthwise layers in a row, small enough for brute force."""
    generator, width = np.random.default_rng(seed), 4
    nodes = [conv(generator, "n0", "x", 3, width, kernel=3, activation=RELU)]
    for index in range(1, layers - 1):
        kind = {"kernel": 3, "depthwise": True} if index % 2 else {}
        nodes.append(conv(generator, f"n{index}", f"n{index - 1}", width, width, activation=RELU6, **kind))
    if layers > 1:
        nodes.append(conv(generator, f"n{layers - 1}", f"n{layers - 2}", width, 3))
    for node in nodes:
        node.weight *= 3  # against the decay of the signal
    return graph_of(nodes, SHAPE, [nodes[-1].output])


def prepared(graph, recipe: str, bits: int):
    """A plan after all passes before rapq, and its graph's images."""
    shape = graph.shapes[graph.input]
    plan = make_plan(graph, real_images(1, 4, shape), recipe=recipe, weight_bits=bits)
    passes = recipe_passes(recipe)
    execute(plan, passes[: passes.index("rapq")])
    return plan


def from_scratch(plan, loss: ExponentLoss, choice) -> float:
    """The loss of a choice from the lowered network alone, every layer run by golden; infinity if it is refused."""
    loss.put(choice)
    try:
        network = lower(plan)
    except WesnpuError:
        return float("inf")
    source = network.tensors[network.input]
    found = run(network, quantize_real(loss.real, source.scale, source.zero_point)).outputs
    total = 0.0
    for name, wanted in loss.float_outputs.items():
        real = (found[name].astype(float) - network.tensors[name].zero_point) * network.tensors[name].scale
        total += float((np.abs(real - wanted) ** POWER).sum())
    return total


def exponents(loss: ExponentLoss) -> tuple[int, ...]:
    """Those the plan has now."""
    return tuple(round(np.log2(place.where[place.name].scale)) for place in loss.places)


@pytest.mark.parametrize(("layers", "bits"), [(1, 8), (2, 4), (3, 2)])
@pytest.mark.parametrize("recipe", ["pow2+rapq", "pow2-channel+sum+rapq"])
def test_the_pass_finds_what_brute_force_finds(layers, bits, recipe):
    for seed in range(2 if layers < 3 else 1):
        plan = prepared(chain(seed, layers), recipe, bits)
        loss = ExponentLoss(plan, IMAGES, POWER)
        start, options = exponents(loss), [place.options for place in loss.places]
        assert len(options) == 2 * layers + 1
        values = {choice: from_scratch(plan, loss, choice) for choice in product(*options)}
        loss.put(start)
        rapq(plan)
        assert values[exponents(loss)] == min(values.values()), seed


@pytest.mark.parametrize("recipe", ["pow2+rapq", "pow2-channel+rapq+bc"])
def test_layers_before_a_change_need_not_run_again(recipe):
    plan = prepared(residual_network(3), recipe, 4)
    loss, generator = ExponentLoss(plan, 4, POWER), np.random.default_rng(0)
    start = best = exponents(loss)
    least, allowed = loss(best, 0), 0
    for _ in range(25):
        first = int(generator.integers(len(best)))
        choice = (*best[:first], *(int(generator.choice(place.options)) for place in loss.places[first:]))
        value = loss(choice, first)
        loss.put(start)
        assert value == ExponentLoss(plan, 4, POWER)(choice, 0), first
        allowed += np.isfinite(value)
        best, least = (choice, value) if value < least else (best, least)
    assert allowed > 10 and best != start


def filled(graph):
    """Every layer's largest weight takes the largest code, so few scales have a choice and brute force can end."""
    for node in graph.nodes:
        top = np.abs(node.weight).max()
        node.weight *= 2.0 ** np.ceil(np.log2(top)) * (127 / 128) / top
    return graph


@pytest.mark.parametrize(("seed", "count"), [(14, 512), pytest.param(12, 1024, marks=pytest.mark.long)])
def test_on_chains_of_eight_layers_the_pass_finds_what_brute_force_finds(seed, count):
    plan = prepared(filled(chain(seed, 8)), "pow2+rapq", 8)
    loss = ExponentLoss(plan, IMAGES, POWER)
    start, options = exponents(loss), [place.options for place in loss.places]
    values = {choice: from_scratch(plan, loss, choice) for choice in product(*options)}
    assert len(options) == 17 and len(values) == count
    loss.put(start)
    rapq(plan)
    assert values[exponents(loss)] == min(values.values()) < values[start]


def test_after_the_pass_no_change_of_two_far_exponents_of_eight_layers_helps():
    plan = prepared(chain(2, 8), "pow2+rapq", 2)
    loss = ExponentLoss(plan, IMAGES, POWER)
    start = from_scratch(plan, loss, exponents(loss))
    rapq(plan)
    found, tried = exponents(loss), 0
    least = from_scratch(plan, loss, found)
    for one, other in combinations(range(len(found)), 2):
        for values in () if other - one < 4 else product(loss.places[one].options, loss.places[other].options):
            choice = list(found)
            choice[one], choice[other] = values
            assert from_scratch(plan, loss, tuple(choice)) >= least, (one, other, values)
            tried += 1
    assert least < start and tried > 300


def test_eight_layers_end_no_worse_than_the_start_and_than_random_choices():
    plan = prepared(chain(5, 8), "pow2+rapq", 4)
    loss, generator = ExponentLoss(plan, IMAGES, POWER), np.random.default_rng(0)
    start = tuple(place.start for place in loss.places)
    others = [tuple(int(generator.choice(place.options)) for place in loss.places) for _ in range(100)]
    values = [from_scratch(plan, loss, choice) for choice in [start, *others]]
    loss.put(start)
    rapq(plan)
    assert from_scratch(plan, loss, exponents(loss)) <= min(values) and values[0] > min(values)


@pytest.mark.parametrize("recipe", ["pow2-channel+sum+rapq+bc"])
def test_two_runs_are_byte_identical_and_every_multiplier_is_a_power_of_two(recipe):
    images = real_images(2, 4, (3, 8, 8))
    one, other = (quantize(residual_network(4), images, recipe=recipe, weight_bits=4) for _ in range(2))
    assert encode_network(one) == encode_network(other)
    assert {layer.requantizer.multiplier for layer in one.layers} == {2**15}
    assert any(line.startswith("rapq: ") for line in one.provenance["log"])

"""The search for activation scales: brute force on outputs, never worse on held-out images, repeatable."""

import numpy as np
import pytest

from golden.file import encode_network
from quant.calibration.held_out import HeldOut
from quant.float_graph.sample_graphs import RELU, conv, graph_of, real_images, residual_network
from quant.passes.activation_search import FACTORS, activation_search, best_scale
from quant.plan.operations import operation
from quant.plan.scales import scale_of_range
from quant.recipe import execute, make_plan, parse, quantize


def planned(graph, images, recipe, **options):
    """The plan as the search finds it."""
    plan, passes = make_plan(graph, images, recipe=recipe, **options), parse(recipe)
    execute(plan, passes[: passes.index("activation_search")])
    return plan


@pytest.mark.parametrize("bits", [8, 4])
def test_the_scale_is_the_best_of_all_factors_on_the_whole_output(bits):
    """Few positions, so that all are sampled; the error is that of the reading layer's real output."""
    rng = np.random.default_rng(bits)
    nodes = [conv(rng, "a", "x", 3, 6, activation=RELU), conv(rng, "b", "a", 6, 4), conv(rng, "c", "a", 6, 2)]
    graph = graph_of(nodes, (3, 4, 4), ["b", "c"])
    plan = planned(graph, real_images(0, 6, (3, 4, 4)), "wes+asearch", activation_bits=bits)
    real = rng.exponential(size=(2, 6, 4, 4)).astype(np.float32) ** 2
    plan.statistics.ranges["a"] = (0.0, float(real.max()))
    readers = [operation(node, graph) for node in nodes[1:]]
    errors = []
    for factor in FACTORS:
        scale = scale_of_range(0.0, factor * float(real.max()), bits=bits)
        codes = np.clip(np.floor(real / scale.scale + 0.5) + scale.zero_point, -128, scale.top)
        off = (codes - scale.zero_point) * scale.scale - real
        outputs = [[np.einsum("nihw,oi->nohw", v, r.weight[:, :, 0, 0]) for v in (off, real)] for r in readers]
        errors.append(sum(np.square(e).sum() / np.square(y).sum() for e, y in outputs))
    wanted = scale_of_range(0.0, float(FACTORS[int(np.argmin(errors))] * real.max()), bits=bits)
    found = best_scale(plan, "a", real, readers)
    assert np.isclose(found.scale, wanted.scale) and found.zero_point == wanted.zero_point
    assert bits == 8 or found.scale < scale_of_range(0.0, float(real.max()), bits=bits).scale


@pytest.mark.parametrize("recipe", ["wes+asearch", "layerwise+asearch+bc", "sl4x2+search+asearch+sum"])
def test_held_out_outputs_never_get_worse(recipe):
    kept = 0
    for seed in range(4):
        graph = residual_network(seed)
        plan = planned(graph, real_images(seed, 8, graph.shapes["x"]), recipe, activation_bits=4)
        before, scales = HeldOut(plan).loss(plan), dict(plan.scales)
        activation_search(plan)
        after, changed = HeldOut(plan).loss(plan), plan.scales != scales
        assert after < before if changed else after == before
        kept += changed
        for name in ("x", *graph.outputs):
            assert name in graph.outputs or plan.scales[name] == scales[name]
    assert kept > 0


def test_two_runs_give_the_same_bytes_and_the_log_tells_what_was_done():
    graph = residual_network(2)
    images = real_images(2, 8, graph.shapes["x"])
    made = [quantize(graph, images, recipe="wes+asearch+bc", activation_bits=6) for _ in range(2)]
    assert encode_network(made[0]) == encode_network(made[1])
    assert sum(line.startswith("activation_search: ") for line in made[0].provenance["log"]) >= 1


def test_a_single_image_changes_nothing():
    graph = residual_network(2)
    images = real_images(2, 1, graph.shapes["x"])
    one, other = (quantize(graph, images, recipe=recipe) for recipe in ("wes+asearch", "wes"))
    assert all(a.weight.tobytes() == b.weight.tobytes() for a, b in zip(one.layers, other.layers, strict=True))
    assert one.tensors == other.tensors

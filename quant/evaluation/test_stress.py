"""Controlled stress: the function stays, layer-wise quantization collapses, the weight equalizing shift holds."""

from pathlib import Path

import numpy as np
import pytest

from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, float_scores, scores
from quant.evaluation.stress import curves, inverse_cle, plot, silent_outliers
from quant.float_graph.graph import Conv
from quant.float_graph.numpy_run import run_graph
from quant.images.batches import Images
from quant.recipe import quantize
from quant.weights.weights import channel_ranges, saturated_channels

BUILD = Path(__file__).resolve().parent.parent.parent / "build"
STRENGTHS = (0, 2, 4, 6, 8, 10, 12, 15, 18)
SILENT = (0, 2, 4, 6, 7)
IMAGES = 100
CHANCE = 25.0  # percent: below it a network of ten classes has collapsed


@pytest.fixture(scope="module")
def graph():
    return fashion.imported("fashion_mobilenet_v1").graph


def stressed(make, recipes, strengths, integers):
    data = fashion.data()
    images = Images(data.images[:IMAGES], fashion.SHAPE, fashion.PREPROCESSING)
    options = {"recipes": recipes, "strengths": strengths, "integers": integers}
    found = curves(make, data.calibration[:32], images, data.labels[:IMAGES], **options)
    for curve in found:
        print(curve.method, dict(zip(strengths, curve.top1, strict=True)))
    return found


@pytest.mark.parametrize("strength", [3, 12, 18])
def test_gains_and_silent_channels_leave_the_function_unchanged(graph, strength):
    x = next(Images(fashion.data().images[:2], fashion.SHAPE, fashion.PREPROCESSING).batches(2))
    expected = run_graph(graph, x)[graph.outputs[0]]
    for changed in (inverse_cle(graph, strength, seed=1), silent_outliers(graph, strength)):
        changed.validate()
        found = run_graph(changed, x)[graph.outputs[0]]
        assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


def test_gains_spread_the_weights_until_the_shift_field_saturates(graph):
    def saturated(strength):
        convs = [node for node in inverse_cle(graph, strength, seed=0).nodes if isinstance(node, Conv)]
        return sum(saturated_channels(channel_ranges(node.weight)) for node in convs)

    assert saturated(0) == 0 and saturated(8) == 0 and saturated(18) > 20


def test_weights_alone_layerwise_collapses_and_wes_holds(graph):
    recipes = ("layerwise", "wes", "channelwise")
    panels = {
        "inverse CLE, weights only": stressed(lambda k: inverse_cle(graph, k, 0), recipes, STRENGTHS, False),
        "inverse CLE, integers": stressed(lambda k: inverse_cle(graph, k, 0), recipes, STRENGTHS, True),
    }
    plot(panels, STRENGTHS, BUILD / "stress.png")
    assert (BUILD / "stress.png").stat().st_size > 1000
    plain, layerwise, wes, channelwise = (np.array(curve.top1) for curve in panels["inverse CLE, weights only"])
    assert np.ptp(plain) == 0
    assert (layerwise[STRENGTHS.index(10) :] <= CHANCE).all()
    assert (wes >= plain - 3).all() and (channelwise >= plain - 3).all()
    _, layerwise, wes, _ = (np.array(curve.top1) for curve in panels["inverse CLE, integers"])
    assert (wes[: STRENGTHS.index(6) + 1] >= plain[0] - 4).all() and layerwise[STRENGTHS.index(10)] <= CHANCE


def test_silent_outliers_as_integers_layerwise_collapses_and_wes_holds(graph):
    found = stressed(lambda k: silent_outliers(graph, k), ("layerwise", "wes"), SILENT, True)
    plot({"silent outliers, integers": found}, SILENT, BUILD / "stress_silent.png")
    plain, layerwise, wes = (np.array(curve.top1) for curve in found)
    assert np.ptp(plain) == 0 and layerwise[-1] <= CHANCE and (wes >= plain - 3).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_with_equalization_the_shift_scaler_holds_on_integers_where_layerwise_is_at_chance(graph, seed):
    data = fashion.data()
    changed, pixels = inverse_cle(graph, 12, seed), Images(data.images, fashion.SHAPE, fashion.PREPROCESSING)
    plain = compare_scores(float_scores(changed, pixels), data.labels).top1
    found = {}
    for recipe, count in (("layerwise", IMAGES), ("wes+cle+bc", len(data.labels))):
        network = quantize(changed, data.calibration[:64], recipe=recipe, preprocessing=fashion.PREPROCESSING)
        images = Images(data.images[:count], fashion.SHAPE, fashion.PREPROCESSING)
        found[recipe] = compare_scores(scores(network, images), data.labels[:count]).top1
    print(f"k = 12, seed {seed}: float {plain}, {found}")
    assert found["layerwise"] <= CHANCE and found["wes+cle+bc"] >= plain - 0.5

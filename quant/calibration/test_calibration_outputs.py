"""Outputs of the network keep their whole range, whatever the observer does to the tensors inside."""

import numpy as np
import pytest

from golden.run import run
from quant.calibration.calibrate import collect
from quant.calibration.observers import OBSERVERS
from quant.evaluation.evaluate import input_codes
from quant.float_graph.sample_graphs import LINEAR, RELU, conv, graph_of
from quant.recipe import quantize

IMAGES = np.random.default_rng(3).normal(0, 1, (400, 3, 8, 8)).astype(np.float32)


def two_layers(outputs):
    generator = np.random.default_rng(0)
    nodes = [
        conv(generator, "a", "x", 3, 8, kernel=3, activation=RELU),
        conv(generator, "b", "a", 8, 5, activation=LINEAR),
    ]
    return graph_of(nodes, (3, 8, 8), outputs)


@pytest.mark.parametrize("observer", sorted(set(OBSERVERS) - {"minmax"}))
def test_an_observer_clips_inside_but_never_an_output(observer):
    inside = collect(two_layers(["b"]), [IMAGES], observer=observer).ranges
    both = collect(two_layers(["a", "b"]), [IMAGES], observer=observer).ranges
    whole = collect(two_layers(["b"]), [IMAGES]).ranges
    assert inside["b"] == whole["b"] and inside["a"][1] < whole["a"][1]
    assert both == {**inside, "a": whole["a"]}


def test_no_score_of_the_calibration_images_saturates_by_more_than_rounding():
    network = quantize(two_layers(["b"]), IMAGES[:50], observer="percentile")
    tensor = network.tensors["b"]
    real = run(network, input_codes(network, IMAGES[:50])).outputs["b"]
    low, high = collect(two_layers(["b"]), [IMAGES[:50]]).ranges["b"]
    assert tensor.scale * (127 - tensor.zero_point) >= high - tensor.scale
    assert tensor.scale * (-128 - tensor.zero_point) <= low + tensor.scale
    assert np.count_nonzero(real == 127) <= 3 and np.count_nonzero(real == -128) <= 3

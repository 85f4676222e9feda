"""Data-free ranges: they hold the values of a normalised network, and the trained networks keep their accuracy."""

import numpy as np
import pytest

from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, scores
from quant.float_graph.graph import Conv
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.images.batches import Images
from quant.passes.data_free_ranges import data_free_ranges
from quant.recipe import make_plan, quantize


@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_ranges_follow_from_the_statistics_and_hold_nearly_all_values(name):
    plan = make_plan(fashion.imported(name), fashion.data().calibration[:16], recipe="wes+dfq+free",
                     preprocessing=fashion.PREPROCESSING)  # fmt: skip
    data_free_ranges(plan)
    ranges = plan.statistics.ranges
    images = Images(fashion.data().images[:16], fashion.SHAPE, fashion.PREPROCESSING)
    values, normed = run_graph(plan.graph, next(images.batches(16))), 0
    for node in plan.graph.nodes:
        low, high = ranges[node.output]
        inside = (values[node.output] >= low) & (values[node.output] <= high)
        # the score of the class in the picture is a sum of inputs that rise together: it may clip
        assert inside.mean() > (0.85 if node.output in plan.graph.outputs else 0.999), node.output
        if isinstance(node, Conv) and node.batch_norm is not None:
            reach, beta = 6 * np.abs(node.batch_norm.gamma), node.batch_norm.beta
            assert np.isclose(high, min(node.activation.high or np.inf, (beta + reach).max()), rtol=1e-12)
            assert np.isclose(low, 0.0 if node.activation.low == 0 else (beta - reach).min(), rtol=1e-12)
            normed += 1
    assert normed >= 8


def test_no_image_has_a_say_in_the_network():
    name, data = "fashion_mobilenet_v2", fashion.data()
    options = {"recipe": "wes+dfq+free", "preprocessing": fashion.PREPROCESSING}
    one = quantize(fashion.imported(name), data.calibration[:4], **options)
    other = quantize(fashion.imported(name), 255 - data.calibration[4:8], **options)
    assert one.tensors == other.tensors
    assert all(np.array_equal(a.bias, b.bias) for a, b in zip(one.layers, other.layers, strict=True))


@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_accuracy_without_any_image(name):
    data = fashion.data()
    network = quantize(fashion.imported(name), data.calibration[:1], recipe="wes+dfq+free",
                       preprocessing=fashion.PREPROCESSING)  # fmt: skip
    images = Images(data.images[:300], fashion.SHAPE, fashion.PREPROCESSING)
    found = compare_scores(scores(network, images), data.labels[:300], fashion.scores_of(name, None)[:300])
    print(f"{name}: top-1 {found.top1:.1f}, agreement {found.agreement:.1f}")
    assert found.agreement >= 95.0


def test_what_statistics_do_not_tell_comes_from_the_images_and_is_counted():
    graph, images = residual_network(0), real_images(0, 3, (3, 8, 8))
    free, plain = (quantize(graph, images, recipe=recipe) for recipe in ("wes+dfq+free", "wes+dfq"))
    assert free.tensors == plain.tensors
    assert "data_free_ranges: 0 tensors without any image, 11 from calibration images" in free.provenance["log"]
    network = fashion.network("fashion_mobilenet_v1", "wes+dfq+free")
    assert any("without any image, 0 from calibration" in line for line in network.provenance["log"])

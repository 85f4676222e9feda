"""Accuracy of the Fashion-MNIST networks run as integers on the 1,000 committed test images."""

import math

import numpy as np
import pytest

from models.fashion_mnist import load
from quant.calibration.observers import OBSERVERS
from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, evaluate, float_scores, input_codes, scores, tensor_sqnr
from quant.images.batches import Images
from quant.recipe import quantize

LOSS_ALLOWED = 0.3  # percentage points on the whole population (10,000 images)


def allowed_loss(mine: np.ndarray, reference: np.ndarray) -> float:
    """Largest loss in pp that 1,000 images can show by chance if the true loss is LOSS_ALLOWED.

    Top-1 of two networks differs by the images on which exactly one is right, a share p of at most those they disagree
    on; the difference has standard deviation sqrt(p / n). Three of these are allowed.
    """
    disagree = np.count_nonzero(mine.argmax(axis=1) != reference.argmax(axis=1)) / len(mine)
    return LOSS_ALLOWED + 100 * 3 * math.sqrt(disagree / len(mine))


@pytest.mark.parametrize("name", fashion.NETWORKS)
@pytest.mark.parametrize("recipe", ["wes", "wes+bc", "channelwise", "layerwise"])
def test_top1_as_integers_against_float(name, recipe, record_property):
    reference, mine = fashion.scores_of(name, None), fashion.scores_of(name, recipe)
    plain = compare_scores(reference, fashion.data().labels)
    found = compare_scores(mine, fashion.data().labels, reference)
    record_property("top1", found.top1)
    print(f"{name} {recipe}: float {plain.top1:.1f}, integers {found.top1:.1f}, agreement {found.agreement:.1f}")
    assert found.images == 1000 and plain.top1 > 85
    if recipe != "layerwise":
        assert found.top1 >= plain.top1 - allowed_loss(mine, reference)
        assert found.agreement >= 98.0


@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_wes_is_nearer_to_float_than_layerwise_and_channelwise_nearer_still(name):
    images = Images(fashion.data().images[:64], fashion.SHAPE, fashion.PREPROCESSING)
    graph, output = fashion.imported(name).graph, fashion.network(name, "wes").outputs[0]
    recipes = ("layerwise", "wes", "channelwise")
    layerwise, wes, channelwise = (
        tensor_sqnr(fashion.network(name, recipe), graph, images)[output] for recipe in recipes
    )
    print(f"{name}: SQNR of the scores {layerwise:.1f}, {wes:.1f}, {channelwise:.1f} dB")
    assert layerwise + 1 < wes and channelwise > wes - 1


@pytest.mark.parametrize("observer", OBSERVERS)
def test_every_observer_keeps_the_accuracy(observer):
    name, data = "fashion_mobilenet_v2", fashion.data()
    network = quantize(
        fashion.imported(name), data.calibration, recipe="wes", observer=observer, preprocessing=fashion.PREPROCESSING
    )
    images = Images(data.images[:300], fashion.SHAPE, fashion.PREPROCESSING)
    found = compare_scores(scores(network, images), data.labels[:300], fashion.scores_of(name, None)[:300])
    assert found.agreement >= 96.0


def test_pixels_enter_the_network_exactly():
    network = fashion.network("fashion_mobilenet_v1", "wes")
    pixels = fashion.data().images[:2]
    codes = input_codes(network, next(Images(pixels, fashion.SHAPE, fashion.PREPROCESSING).batches(2)))
    assert np.array_equal(codes[:, 0].astype(int), pixels[..., 0].astype(int) - 128)


def test_evaluation_is_the_same_with_worker_processes_and_counts_what_it_says():
    name, data = "fashion_mobilenet_v1", fashion.data()
    images = Images(data.images[:40], fashion.SHAPE, fashion.PREPROCESSING)
    network, told = fashion.network(name, "wes"), []
    expected = fashion.scores_of(name, "wes")[:40]
    assert np.array_equal(scores(network, images, workers=2, progress=told.append), expected)
    assert told == [16, 32, 40]
    found = evaluate(network, images, data.labels[:40], graph=fashion.imported(name).graph)
    assert found.correct == int((expected.argmax(axis=1) == data.labels[:40]).sum()) and found.images == 40
    assert found.agree == int((expected.argmax(axis=1) == fashion.scores_of(name, None)[:40].argmax(axis=1)).sum())
    assert evaluate(network, images).top1 is None


@pytest.mark.long
@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_wes_is_within_the_allowed_loss_on_all_10000_test_images(name):
    try:
        pixels, labels = load("t10k")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    images = Images(pixels, fashion.SHAPE, fashion.PREPROCESSING)
    plain = compare_scores(float_scores(fashion.imported(name).graph, images), labels)
    found = compare_scores(scores(fashion.network(name, "wes"), images, workers=2), labels)
    print(f"{name}: 10,000 images, float {plain.top1:.2f}, WES as integers {found.top1:.2f}")
    assert found.images == 10_000 and found.top1 >= plain.top1 - LOSS_ALLOWED

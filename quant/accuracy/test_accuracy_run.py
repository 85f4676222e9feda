"""Comparisons: the figures are those of the networks, kept by what they depend on, the same however they are found."""

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.accuracy import candidates
from quant.accuracy import run as accuracy_run
from quant.accuracy import store as accuracy_store
from quant.accuracy.measure import decibel, measure
from quant.accuracy.method import ORT_CHANNEL, ORT_TENSOR, Method
from quant.accuracy.run import Comparison, Unit
from quant.accuracy.store import Store
from quant.accuracy.subject import CALIBRATION_IMAGES, Fold, Subject, cross_fitted_draws, independent_draws
from quant.evaluation.evaluate import float_scores, scores, tensor_sqnr
from quant.float_graph.sample_graphs import residual_network
from quant.images.batches import Images
from quant.recipe import quantize

HOW = Preprocessing(8, 8, "RGB")
PIXELS = np.random.default_rng(1).integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)
LABELS = np.random.default_rng(2).integers(0, 5, 50)


def subject(**changes):
    given = {
        "name": "sample", "kind": "", "imported": residual_network(3), "preprocessing": HOW, "images": PIXELS,
        "labels": LABELS, "draws": cross_fitted_draws(PIXELS, 2),
    }
    return Subject(**{**given, **changes})


def units(*recipes, draws=(0, 1)):
    return [Unit(0, Method(recipe), draw) for draw in draws for recipe in recipes]


def test_cross_fitted_figures_are_those_of_two_networks(tmp_path):
    comparison = Comparison([subject()], Store(tmp_path))
    found, seconds = comparison.find(Unit(0, Method("wes+bc", 4), 1))
    graph, expected, real = residual_network(3), np.zeros(50, int), np.zeros((50, 5))
    for fold in cross_fitted_draws(PIXELS, 2)[1]:
        assert not set(map(bytes, fold.calibration)) & set(map(bytes, PIXELS[fold.evaluated]))
        made = quantize(graph, fold.calibration, recipe="wes+bc", weight_bits=4, preprocessing=HOW)
        codes = scores(made, Images(PIXELS[fold.evaluated], (3, 8, 8), HOW))
        output = made.tensors[made.outputs[0]]
        expected[fold.evaluated] = codes.argmax(axis=1)
        real[fold.evaluated] = (codes.astype(float) - output.zero_point) * output.scale
    assert np.array_equal(found.predicted, expected)
    reference = float_scores(graph, Images(PIXELS, (3, 8, 8), HOW))
    noise = np.square(real - reference).sum()
    assert found.sqnr == pytest.approx(10 * np.log10(np.square(reference, dtype=float).sum() / noise))
    assert found.seconds > 0 and not found.layers and found.engine
    assert seconds > 2 * found.seconds  # two networks are made, and run besides


def test_layers_are_measured_in_the_first_draw_on_the_float_network_that_the_tensors_stand_for(tmp_path):
    fold = Fold(PIXELS[:8], np.arange(50))
    one = subject(draws=((fold,),))
    plain = measure(one, one.reference(), Method("wes"), 0).layers
    network = quantize(one.graph, PIXELS[:8], recipe="wes", preprocessing=HOW)
    assert plain == tensor_sqnr(network, one.graph, Images(PIXELS[:16], (3, 8, 8), HOW))
    equalized = measure(one, one.reference(), Method("wes+cle"), 0).layers
    assert plain.keys() == equalized.keys() and min(equalized.values()) > 15  # against unscaled tensors far less


@pytest.mark.parametrize("recipe", [ORT_TENSOR, ORT_CHANNEL])
def test_baselines_stand_beside_the_recipes(recipe, tmp_path):
    found, _ = Comparison([subject()], Store(tmp_path)).find(Unit(0, Method(recipe), 0))
    assert found.predicted.shape == (50,) and found.sqnr > 20 and not found.engine
    assert "QLinearConv" in found.log[0]


def test_results_do_not_depend_on_processes_and_are_found_once(tmp_path, monkeypatch):
    asked = units("layerwise", "wes")
    alone = Comparison([subject()], Store(tmp_path / "alone"))
    assert list(alone.run(asked)) == asked
    spread = Comparison([subject()], Store(tmp_path / "spread"))
    assert sorted(map(str, spread.run(asked, processes=2))) == sorted(map(str, asked))
    for unit in asked:
        mine, theirs = alone.results[unit], spread.results[unit]
        assert np.array_equal(mine.predicted, theirs.predicted)
        assert (mine.sqnr, mine.layers, mine.log, mine.bytes) == (theirs.sqnr, theirs.layers, theirs.log, theirs.bytes)
    monkeypatch.setattr(accuracy_run, "measure", None)  # a second time nothing is measured
    again = Comparison([subject()], Store(tmp_path / "spread"))
    assert list(again.run(asked)) == asked
    assert again.results[asked[0]].facts() == spread.results[asked[0]].facts()
    assert again.times == spread.times and alone.times and min(alone.times.values()) > 0
    assert {unit.draw for unit in alone.times} == {0}  # the other draw has the same images, so the same networks


def test_equal_networks_are_run_once_whatever_code_made_them(tmp_path, monkeypatch):
    comparison, unit = Comparison([subject()], Store(tmp_path)), Unit(0, Method("wes"), 0)
    first, _ = comparison.find(unit)
    monkeypatch.setattr(accuracy_store, "digest", lambda modules, opaque=(): "other code")
    comparison = Comparison([subject()], Store(tmp_path))
    assert comparison.recall([unit]) == [unit]
    monkeypatch.setattr(candidates, "scores", None)  # a network that was run is not run again
    again, seconds = comparison.find(unit)
    assert seconds is None  # most of the work was not done
    assert np.array_equal(again.predicted, first.predicted) and again.sqnr == first.sqnr
    with pytest.raises(TypeError):
        comparison.find(Unit(0, Method("wes", 4), 0))


def test_scores_of_other_code_are_taken_only_if_a_sample_of_them_comes_again(tmp_path):
    images, ran = Images(PIXELS, (3, 8, 8), HOW), []

    def run(value):
        def find(some):
            ran.append(len(some))
            return np.full((len(some), 2), value)

        return find

    store = Store(tmp_path)
    assert (store.scores("name", "old", images, run(1)) == 1).all() and ran == [50]
    assert (store.scores("name", "old", images, run(2)) == 1).all() and ran == [50]
    assert (store.scores("name", "new", images, run(1)) == 1).all() and ran == [50, 16]
    assert (store.scores("name", "new", images, run(2)) == 1).all() and ran == [50, 16]
    assert (store.scores("name", "newer", images, run(2)) == 2).all() and ran == [50, 16, 16, 50]
    assert (store.scores("name", "newer", images, run(3)) == 2).all() and len(ran) == 4


def test_what_was_found_before_an_interruption_is_kept(tmp_path):
    asked = units("layerwise", "wes", "wes+sum", draws=(0,))
    comparison = Comparison([subject()], Store(tmp_path))
    running = comparison.run(asked)
    next(running)
    next(running)
    running.close()
    assert Comparison([subject()], Store(tmp_path)).recall(asked) == asked[2:]


def test_a_result_is_not_taken_for_another(tmp_path, monkeypatch):
    plain = Method("wes")

    def name(item, method=plain, draw=0):
        return Comparison([item], Store(tmp_path)).key(Unit(0, method, draw))

    flat, others = subject(images=PIXELS // 2), cross_fitted_draws(PIXELS // 2, 2)
    names = [
        name(subject()), name(subject(), draw=1), name(subject(), Method("wes+sum")), name(subject(), Method("wes", 4)),
        name(flat), name(subject(imported=residual_network(4))), name(subject(draws=others)),
        name(subject(preprocessing=Preprocessing(8, 8, "RGB", mean=(127.0,)))), name(subject(), Method(ORT_TENSOR)),
    ]
    assert len(set(names)) == len(names)
    assert name(subject(labels=LABELS * 0, name="other")) == names[0]  # a class predicted does not depend on labels
    monkeypatch.setattr(accuracy_store, "digest", lambda modules, opaque=(): "other code")
    assert name(subject()) != names[0]


def test_the_code_of_a_method_is_that_of_its_passes():
    modules = []

    def remember(names, opaque=()):
        modules.append(set(names))
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_store, "digest", remember)
        accuracy_store.code(Method("wes"))
        accuracy_store.code(Method("wes+cle"))
    assert modules[1] - modules[0] == {"quant.passes.cross_layer_equalization"}


def test_a_refused_recipe_is_a_result(tmp_path):
    graph = residual_network(3)
    graph.nodes[0].bias[0] = np.nan
    found = measure(subject(imported=graph), np.zeros((50, 5)), Method("wes"), 0)
    assert found.refused and not found.predicted.size
    store = Store(tmp_path)
    store.put("00", found)
    assert store.get("00").refused == found.refused and store.seconds("00") is None
    store.put("00", found, 1.5)
    assert store.seconds("00") == 1.5 and store.get("00").refused == found.refused


def test_a_file_that_is_no_result_is_named(tmp_path):
    comparison = Comparison([subject()], Store(tmp_path))
    unit = Unit(0, Method("wes"), 0)
    comparison.find(unit)
    path = next(path for path in tmp_path.rglob("*.npz") if path.stem == comparison.key(unit))
    path.write_bytes(b"no archive")
    with pytest.raises(WesnpuError, match=path.name):
        comparison.recall([unit])


def test_draws_take_other_images_each_and_every_image_is_evaluated_once():
    pool = np.random.default_rng(0).integers(0, 256, (200, 3, 8, 8), dtype=np.uint8)
    first, second = independent_draws(pool, 50, 2)
    assert len(first[0].calibration) == CALIBRATION_IMAGES and list(first[0].evaluated) == list(range(50))
    assert not np.array_equal(first[0].calibration, second[0].calibration)
    assert np.array_equal(first[0].calibration, independent_draws(pool, 50, 1)[0][0].calibration)
    assert len(independent_draws(pool[:10], 50, 1)[0][0].calibration) == 5
    with pytest.raises(WesnpuError, match="sample: the folds"):
        subject(draws=((Fold(pool, np.arange(49)),),))


def test_other_tools_have_eight_bits_only_and_recipes_exist():
    with pytest.raises(WesnpuError, match="W4A8"):
        Method(ORT_CHANNEL, 4)
    with pytest.raises(WesnpuError, match="nonsense"):
        Method("nonsense")


def test_decibel_of_known_signals():
    signal = np.array([[3.0, 4.0]])
    assert decibel(signal, signal + np.array([[0.3, 0.4]])) == pytest.approx(20.0)
    assert decibel(signal, signal) == 999.0


def test_what_needs_torch_is_kept_by_its_version_and_a_refusal_not_beyond_its_installation(monkeypatch):
    learned, plain = Method("pow2-channel+rapq-blocks", 4), Method("pow2-channel", 4)

    def keys(torch: str) -> list[str]:
        monkeypatch.setattr(accuracy_store, "_torch", lambda: torch)
        return [accuracy_store.key("network", subject(), method, 0) for method in (learned, plain)]

    one, other = keys("2.0"), keys("no torch")
    assert one[0] != other[0] and one[1] == other[1]

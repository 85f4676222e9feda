"""Passes: what they must leave unchanged, what they must bring about, and the order that recipes state."""

import copy

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.network import Preprocessing
from golden.run import run
from quant.evaluation.evaluate import input_codes
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.float_graph.sample_graphs import RELU, conv, graph_of, real_images, residual_network
from quant.images.batches import Images
from quant.passes import dead_channels
from quant.passes.dead_channels import zero_dead_channels
from quant.plan.lower import lower
from quant.qdq.weight_scale import real_weight_scale
from quant.recipe import PASSES, REPEATS, execute, make_plan, quantize, recipe_passes

HOW = Preprocessing(8, 8, "RGB", mean=(128.0,), std=(128.0,))


def dead_network():
    """A ReLU channel that no pixel can wake, read by a depthwise layer with a huge filter, then by a dense one."""
    generator = np.random.default_rng(0)
    nodes = [
        conv(generator, "a", "x", 3, 4, kernel=3, activation=RELU),
        conv(generator, "b", "a", 4, 4, kernel=3, depthwise=True, activation=RELU),
        conv(generator, "c", "b", 4, 2),
    ]
    nodes[0].bias[1] = -np.abs(nodes[0].weight[1]).sum() - 1
    nodes[1].weight[1] *= 1000
    nodes[1].bias[1] = -0.5
    return graph_of(nodes, (3, 8, 8), ["c"])


def test_dead_channels_are_zeroed_and_the_function_stays():
    graph = dead_network()
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 8, 8)).astype(np.uint8)
    plan = make_plan(graph, pixels, recipe="wes", preprocessing=HOW)
    zero_dead_channels(plan)
    first, second, third = plan.graph.nodes
    assert not first.weight[1].any() and not second.weight[1].any() and not third.weight[:, 1].any()
    assert first.weight[0].any() and second.weight[0].any() and third.weight[:, 0].any()
    x = np.concatenate(list(plan.batches()))
    before, after = run_graph(graph, x), run_graph(plan.graph, x)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_without_preprocessing_nothing_is_provably_dead():
    plan = make_plan(dead_network(), real_images(0, 2, (3, 8, 8)), recipe="wes")
    zero_dead_channels(plan)
    assert plan.graph.nodes[0].weight[1].any() and plan.log == []


def test_intervals_hold_every_value_of_random_networks():
    for seed in range(10):
        graph = residual_network(seed)
        pixels = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (8, 3, 8, 8))
        images = Images(pixels, (3, 8, 8), HOW)
        tensors = run_graph(graph, np.concatenate(list(images.batches(8))))
        bounds = {"x": dead_channels.input_interval(graph, HOW)}
        for node in graph.nodes:
            before = dead_channels.linear_interval(node, [bounds[name] for name in node.inputs])
            bounds[node.output] = dead_channels.clamped(before, node.activation)
            low, high = (bound[:, None, None] for bound in bounds[node.output])
            assert (tensors[node.output] >= low - 1e-9).all() and (tensors[node.output] <= high + 1e-9).all(), seed


@pytest.mark.parametrize("recipe", ["wes+bc", "layerwise+bc", "channelwise+bc"])
def test_bias_correction_brings_every_mean_before_the_clamp_to_the_float_mean(recipe):
    # What is left is the rounding of the int32 bias: half a unit of s_x s_w 2^-n_c per channel. (Float32 means: 1e-5.)
    graph = residual_network(5)
    images = real_images(5, 16, (3, 8, 8))
    plan = make_plan(graph, images, recipe=recipe)
    execute(plan, recipe_passes(recipe))
    network = lower(plan)
    result = run(network, input_codes(network, images), keep=True, stages=True)
    checked = 0
    for layer, operation in zip(network.layers, plan.operations, strict=True):
        unit = network.tensors[layer.input].scale * real_weight_scale(network, layer)
        real = result.stages[layer.name].acc.mean(axis=(0, 2, 3)) * unit
        if layer.residual is not None:
            other = network.tensors[layer.residual.tensor]
            real += ((result.tensors[other.name].astype(float) - other.zero_point) * other.scale).mean(axis=(0, 2, 3))
        error = np.abs(real - plan.statistics.means[layer.output])
        if operation.kind != "add":
            # M stands for s_x s_w / s_y with 16 bits, so the unit recovered from it is off by up to 2^-16
            assert (error <= unit / 2 + 1e-5 + 2.0**-15 * np.abs(real).max()).all(), layer.name
            checked += 1
    assert checked == 8


def test_the_float_model_that_calibrates_is_the_graph():
    graph = residual_network(2)
    x = real_images(2, 3, (3, 8, 8))
    wanted = [node.output for node in graph.nodes]
    theirs, ours = FloatRunner(to_onnx(graph), wanted)(x), run_graph(graph, x)
    assert all(np.abs(theirs[name] - ours[name]).max() < 1e-4 for name in wanted)


def test_a_recheck_that_never_passes_ends_after_its_rounds(monkeypatch):
    calls = []
    plan = make_plan(residual_network(0), real_images(0, 2, (3, 8, 8)), recipe="wes")

    def fails(plan):
        calls.append(1)
        plan.note("never")
        return True

    monkeypatch.setitem(PASSES, "recheck", fails)
    with pytest.raises(WesnpuError, match=f"still fails after {REPEATS} rounds: never"):
        execute(plan, recipe_passes("wes"))
    assert len(calls) == REPEATS + 1


def test_quantize_leaves_the_callers_graph_alone_and_tells_its_progress():
    graph = residual_network(1)
    kept, told = copy.deepcopy(graph), []
    images = real_images(0, 5, (3, 8, 8))
    quantize(graph, images, recipe="wes+bc", progress=lambda what, done: told.append((what, done)))
    pairs = [(a.weight, b.weight) for a, b in zip(graph.nodes, kept.nodes, strict=True) if hasattr(a, "weight")]
    assert len(pairs) == 6 and all(np.array_equal(a, b) for a, b in pairs)
    assert ("calibration", 5) in told and ("bias correction", 9) in told


def test_an_iterator_of_images_is_the_array():
    graph, images = residual_network(1), real_images(0, 5, (3, 8, 8))
    one, other = quantize(graph, images, recipe="wes"), quantize(graph, iter(images), recipe="wes")
    assert one.tensors == other.tensors and other.provenance["calibration_images"] == 5


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((0, 3, 8, 8), np.float32), {}, "there are 0, at least one"),
        (np.zeros((2, 3, 9, 8), np.float32), {}, "must be \\(N, 3, 8, 8\\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), {}, "preprocessing"),
        (np.zeros((2, 3, 8, 8), np.int32), {}, "int32: must be uint8 pixels or floats"),
        (np.full((2, 3, 8, 8), np.nan, np.float32), {}, "tensor 'x' is NaN or infinite"),
        (np.zeros((2, 3, 8, 8), np.float32), {"recipe": "best"}, "recipe is 'best': must be SCALES.*one of layerwise"),
        (np.zeros((2, 3, 8, 8), np.float32), {"observer": "max"}, "observer is 'max'"),
        (np.zeros((2, 3, 8, 8), np.float32), {"weight_bits": 5}, "weight_bits is 5"),
        (np.zeros((2, 3, 8, 8), np.float32), {"guard_bits": 13}, "guard_bits is 13"),
    ],
)
def test_bad_calibration_input_is_one_clear_error(images, options, message):
    with pytest.raises(WesnpuError, match=message):
        quantize(residual_network(0), images, **options)

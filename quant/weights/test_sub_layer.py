"""Sub-layer scales: blocks, shifts and searches against brute force; networks that the engine runs or refuses."""

from itertools import product

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.file import encode_network
from golden.run import run
from quant.calibration.held_out import HeldOut
from quant.evaluation.evaluate import input_codes
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.output_sensitivity import output_sensitivity
from quant.float_graph.sample_graphs import LINEAR, RELU, conv, graph_of, one_layer, real_images, residual_network
from quant.recipe import execute, make_plan, parse, quantize
from quant.weights.block_search import SIMILARITIES, LayerOutput, search
from quant.weights.sub_layer import block_octaves, block_ranges, shifts_of, usable_blocks
from quant.weights.weights import WeightCodes, equalizing_shifts, layer_scale, recode
from tests.compiler_check import check_compiled


def spread_weight(seed, outputs=11, inputs=7, octaves=6):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(outputs, inputs, 1, 1))
    return weight * 2.0 ** -rng.uniform(0, octaves, (outputs, inputs, 1, 1))


@pytest.mark.parametrize("group, blocks", [(1, 1), (4, 1), (3, 2), (16, 4), (1, 7)])
def test_block_ranges_by_hand(group, blocks):
    weight = spread_weight(group)
    width = -(-7 // blocks)
    for row, start in enumerate(range(0, 11, group)):
        for column, first in enumerate(range(0, 7, width)):
            block = weight[start : start + group, first : first + width]
            assert block_ranges(weight, group, blocks)[row, column] == np.abs(block).max()


def test_usable_blocks_leave_none_empty():
    assert [usable_blocks(7, n) for n in (1, 2, 3, 4, 5, 6, 7, 99)] == [1, 2, 3, 4, 4, 4, 7, 7]


@pytest.mark.parametrize("group, blocks", [(1, 1), (4, 1), (1, 2), (4, 3), (2, 7)])
def test_nothing_clips_and_no_block_could_be_finer(group, blocks):
    """Every block's scale is the smallest s_w 2^-n without clipping that n_c in 0..15 and d in 0..3 allow."""
    for seed in range(6):
        weight = spread_weight(seed)
        weight[3] = 0
        top = float(np.abs(weight).max())
        octaves = block_octaves(weight, group, blocks, top)
        shift, coarser = shifts_of(octaves, group, 11)
        made = WeightCodes(np.zeros(weight.shape, np.int8), layer_scale(top, 8), shift, None, 8, group, coarser)
        assert np.all(np.abs(recode(weight, made).real - weight) <= made.unit / 2 * (1 + 1e-12))
        for row, values in enumerate(octaves):
            channels = shift[row * group : (row + 1) * group]
            d = np.zeros(len(values), int) if coarser is None else coarser[row * group].astype(int)
            live = values >= 0
            assert (channels == channels[0]).all() and d.min() >= 0 and d.max() <= 3
            assert (channels[0] - d[live] <= values[live]).all()
            if live.any():
                reachable = min(values.max(), values[live].min() + 3)
                assert (channels[0] - d[live] == np.minimum(values[live], reachable)).all()


def test_groups_of_one_without_blocks_are_wes():
    graph = residual_network(4)
    images = real_images(0, 6, graph.shapes["x"])
    one, other = (quantize(graph, images, recipe=recipe) for recipe in ("sl1x1", "wes"))
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert mine.weight.tobytes() == theirs.weight.tobytes() and mine.bias.tobytes() == theirs.bias.tobytes()
        assert np.array_equal(mine.requantizer.shift, theirs.requantizer.shift)


@pytest.mark.parametrize("recipe", ["sl4x1+bc", "sl4x1+reorder+sum", "sl3x1+cle"])
def test_the_engine_runs_groups_unchanged(recipe):
    graph = residual_network(5)
    network = quantize(graph, real_images(0, 6, graph.shapes["x"]), recipe=recipe)
    size, shifts = int(recipe[2]), 0
    for layer in network.layers:
        for start in range(0, layer.channels, size):
            assert len(set(layer.requantizer.shift[start : start + size].tolist())) == 1, layer.name
        shifts += int(layer.requantizer.shift.any())
    assert shifts >= 2
    image = np.random.default_rng(1).integers(-128, 128, graph.shapes["x"]).astype(np.int8)
    assert check_compiled(compile_network(network, PRESETS["small"]), image, seed=1) > 0


def test_a_bias_that_needs_a_lower_shift_lowers_that_of_its_group():
    weight = np.array([[1.0], [2.0**-14], [2.0**-14], [2.0**-14], [1.0], [2.0**-14]]).reshape(6, 1, 1, 1)
    graph = one_layer(weight[[0, 0, 1, 2, 3, 5]], np.array([0.0, 0, 0, 4000.0, 0, 0]), (1, 4, 4), LINEAR)
    shift = quantize(graph, real_images(0, 4, (1, 4, 4)), recipe="sl2x1").layers[0].requantizer.shift
    wes = quantize(graph, real_images(0, 4, (1, 4, 4)), recipe="wes").layers[0].requantizer.shift
    assert wes[3] < wes[2] and shift.tolist() == np.repeat(wes[[0, 3, 4]], 2).tolist()


def test_blocks_of_inputs_come_closer_to_float():
    """Inputs whose weights differ by 2^5: with blocks of Eq. 8 the error falls, and the integers show it."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(6, 8, 1, 1)) * np.where(np.arange(8) < 4, 1.0, 2.0**-5)[:, None, None]
    graph = one_layer(weight, np.zeros(6), (8, 6, 6), LINEAR)
    images = real_images(1, 6, (8, 6, 6)) * np.where(np.arange(8) < 4, 2.0**-5, 1.0)[:, None, None].astype(np.float32)
    error = {}
    for recipe in ("sl6x1", "sl6x2"):
        network = quantize(graph, images, recipe=recipe, weight_bits=4)
        tensor = network.tensors["layer"]
        codes = run(network, input_codes(network, images)).outputs["layer"].astype(float)
        error[recipe] = np.abs((codes - tensor.zero_point) * tensor.scale - run_graph(graph, images)["layer"]).mean()
    assert network.layers[0].block_shift.max() == 3 and error["sl6x2"] < error["sl6x1"] * 0.75


def layer_output(seed, outputs=4, inputs=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, inputs)) @ rng.normal(size=(inputs, inputs))
    output = LayerOutput(spread_weight(seed, outputs, inputs, 3), x.T @ x / 50, rng.uniform(0.1, 9, outputs))
    return output, x


def similarity_of(output, x, real, kind):
    """From the outputs themselves."""
    y, wanted = x @ real[:, :, 0, 0].T, x @ output.weight[:, :, 0, 0].T
    if kind == "cosine":
        return (y * wanted).sum() / np.sqrt((y * y).sum() * (wanted * wanted).sum())
    return -(np.square(y - wanted) * (output.importance if kind == "hessian" else 1.0)).sum() / len(x)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("clip", [False, True])
def test_a_score_is_the_similarity_of_the_outputs_and_never_falls(similarity, clip):
    for seed in range(8):
        output, x = layer_output(seed)
        found = search(output, bits=4, group=2, blocks=2, similarity=similarity, clip=clip)
        shift, coarser = shifts_of(found.octaves, 2, 4)
        made = WeightCodes(np.zeros((4, 4, 1, 1), np.int8), found.scale, shift, None, 4, 2, coarser)
        codes = recode(output.weight, made)
        assert np.isclose(found.score, similarity_of(output, x, codes.real, similarity))
        assert clip or np.all(np.abs(codes.real - output.weight) <= 16 * made.unit / 2 * (1 + 1e-12))
        plain = search(output, bits=4, group=2, blocks=2, similarity=similarity, clip=False, phases=1)
        assert found.score >= plain.score


@pytest.mark.parametrize("similarity", ["l2", "hessian"])
def test_groups_without_blocks_get_the_best_of_all_octaves(similarity):
    """With one block of inputs groups do not depend on each other, so the search must equal brute force."""
    better = 0
    for seed in range(10):
        output, x = layer_output(seed)
        found = search(output, bits=3, group=2, blocks=1, similarity=similarity, clip=True, phases=1)
        start = search(output, bits=3, group=2, blocks=1, similarity=similarity, clip=False, phases=1)
        scores = []
        for steps in product(range(7), repeat=2):
            octaves = start.octaves + np.array(steps)[:, None]
            ratio = np.ldexp(start.scale, -octaves) / (block_ranges(output.weight, 2, 1) / (3.5 * 32))
            if octaves.max() <= 15 and all(s == 0 or 0.01 <= r <= 1.2 for s, r in zip(steps, ratio[:, 0], strict=True)):
                shift, _ = shifts_of(octaves, 2, 4)
                made = WeightCodes(np.zeros((4, 4, 1, 1), np.int8), start.scale, shift, None, 3, 2)
                scores.append(similarity_of(output, x, recode(output.weight, made).real, similarity))
        assert np.isclose(found.score, max(scores))
        better += found.score > start.score
    assert better > 0


def test_depthwise_outputs_have_moments_of_their_own():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(3, 1, 3, 3)), rng.normal(size=(40, 3, 9))
    output = LayerOutput(weight, np.einsum("nci,ncj->cij", x, x) / 40, np.ones(3))
    wanted = np.square(np.einsum("nci,ci->nc", x, weight.reshape(3, 9))).mean(axis=0)
    assert np.allclose(output.products(weight, weight), wanted)


def test_sensitivity_is_the_squared_gradient_of_a_linear_network():
    """Without clamps and with one path the squared Jacobian is that of the product of the weights, in expectation."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(5, 3, 1, 1)), rng.normal(size=(4, 5, 1, 1))
    nodes = [conv(rng, "a", "x", 3, 5), conv(rng, "b", "a", 5, 4, activation=RELU)]
    nodes[0].weight, nodes[1].weight = first, second
    found = output_sensitivity(graph_of(nodes, (3, 1, 1), ["b"]))
    assert np.allclose(found["a"], np.square(second[:, :, 0, 0]).sum(axis=0)) and np.allclose(found["b"], 1)
    assert np.allclose(found["x"], np.square(first[:, :, 0, 0]).T @ found["a"])
    signs = rng.choice([-1.0, 1.0], (4000, 4, 5))
    jacobian = (signs * second[:, :, 0, 0]) @ first[:, :, 0, 0]
    assert np.allclose(np.square(jacobian).sum(axis=1).mean(axis=0), found["x"], rtol=0.1)


@pytest.mark.parametrize("recipe", ["sl4x1+search", "sl2x2+search-cosine+sum", "sl4x2+search-hessian+bc"])
def test_the_search_never_leaves_the_held_out_images_worse_and_repeats(recipe):
    graph = residual_network(1)
    images = real_images(0, 6, graph.shapes["x"])
    for bits in (8, 4, 2):
        made = [encode_network(quantize(graph, images, recipe=recipe, weight_bits=bits)) for _ in range(2)]
        assert made[0] == made[1]
        losses = []
        for scales in (recipe, recipe.split("+")[0] + ("+bc" if recipe.endswith("bc") else "")):
            plan = make_plan(graph, images, recipe=scales, weight_bits=bits)
            passes = parse(scales)
            execute(plan, passes[: next(i for i, name in enumerate(passes) if "sub_layer" in name) + 1])
            losses.append(HeldOut(plan).loss(plan))
        assert losses[0] <= losses[1]


def test_one_image_leaves_nothing_to_judge_on():
    graph = residual_network(1)
    network = quantize(graph, real_images(0, 1, graph.shapes["x"]), recipe="sl4x1+search")
    told = "sub_layer_search: plain of plain 0: squared error of the outputs on 0 images"
    assert told in network.provenance["log"]


@pytest.mark.parametrize(("count", "each"), [(1, 1), (2, 1), (5, 2), (6, 3), (40, 16)])
def test_no_image_that_is_searched_on_is_judged_on(count, each):
    graph = residual_network(1)
    images = real_images(0, count, graph.shapes["x"])
    halves = HeldOut(make_plan(graph, images, recipe="sl4x1+search"))
    assert np.array_equal(halves.search, images[:each])
    assert np.array_equal(halves.judge, images[each : 2 * each]) and len(halves.judge) == (each if count > 1 else 0)


@pytest.mark.parametrize("recipe", ["sl0x1", "sl4x0", "sl70000x1", "sl4x70000+search"])
def test_sizes_out_of_range_are_refused(recipe):
    with pytest.raises(WesnpuError, match="sub-layer (group|blocks) is .*: must be in 1..65535"):
        quantize(residual_network(0), real_images(0, 2, (3, 8, 8)), recipe=recipe)


def test_plain_shifts_are_those_of_wes():
    weight = spread_weight(1)
    ranges = np.abs(weight).max(axis=(1, 2, 3))
    shift, coarser = shifts_of(block_octaves(weight, 1, 1, float(ranges.max())), 1, 11)
    assert coarser is None and np.array_equal(shift, equalizing_shifts(ranges))


@pytest.mark.parametrize(
    "recipe",
    [
        "sl4x2+cle+ecr+bc", "sl2x4+reorder+cle2+ecr", "sl4x1+reorder+search+asearch+bc", "sl3x2+dfq+free+sum",
        "sl1x4+search-cosine+ecr+analytic", "sl8x1+cle-needed+asearch+sum+bc",
    ],
)  # fmt: skip
def test_parts_compose_and_two_runs_give_the_same_bytes(recipe):
    """Every composition is a valid network whose fast path computes the definition's integers, in 8 and in 4 bits."""
    for seed, bits in ((0, 8), (3, 4)):
        graph = residual_network(seed)
        images = real_images(seed, 6, graph.shapes["x"])
        network, again = (quantize(graph, images, recipe=recipe, weight_bits=bits) for _ in range(2))
        assert encode_network(network) == encode_network(again)
        codes = input_codes(network, images[:2])
        exact, fast = (run(network, codes, exact=flag).outputs["scores"] for flag in (True, False))
        assert np.array_equal(exact, fast) and len(np.unique(fast)) > 3


def test_blocks_and_compensated_rounding_meet_in_one_layer():
    graph = residual_network(0)
    network = quantize(graph, real_images(0, 6, graph.shapes["x"]), recipe="sl1x4+ecr", weight_bits=4)
    assert sum(layer.block_shift is not None for layer in network.layers) >= 2

"""Error-compensated rounding against brute force, and where it must do nothing."""

import itertools

import numpy as np
import pytest

from golden.file import encode_network
from quant.calibration.input_moments import POSITIONS, input_moments, sampled_taps, shrinkage, shrunk_moments
from quant.float_graph.graph import Activation
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.plan.operations import Operation
from quant.recipe import execute, make_plan, quantize, recipe_passes
from quant.weights.compensation import _descend, compensated, damped_moments

LIMIT = 7


def moments_of(seed: int, taps: int, *, common: float = 1.0) -> np.ndarray:
    """Second moments of inputs that share a component, as neighbouring pixels do."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(200, taps)) + common * generator.normal(size=(200, 1)) + common
    return inputs.T @ inputs / len(inputs)


def error(values: np.ndarray, codes: np.ndarray, moments: np.ndarray) -> float:
    """Mean squared error of the output."""
    difference = codes - values
    return float(np.einsum("oi,ij,oj->", difference, moments, difference))


@pytest.mark.parametrize("taps", [2, 3, 4])
def test_the_error_lies_between_brute_force_and_nearest_codes(taps):
    """On 320 outputs; a single one may be worse than nearest codes, the method is greedy."""
    total = np.zeros(3)
    for seed in range(20):
        values, moments = np.random.default_rng(seed).uniform(-6, 6, (16, taps)), moments_of(seed, taps)
        codes, nearest = compensated(values, moments, LIMIT), np.clip(np.rint(values), -LIMIT, LIMIT)
        found = [sum(brute_force(row, moments) for row in values)]
        found += [error(values, codes, moments), error(values, nearest, moments)]
        assert found[0] <= found[1] + 1e-9
        total += found
    assert total[1] < 0.9 * total[2] and total[1] < 1.5 * total[0]


def brute_force(row: np.ndarray, moments: np.ndarray) -> float:
    """The least error of any codes within two of the values."""
    around = [np.floor(value) + np.arange(-1, 3) for value in row]
    points = np.array(list(itertools.product(*around)))
    points = points[(np.abs(points) <= LIMIT).all(axis=1)] - row
    return float(np.einsum("pi,ij,pj->p", points, moments, points).min())


@pytest.mark.parametrize("seed", range(5))
def test_going_through_the_codes_again_never_increases_the_error_and_ends_where_no_code_helps(seed):
    values, moments = np.random.default_rng(seed).uniform(-9, 9, (1, 8, 10)), moments_of(seed, 10)
    codes = np.clip(np.rint(values), -LIMIT, LIMIT)
    errors = [error(values[0], codes[0], moments)]
    while True:
        before = codes.copy()
        _descend(codes, values, moments[None], LIMIT)
        errors.append(error(values[0], codes[0], moments))
        if np.array_equal(before, codes):
            break
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(errors)) and errors[-1] < errors[0]
    for column, other in itertools.product(range(10), (-1, 1)):
        tried = codes[0].copy()
        tried[:, column] = np.clip(tried[:, column] + other, -LIMIT, LIMIT)
        each = [error(values[0][i : i + 1], tried[i : i + 1], moments) for i in range(8)]
        now = [error(values[0][i : i + 1], codes[0][i : i + 1], moments) for i in range(8)]
        assert (np.array(each) >= np.array(now) - 1e-9).all()


def test_damping_makes_any_moments_invertible():
    singular = np.stack([np.ones((4, 4)), np.zeros((4, 4))])
    found = damped_moments(singular)
    assert np.allclose(found[0], np.ones((4, 4)) + 0.01 * np.eye(4)) and np.array_equal(found[1], np.eye(4))


def test_a_diagonal_gives_the_nearest_codes():
    values = np.random.default_rng(0).uniform(-9, 9, (5, 12))
    moments = np.diag(np.random.default_rng(1).uniform(0, 3, 12))
    assert np.array_equal(compensated(values, moments, LIMIT), np.clip(np.rint(values), -LIMIT, LIMIT))


def test_an_input_that_is_always_zero_gives_the_nearest_codes():
    values = np.random.default_rng(0).uniform(-6, 6, (5, 12))
    assert np.array_equal(compensated(values, np.zeros((12, 12)), LIMIT), np.rint(values))


def test_depthwise_moments_belong_to_their_own_channel():
    values = np.random.default_rng(0).uniform(-6, 6, (3, 9))
    moments = np.stack([moments_of(seed, 9) for seed in range(3)])
    each = [compensated(values[c : c + 1], moments[c], LIMIT) for c in range(3)]
    assert np.array_equal(compensated(values, moments, LIMIT), np.concatenate(each))


def test_blocks_change_nothing():
    values, moments = np.random.default_rng(3).uniform(-6, 6, (4, 150)), moments_of(3, 150)
    import quant.weights.compensation as module

    whole = compensated(values, moments, LIMIT)
    block, module.BLOCK = module.BLOCK, 1000
    try:
        assert np.array_equal(compensated(values, moments, LIMIT), whole)
    finally:
        module.BLOCK = block


def operation(depthwise: bool, inputs: int, kernel: int, stride: int, padding: tuple) -> Operation:
    shape = (inputs, 1, kernel, kernel) if depthwise else (3, inputs, kernel, kernel)
    return Operation(
        "a", "conv", "x", "a", depthwise, np.ones(shape), np.zeros(shape[0]), (stride, stride), padding, Activation()
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_taps_are_what_the_convolution_reads(stride):
    images = np.random.default_rng(0).integers(-128, 128, (2, 3, 6, 5)).astype(np.int8)
    taps = sampled_taps(images, 7, operation(False, 3, 3, stride, (1, 0, 2, 1)))
    padded = np.pad(images.astype(float) - 7, ((0, 0), (0, 0), (1, 2), (0, 1)))
    found = [
        image[:, y : y + 3, x : x + 3].reshape(3, 9)
        for image in padded
        for y in range(0, 7, stride)
        for x in range(0, 4, stride)
    ]
    assert np.array_equal(taps, np.array(found))


def test_moments_are_the_mean_products_and_about_the_mean_the_covariance():
    images = np.random.default_rng(0).integers(-128, 128, (3, 2, 4, 4)).astype(np.int8)
    taps = sampled_taps(images, 0, operation(False, 2, 1, 1, (0, 0, 0, 0)))[:, :, 0].astype(np.float64)
    plain = input_moments(images, 0, operation(False, 2, 1, 1, (0, 0, 0, 0)), about_mean=False)
    centred = input_moments(images, 0, operation(False, 2, 1, 1, (0, 0, 0, 0)), about_mean=True)
    assert np.allclose(plain, taps.T @ taps / len(taps), rtol=1e-5)
    assert np.allclose(centred, np.cov(taps.T, bias=True), rtol=1e-4, atol=0.1)
    each = input_moments(images, 0, operation(True, 2, 3, 1, (1, 1, 1, 1)), about_mean=True)
    assert each.shape == (2, 9, 9)


def test_shrinkage_is_how_far_images_differ_from_their_mean():
    generator = np.random.default_rng(1)
    image = np.repeat(np.arange(6), [3, 9, 4, 1, 8, 5])
    taps = generator.normal(size=(30, 7)) + generator.normal(size=(6, 1))[image]
    moments = taps.T @ taps / 30
    own = [taps[image == i].T @ taps[image == i] / np.sum(image == i) for i in range(6)]
    variance = sum((np.sum(image == i) / 30) ** 2 * np.square(own[i] - moments).sum() for i in range(6))
    spread = np.square(moments - np.trace(moments) / 7 * np.eye(7)).sum()
    assert shrinkage(taps, image, moments) == pytest.approx(min(1.0, variance / spread))
    assert shrinkage(np.ones((4, 1)), np.arange(4), np.ones((1, 1))) == 0


def test_few_images_of_many_taps_shrink_much_and_many_images_hardly():
    def ratio(images: int) -> float:
        generator = np.random.default_rng(2)
        taps = generator.normal(size=(images, 40)) * np.linspace(1, 2, 40)
        return shrinkage(taps, np.arange(images), taps.T @ taps / images)

    assert ratio(20) > 0.8 and ratio(2000) < 0.3 and ratio(20000) < 0.05


def test_shrunk_moments_keep_their_trace_and_depthwise_ones_stay():
    images = np.random.default_rng(3).integers(-128, 128, (4, 6, 5, 5)).astype(np.int8)
    dense, own = (operation(depthwise, 6, 3, 1, (1, 1, 1, 1)) for depthwise in (False, True))
    plain, shrunk = (find(images, 5, dense, True) for find in (input_moments, shrunk_moments))
    off = ~np.eye(54, dtype=bool)
    assert np.trace(shrunk) == pytest.approx(np.trace(plain), rel=1e-5)
    ratio = np.abs(shrunk[off]).sum() / np.abs(plain[off]).sum()
    assert 0 < ratio < 0.9 and np.allclose(shrunk[off], ratio * plain[off], rtol=1e-4, atol=1e-2)
    assert np.array_equal(input_moments(images, 5, own, True), shrunk_moments(images, 5, own, True))


def test_a_large_input_is_sampled_the_same_way_each_time():
    images = np.random.default_rng(0).integers(-128, 128, (2, 1, 80, 80)).astype(np.int8)
    one, other = (sampled_taps(images, 0, operation(True, 1, 1, 1, (0, 0, 0, 0))) for _ in range(2))
    assert len(one) == POSITIONS and np.array_equal(one, other)


@pytest.mark.parametrize("scales", ["wes", "wes+half", "channelwise", "sl4x2"])
def test_every_kind_of_scale_can_be_compensated_and_keeps_its_scales(scales):
    graph = residual_network(3)
    images = real_images(3, 8, graph.shapes["x"])
    plain = quantize(graph, images, recipe=scales, weight_bits=4)
    better = quantize(graph, images, recipe=f"{scales}+ecr", weight_bits=4)
    assert any(not np.array_equal(a.weight, b.weight) for a, b in zip(plain.layers, better.layers, strict=True))
    assert {name: tensor.scale for name, tensor in plain.tensors.items()} == {
        name: tensor.scale for name, tensor in better.tensors.items()
    }


@pytest.mark.parametrize("recipe", ["wes+ecr+bc", "channelwise+ecr+bc"])
def test_each_layer_is_rounded_for_inputs_whose_bias_is_corrected(recipe):
    # with the same codes bias correction finds the same corrections, so these are what the layers were rounded with
    graph = residual_network(4)
    plan = make_plan(graph, real_images(4, 8, graph.shapes["x"]), recipe=recipe, weight_bits=4)
    passes = recipe_passes(recipe)
    execute(plan, passes[: passes.index("bias_correction")])
    found = dict(plan.corrections)
    execute(plan, ("bias_correction",))
    assert len(found) > 5 and found.keys() == plan.corrections.keys()
    assert all(np.array_equal(found[name], plan.corrections[name]) for name in found)
    assert any(np.abs(values).max() > 0 for values in found.values())


def test_without_bias_correction_no_bias_changes():
    graph = residual_network(4)
    plan = make_plan(graph, real_images(4, 8, graph.shapes["x"]), recipe="wes+ecr", weight_bits=4)
    execute(plan, recipe_passes("wes+ecr"))
    assert plan.corrections == {}


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_auto_compensates_below_8_bits_and_keeps_sums_at_8(bits):
    graph = residual_network(6)
    images = real_images(6, 8, graph.shapes["x"])
    chosen = "wes+cle-needed+sum+bc" if bits == 8 else "wes+cle-needed+ecr-steps+bc"
    auto, wanted = (quantize(graph, images, recipe=name, weight_bits=bits) for name in ("auto", chosen))
    assert all(
        np.array_equal(a.weight, b.weight) and np.array_equal(a.bias, b.bias)
        for a, b in zip(auto.layers, wanted.layers, strict=True)
    )
    told = "sums are kept" if bits == 8 else "errors are compensated"
    assert any(line == f"rounding: {bits} bits, {told}" for line in auto.provenance["log"])


@pytest.mark.parametrize("bits", [4, 8])
def test_two_runs_of_auto_give_the_same_bytes(bits):
    graph = residual_network(7)
    images = real_images(7, 8, graph.shapes["x"])
    one, other = (encode_network(quantize(graph, images, recipe="auto", weight_bits=bits)) for _ in range(2))
    assert one == other

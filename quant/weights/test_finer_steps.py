"""Steps chosen by the error of the rounded output, and the gain that clipping takes away."""

from dataclasses import replace

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.file import encode_network
from quant.float_graph.graph import Activation
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.passes.compensated_rounding import with_finer_steps, with_its_steps
from quant.plan.lower import lower_layer
from quant.plan.operations import Operation
from quant.plan.plan import Options, Plan
from quant.plan.scales import Scale
from quant.recipe import execute, make_plan, quantize, recipe_passes
from quant.weights.compensation import compensated, output_errors
from quant.weights.finer_steps import FACTORS, picked, trials
from quant.weights.signal_gain import unit_gain
from quant.weights.weights import WeightCodes, channel_ranges, equalizing_shifts, layer_scale, recode

LIMIT, STEP = 7, 16
UNBOUNDED = np.full(6, 15)


def moments_of(seed: int, taps: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(300, taps)) + generator.normal(size=(300, 1))
    return inputs.T @ inputs / len(inputs)


def weight_of(seed: int, outputs: int, taps: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(outputs, taps, 1, 1)) * 2.0 ** generator.uniform(0, 3, (outputs, 1, 1, 1))


def wes_weights(weight: np.ndarray, half: bool = False) -> WeightCodes:
    ranges = channel_ranges(weight)
    shift = equalizing_shifts(ranges)
    half_step = np.arange(len(weight)).astype(np.uint8) % 2 if half else None
    codes = np.zeros(weight.shape, np.int8)
    return recode(weight, WeightCodes(codes, layer_scale(ranges.max(), 4), shift, None, 4, half_step=half_step))


def channel_weights(weight: np.ndarray) -> WeightCodes:
    shift = np.zeros(len(weight), np.uint8)
    return replace(wes_weights(weight), channel_scale=channel_ranges(weight) / 112, shift=shift)


def plan_of(operation: Operation, weights: WeightCodes) -> Plan:
    plan = Plan(None, lambda: iter(()), options=Options(weight_bits=4), operations=[operation])  # type: ignore[arg-type]
    plan.scales = {"x": Scale(0.1, 3), "y": Scale(2.0, 0)}
    plan.codes["y"] = weights
    return plan


def operation_of(weight: np.ndarray) -> Operation:
    bias = np.zeros(len(weight))
    return Operation("y", "conv", "x", "y", False, weight, bias, (1, 1), (0, 0, 0, 0), Activation())


def error(weights: WeightCodes, weight: np.ndarray, moments: np.ndarray) -> np.ndarray:
    difference = (weights.real - weight).reshape(len(weight), -1)
    damped = moments + 0.01 * np.diag(moments).mean() * np.eye(len(moments))
    return np.einsum("oi,ij,oj->o", difference, damped, difference)


def test_the_steps_of_a_shift_halve_where_the_field_has_room():
    weights = wes_weights(weight_of(0, 6, 8))
    same, finer = trials(weights, UNBOUNDED)
    assert np.array_equal(same.real_scale, weights.real_scale)
    assert np.array_equal(finer.real_scale, weights.real_scale / 2)
    full = trials(weights, weights.shift.astype(np.int64))[1]
    assert np.array_equal(full.real_scale, weights.real_scale)


def test_half_steps_are_tried_one_by_one():
    weights = wes_weights(weight_of(1, 6, 8), half=True)
    ratios = [option.real_scale / weights.real_scale for option in trials(weights, UNBOUNDED)]
    whole, half = np.arange(6) % 2 == 0, np.arange(6) % 2 == 1
    assert [set(ratio[whole]) for ratio in ratios] == [{1.0}, {0.75}, {0.5}]
    assert np.allclose([ratio[half] for ratio in ratios], np.array([1, 2 / 3, 1 / 2])[:, None])
    stuck = trials(weights, weights.shift.astype(np.int64))
    assert np.array_equal(stuck[2].real_scale, np.where(half, 1, 0.75) * weights.real_scale)


def test_float_scales_are_tried_at_factors_and_shared_ones_are_refused():
    weights = channel_weights(weight_of(2, 6, 8))
    found = [option.real_scale / weights.real_scale for option in trials(weights, UNBOUNDED)]
    assert np.allclose(found, np.array(FACTORS)[:, None])
    with pytest.raises(WesnpuError, match="channel by channel"):
        trials(replace(wes_weights(weight_of(2, 6, 8)), group=2), UNBOUNDED)


@pytest.mark.parametrize("scales", ["wes", "half", "channelwise"])
def test_every_channel_takes_the_trial_of_least_error(scales):
    weight, moments = weight_of(3, 6, 12), moments_of(3, 12)
    weights = channel_weights(weight) if scales == "channelwise" else wes_weights(weight, scales == "half")
    options = [
        replace(option, codes=(compensated(
            (weight / (option.unit * STEP)).reshape(6, -1), moments, LIMIT
        ) * STEP).astype(np.int8).reshape(weight.shape))
        for option in trials(weights, UNBOUNDED)
    ]
    errors = np.array([error(option, weight, moments) for option in options])
    best = picked(options, errors.argmin(axis=0))
    assert np.allclose(error(best, weight, moments), errors.min(axis=0))
    operation = operation_of(weight)
    found = with_finer_steps(plan_of(operation, weights), operation, moments)
    assert np.array_equal(found.codes, best.codes) and np.array_equal(found.shift, best.shift)
    plain = with_its_steps(plan_of(operation, weights), operation, moments)
    assert errors.min(axis=0).sum() < error(plain, weight, moments).sum()


def test_what_may_leave_int32_keeps_its_step():
    weight, moments = weight_of(4, 6, 12), moments_of(4, 12)
    operation, weights = operation_of(weight), wes_weights(weight)
    free = with_finer_steps(plan_of(operation, weights), operation, moments)
    assert (free.shift > weights.shift).any()
    bias = 0.4 * 2**31 * 0.1 * weights.real_scale  # fits twice with this step, not with half of it
    bound = replace(operation, bias=bias)
    kept = with_finer_steps(plan_of(bound, weights), bound, moments)
    assert np.array_equal(kept.shift, weights.shift)


def test_limits_of_a_repeated_recipe_hold():
    weight, moments = weight_of(5, 6, 12), moments_of(5, 12)
    operation, weights = operation_of(weight), wes_weights(weight)
    plan = plan_of(operation, weights)
    plan.shift_limits["y"] = weights.shift.copy()
    assert np.array_equal(with_finer_steps(plan, operation, moments).shift, weights.shift)


@pytest.mark.parametrize("scales", ["wes", "channelwise"])
def test_a_multiplier_at_its_bound_keeps_the_scale(scales):
    weight, moments = weight_of(9, 6, 12), moments_of(9, 12)
    operation = operation_of(weight)
    weights = channel_weights(weight) if scales == "channelwise" else wes_weights(weight)
    free = with_finer_steps(plan_of(operation, weights), operation, moments)
    steps = weights.real_scale / free.real_scale
    assert not np.allclose(np.log2(steps) % 1, 0)  # gains are no powers of two
    for multiplier in (1 - 2.0**-30, 2.0**-17 * (1 + 2.0**-30))[: 1 if scales == "channelwise" else 2]:
        bound = plan_of(operation, weights)
        largest = weights.scale if scales == "wes" else weights.channel_scale.max()
        bound.scales["y"] = Scale(0.1 * largest / multiplier, 0)
        found = with_finer_steps(bound, operation, moments)
        bound.codes["y"] = found
        lower_layer(bound, operation)
        assert found.scale <= weights.scale or multiplier < 0.5


@pytest.mark.parametrize("scales", ["wes", "channelwise"])
def test_unit_gain_is_what_a_regression_of_the_outputs_finds(scales):
    generator = np.random.default_rng(6)
    inputs = generator.normal(size=(500, 8)) @ generator.normal(size=(8, 8))
    weight, moments = weight_of(6, 6, 8), inputs.T @ inputs / 500
    weights = channel_weights(weight) if scales == "channelwise" else wes_weights(weight)
    clipped = recode(weight, replace(
        weights, scale=weights.scale * 0.6,
        channel_scale=None if weights.channel_scale is None else 0.6 * weights.channel_scale,
    ))
    before, after = (inputs @ w.real.reshape(6, 8).T for w in (clipped, unit_gain(clipped, weight, moments)))
    real = inputs @ weight.reshape(6, 8).T
    assert (before * real).sum() < 0.97 * (real * real).sum()
    assert (after * real).sum() == pytest.approx((real * real).sum())
    if scales == "channelwise":
        assert np.allclose((after * real).sum(axis=0), (real * real).sum(axis=0))


def test_gains_of_depthwise_layers_and_of_no_signal():
    weight = weight_of(7, 6, 1).reshape(6, 1, 1, 1)
    weights = wes_weights(weight)
    moments = np.arange(6.0).reshape(6, 1, 1)
    found = unit_gain(weights, weight, moments)
    ours, theirs = (values.reshape(6) for values in (found.real, weight))
    assert np.sum(np.arange(6) * ours * theirs) == pytest.approx(np.sum(np.arange(6) * theirs**2))
    assert unit_gain(weights, weight, np.zeros((6, 1, 1))).scale == weights.scale
    assert unit_gain(replace(weights, scale=weights.scale * 3), weight, moments).scale == weights.scale * 3


def test_trials_are_rounded_as_each_alone():
    generator = np.random.default_rng(8)
    values = generator.uniform(-9, 9, (3, 5, 10))
    for moments in (moments_of(8, 10), np.stack([moments_of(seed, 10) for seed in range(5)])):
        together = compensated(values, moments, LIMIT)
        assert np.array_equal(together, np.stack([compensated(trial, moments, LIMIT) for trial in values]))
        errors = output_errors(values, together, moments)
        assert np.allclose(errors[1], output_errors(values[1], together[1], moments)) and errors.shape == (3, 5)


@pytest.mark.parametrize("scales", ["wes+bc", "wes+half+bc", "wes+shift2", "channelwise"])
def test_a_network_takes_finer_steps_and_is_the_same_each_time(scales):
    graph, recipe = residual_network(5), f"{scales}+ecr-steps"
    images = real_images(5, 8, graph.shapes["x"])
    plan = make_plan(graph, images, recipe=recipe, weight_bits=4)
    passes = recipe_passes(recipe)
    execute(plan, passes[: passes.index("compensated_rounding_finer_steps")])
    before = {name: weights.real_scale for name, weights in plan.codes.items()}
    execute(plan, ("compensated_rounding_finer_steps",))
    ratios = np.concatenate([plan.codes[name].real_scale / scale for name, scale in before.items()])
    assert (ratios < 0.9).any() and (ratios < 1.2).all()
    assert all((weights.shift <= plan.largest_shift).all() for weights in plan.codes.values())
    one, other = (encode_network(quantize(graph, images, recipe=recipe, weight_bits=4)) for _ in range(2))
    assert one == other

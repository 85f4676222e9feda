"""Rounding that keeps sums against brute force, and its bounds on random weights."""

import itertools

import numpy as np
import pytest

from quant.float_graph.sample_graphs import real_images, residual_network
from quant.plan.plan import Plan
from quant.recipe import RECIPES, execute, make_plan
from quant.weights.sum_rounding import sum_rounded
from quant.weights.weights import rounded


@pytest.mark.parametrize("limit", [1, 7, 127])
@pytest.mark.parametrize("shape", [(16, 1, 3, 3), (6, 20, 1, 1), (5, 12, 3, 3), (3, 1, 1, 1)])
def test_sums_of_errors_are_at_most_half_a_step(shape, limit):
    for seed in range(20):
        values = np.random.default_rng(seed).uniform(-limit, limit, shape)
        values[0] = np.rint(values[0])
        codes = sum_rounded(values, limit)
        error = codes - values
        assert np.abs(codes).max() <= limit and np.array_equal(codes, np.rint(codes)), seed
        assert (np.abs(error) < 1).all() and not error[0].any(), seed
        assert (np.abs(error.sum(axis=(1, 2, 3))) <= 0.5 + 1e-9).all(), seed
        assert (np.abs(error.sum(axis=(2, 3))) <= 1.5 + 1e-9).all(), seed


def test_of_all_codings_with_the_smallest_sum_error_it_is_the_nearest_to_the_weights():
    for seed in range(30):
        values = np.random.default_rng(seed).uniform(-6, 6, (1, 1, 2, 3))
        choices = itertools.product(*((np.floor(v), np.ceil(v)) for v in values.ravel()))
        codings = np.array(list(choices))
        errors = codings - values.ravel()
        sums = np.abs(errors.sum(axis=1))
        nearest = codings[sums <= sums.min() + 1e-9]
        best = np.square(nearest - values.ravel()).sum(axis=1).min()
        found = sum_rounded(values, 7).ravel()
        assert abs((found - values.ravel()).sum()) <= sums.min() + 1e-9, seed
        assert abs(np.square(found - values.ravel()).sum() - best) < 1e-9, seed


def test_a_weight_at_the_end_of_the_grid_stays_on_it():
    values = np.array([7.4, 7.4, 7.4, 0.0, 0.0]).reshape(1, 1, 1, 5)
    assert sum_rounded(values, 7).ravel().tolist() == [7, 7, 7, 0, 0]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("recipe", ["wes+sum", "channelwise+sum"])
def test_the_pass_shrinks_the_mean_error_of_every_kind_of_layer(recipe, bits):
    plan = make_plan(residual_network(3), real_images(0, 4, (3, 8, 8)), recipe=recipe, weight_bits=bits)
    execute(plan, RECIPES[recipe])
    assert total_error(plan, nearest=False) < 0.6 * total_error(plan, nearest=True)
    for operation in plan.operations:
        assert not (plan.codes[operation.name].codes % (1 << (8 - bits))).any()


def total_error(plan: Plan, *, nearest: bool) -> float:
    """Sum over channels of the absolute error of the sum of weights, in steps of the code."""
    total = 0.0
    for operation in plan.operations:
        weights = plan.codes[operation.name]
        scale = weights.real_scale.reshape(-1, 1, 1, 1)
        codes = rounded(operation.weight, weights.real_scale, weights.bits) if nearest else weights.codes
        total += float(np.abs((codes - operation.weight / scale).sum(axis=(1, 2, 3))).sum())
    return total

"""MSQE scales: least squares and line search against brute force, outliers, and networks that run."""

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.passes.pow2_scales import msqe_scale
from quant.recipe import execute, make_plan, quantize, recipe_passes
from quant.weights.msqe import inliers, msqe_exponent, weighted_error

SCALES = ["pow2-msqe", "pow2-msqe-channel"]


def drawn(seed):
    generator = np.random.default_rng(seed)
    draw = [generator.normal, generator.laplace, lambda size: generator.uniform(-1, 1, size)][seed % 3]
    return draw(size=int(generator.integers(2, 300))) * 2.0 ** generator.uniform(-12, 6)


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_the_exponent_is_that_of_brute_force(bits):
    limit = (1 << (bits - 1)) - 1
    for seed in range(300):
        row = drawn(seed)
        mask = np.abs(row) <= 2 * np.sqrt(np.mean((row - row.mean()) ** 2))

        def error(k, row=row, mask=mask):
            scale = 2.0**k
            return np.sum(mask * (np.clip(np.rint(row / scale), -limit, limit) * scale - row) ** 2)

        if row[mask].any():
            best = min(range(-40, 20), key=error)
            assert error(msqe_exponent(row, limit)) <= error(best) * (1 + 1e-12), seed


def test_an_outlier_clips_and_does_not_decide():
    row = np.append(np.random.default_rng(0).uniform(-1, 1, 500), 100.0)
    assert len(inliers(row)) == 500
    assert msqe_exponent(row, 7) == msqe_exponent(np.append(row[:-1], 1000.0), 7) == -3
    assert weighted_error(inliers(row), 7, -3) < weighted_error(inliers(row), 7, 4)


def test_least_squares_steps_reach_what_the_search_alone_does_not():
    # at the start, 2^5, the six large weights have code 1 and their mean is 18: a step to 2^4, which has 2^1 in reach
    row = np.array([23.0] + [17.0] * 5 + [2.0] * 500 + [2000.0])
    counted = inliers(row)
    assert len(counted) == 506
    assert msqe_exponent(row, 1) == min(range(-9, 12), key=lambda k: weighted_error(counted, 1, k)) == 1


def test_rows_without_inliers_count_whole_and_equals_take_the_larger_scale():
    assert msqe_exponent(np.full(9, 0.5), 7) == -1  # sigma is 0; 2^-1, -2 and -3 are all exact
    assert msqe_exponent(np.array([0.0] * 50 + [8.0]), 1) == 3  # the only weight that is not 0 is an outlier
    assert msqe_scale(np.full(9, 0.5), 4) == 2.0**-5  # left-aligned by 4 bits


def test_where_clipping_costs_more_than_it_gains_nothing_clips():
    row = np.append(np.random.default_rng(0).uniform(-1, 1, 500), 100.0)
    assert msqe_scale(row, 8) == 1.0  # the outlier fits: 100 <= 127
    assert msqe_scale(np.random.default_rng(0).normal(size=5000), 2) == 2.0**-6  # code 64 is 1, not 4


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("recipe", SCALES)
def test_the_networks_have_no_multiplier_and_the_engine_runs_them(recipe, bits):
    for seed in range(3):
        network = quantize(residual_network(seed), real_images(seed, 8, (3, 8, 8)), recipe=recipe, weight_bits=bits)
        assert {layer.requantizer.multiplier for layer in network.layers} == {2**15}
        assert compile_network(network, PRESETS["small"]).program


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("recipe", SCALES)
def test_all_weights_together_never_lose_more_than_without_clipping(recipe, bits):
    clipped = compared = 0
    for seed in range(5):
        ours, plain = (_rows(seed, name, bits) for name in (recipe, recipe.replace("-msqe", "")))
        for name, (error, scale) in ours.items():
            assert (error <= plain[name][0] * (1 + 1e-9)).all(), name
            clipped += np.count_nonzero(scale < plain[name][1])
            compared += len(error)
    assert compared > 20 and (clipped > 0 or bits == 8)


def _rows(seed, recipe, bits):
    """Squared error of the nearest codes and the scale, for each row that has a scale of its own, by layer."""
    plan = make_plan(residual_network(seed), real_images(seed, 8, (3, 8, 8)), recipe=recipe, weight_bits=bits)
    execute(plan, recipe_passes(recipe))
    found = {}
    for operation in plan.operations:
        if operation.kind == "conv":
            weights = plan.codes[operation.name]
            error = (weights.codes * weights.real_scale.reshape(-1, 1, 1, 1) - operation.weight) ** 2
            each = error.sum(axis=(1, 2, 3))
            rows = (each, weights.real_scale) if recipe.endswith("channel") else (each.sum(), weights.real_scale[0])
            found[operation.name] = tuple(np.atleast_1d(values) for values in rows)
    return found

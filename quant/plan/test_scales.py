"""Scales, observers and the exact input mapping."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.calibration.observers import (
    HALF,
    OBSERVERS,
    PERCENTILE,
    MeanSquaredError,
    Percentile,
    clipped,
    observer_class,
)
from quant.images.preprocess import normalise
from quant.plan.input_scale import exact_input_scale, quantize_real
from quant.plan.scales import EMPTY_RANGE_SCALE, Scale, scale_of_range

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(FINITE, FINITE)
def test_zero_is_a_code_and_the_range_is_covered_to_half_a_step(a, b):
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    scale = scale_of_range(min(a, b), max(a, b))
    assert scale.code(0.0) == scale.zero_point
    if high - low >= 255 * 2.0**-126:
        assert abs(scale.low - low) <= 0.5001 * scale.scale and abs(scale.high - high) <= 0.5001 * scale.scale


def test_a_clamped_range_starts_at_code_minus_128_and_a_zero_range_has_its_own_rule():
    assert scale_of_range(0.0, 6.0) == Scale(6 / 255, -128)
    assert scale_of_range(0.0, 0.0) == Scale(EMPTY_RANGE_SCALE, -128)


@pytest.mark.parametrize("bounds", [(math.nan, 1.0), (0.0, math.inf), (2.0, 1.0)])
def test_a_range_that_is_no_range_is_refused_by_name(bounds):
    with pytest.raises(WesnpuError, match="tensor 'y'.*finite with low <= high"):
        scale_of_range(*bounds, "tensor 'y'")


def test_a_raised_scale_starts_where_it_started():
    scale = scale_of_range(-1.0, 3.0)
    raised = scale.raised_to(0.1)
    assert raised.scale == 0.1 and abs(raised.low - scale.low) <= 0.05 and scale.raised_to(0.001) is scale


@pytest.mark.parametrize("mean", [127.0, 128.0, 0.0])
def test_every_pixel_maps_exactly_to_pixel_minus_128(mean):
    how = Preprocessing(1, 256, "L", mean=(mean,), std=(128.0,))
    scale = exact_input_scale(how)
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    codes = quantize_real(normalise(pixels, how), scale.scale, scale.zero_point)
    assert scale.scale == 2.0**-7
    assert np.array_equal(codes.astype(int), pixels.astype(int) - 128)


def test_a_mean_per_channel_has_no_exact_scale():
    how = Preprocessing(1, 1, "RGB", value_range=255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert exact_input_scale(how) is None and exact_input_scale(None) is None


def observed(name, *batches):
    observer = observer_class(name)("t")
    for batch in batches:
        observer.observe(np.asarray(batch, np.float32))
    return observer


@pytest.mark.parametrize("name", OBSERVERS)
def test_observers_stay_within_what_they_saw_and_take_zeros(name):
    values = np.random.default_rng(1).normal(1, 2, 5000)
    low, high = observed(name, values).range()
    assert np.float32(values).min() <= low < high <= np.float32(values).max()
    assert observed(name, np.zeros(10)).range() == (0.0, 0.0)


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_observers_name_a_tensor_that_is_not_finite(name, bad):
    with pytest.raises(WesnpuError, match="'t' is NaN or infinite"):
        observed(name, [1.0, bad])


def test_a_histogram_that_grew_equals_one_of_full_width_from_the_start():
    generator = np.random.default_rng(2)
    small, large = generator.uniform(-1, 1, 999).astype(np.float32), generator.uniform(-50, 50, 999).astype(np.float32)
    grown, whole = observed("mse", np.zeros(7), small, large), observed("mse", large, small, np.zeros(7))
    assert grown.limit == whole.limit == 64.0
    assert np.array_equal(grown.counts, whole.counts) and grown.counts.sum() == 2005


def test_percentile_is_the_quantile_to_within_a_bin():
    values = np.random.default_rng(3).normal(0, 1, 200_000).astype(np.float32)
    low, high = observed("percentile", values).range()
    tail = (100 - PERCENTILE) / 100
    bin_width = Percentile("t").limit or 8 / HALF
    assert abs(low - np.quantile(values, tail)) <= bin_width and abs(high - np.quantile(values, 1 - tail)) <= bin_width


def test_mse_is_the_best_ratio_by_brute_force_on_the_values():
    values = np.random.default_rng(4).standard_t(3, 20_000).astype(np.float32)
    values *= 100 / np.abs(values).max()
    low, high = observed("mse", values).range()

    def error(ratio):
        limits = clipped(float(values.min()), float(values.max()), ratio)
        return MeanSquaredError._error(values.astype(float), np.ones(len(values)), *limits)

    best = min((ratio / 100 for ratio in range(1, 101)), key=error)
    found = max(-low, high) / float(np.abs(values).max())
    assert best < 1 and abs(found - best) <= 0.021 and error(found) <= error(best) * 1.01


def test_entropy_clips_a_lonely_outlier_but_keeps_a_uniform_range():
    values = np.random.default_rng(5).normal(0, 1, 100_000)
    assert observed("entropy", values, [60.0]).range()[1] < 40
    assert observed("entropy", np.linspace(-1, 1, 100_000)).range()[1] > 0.9


def test_an_unknown_observer_is_refused_with_the_known_ones():
    with pytest.raises(WesnpuError, match="observer is 'max': must be one of minmax, percentile, mse, entropy"):
        observer_class("max")

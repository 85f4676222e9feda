"""The machine's Eq. 2..7 and golden's were written apart: they must agree on corners and random values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.requantization import Requantization
from golden.requantize import INT32_MAX, INT32_MIN, ShiftScaler, residual_term

CHANNELS, COUNT = 5, 64
CODES = st.integers(-128, 127)


@st.composite
def requantizations(draw: st.DrawFn) -> Requantization:
    low, high = sorted((draw(CODES), draw(CODES)))
    return Requantization(
        guard_bits=draw(st.sampled_from([5, 7])),
        exponent=draw(st.integers(0, 16)),
        multiplier=draw(st.one_of(st.just(0), st.integers(2**15, 2**16 - 1))),
        zero_point=draw(CODES),
        low=low,
        high=high,
        residual_multiplier=draw(st.integers(0, 2**15)),
        residual_zero_point=draw(CODES),
    )


def accumulators(rng: np.random.Generator) -> np.ndarray:
    """int64 (CHANNELS, COUNT): random magnitudes of every size, and the limits of int32."""
    acc = rng.integers(-(2**31), 2**31, (CHANNELS, COUNT)) >> rng.integers(0, 32, (CHANNELS, COUNT))
    acc[:, :4] = INT32_MIN, INT32_MAX, 0, -1
    return acc


@given(one=requantizations(), seed=st.integers(0, 2**32), residual=st.booleans())
def test_equals_golden(one: Requantization, seed: int, residual: bool) -> None:
    rng = np.random.default_rng(seed)
    acc, shift = accumulators(rng), rng.integers(0, 16, CHANNELS).astype(np.uint8)
    operand = rng.integers(-128, 128, acc.shape).astype(np.int8) if residual else None
    term = None
    if operand is not None:
        term = residual_term(operand, one.residual_zero_point, one.residual_multiplier, one.guard_bits)
    scaler = ShiftScaler(shift, one.exponent, one.multiplier, one.guard_bits)
    expected = scaler.stages(acc, residual=term, zero_point=one.zero_point, lo=one.low, hi=one.high).output
    assert np.array_equal(one.apply(acc, shift, operand), expected)


@pytest.mark.parametrize(
    ("acc", "expected"),
    [(0, 3), (1, 4), (-1, 3), (2, 4), (-2, 2), (3, 5), (2**31 - 1, 100), (-(2**31), -100)],
    ids=str,
)
def test_halves_round_up_and_the_clamp_is_last(acc: int, expected: int) -> None:
    """M = 2^15, s = 0: acc / 2 + 3, halves up, between -100 and 100."""
    one = Requantization(guard_bits=7, exponent=0, multiplier=2**15, zero_point=3, low=-100, high=100)
    assert one.apply(np.array([[acc]]), np.zeros(1, np.uint8)).item() == expected


def test_sums_wrap_to_int32() -> None:
    one = Requantization(guard_bits=5, exponent=0, multiplier=2**15, zero_point=0, low=-128, high=127)
    assert one.apply(np.array([[2**32 + 20]]), np.zeros(1, np.uint8)).item() == 10

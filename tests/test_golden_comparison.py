"""The requantizers for comparison against definitions of their own: fractions, and gemmlowp's C written out."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.errors import WesnpuError
from golden.power_of_two import PowerOfTwo
from golden.requantize import INT32_MAX, INT32_MIN, Requantizer
from tests.golden_judge import residual

QUICK = settings(max_examples=500, deadline=None, derandomize=True, print_blob=True)
INT32 = st.one_of(st.integers(INT32_MIN, INT32_MAX), st.sampled_from([INT32_MIN, INT32_MAX, 0, -1, 1]))
CODE = st.integers(-128, 127)
OPERAND = st.none() | st.tuples(CODE, CODE, st.integers(0, 2**15))
GUARD = st.integers(0, 12)


def one_output(requantizer: Requantizer, acc: int, r: int | None) -> int:
    term = None if r is None else np.array([r])
    got = requantizer.stages(np.array([acc]), residual=term, zero_point=3, lo=-120, hi=110)
    assert got.output.dtype == np.int8
    return int(got.output[0])


def clamped(q: int) -> int:
    return max(-120, min(110, q + 3))


def rounded_once(acc: int, scale: Fraction, r: int, guard_bits: int) -> int:
    return clamped(floor(acc * scale + Fraction(r, 2 ** (16 + guard_bits)) + Fraction(1, 2)))


def gemmlowp_high_multiply(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul as gemmlowp's fixedpoint.h has it: sign-dependent nudge, C division."""
    if a == b == INT32_MIN:
        return INT32_MAX
    nudged = a * b + (2**30 if a * b >= 0 else 1 - 2**30)
    return abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)


def gemmlowp_divide(x: int, exponent: int) -> int:
    """RoundingDivideByPOT: nearest, halves away from zero."""
    magnitude = floor(Fraction(abs(x), 2**exponent) + Fraction(1, 2))
    return magnitude if x >= 0 else -magnitude


@QUICK
@given(acc=INT32, multiplier=st.integers(0, 2**31 - 1), shift=st.integers(31, 54), operand=OPERAND, guard_bits=GUARD)
def test_channel_multiplier_32(acc: int, multiplier: int, shift: int, operand: tuple | None, guard_bits: int) -> None:
    r = None if operand is None else residual(*operand, guard_bits)
    requantizer = ChannelMultiplier(np.array([multiplier], np.uint32), np.array([shift], np.uint8), 32, guard_bits)
    assert one_output(requantizer, acc, r) == rounded_once(acc, Fraction(multiplier, 2**shift), r or 0, guard_bits)


@QUICK
@given(acc=INT32, multiplier=st.integers(0, 2**16 - 1), shift=st.integers(16, 47), operand=OPERAND, guard_bits=GUARD)
def test_channel_multiplier_16(acc: int, multiplier: int, shift: int, operand: tuple | None, guard_bits: int) -> None:
    r = None if operand is None else residual(*operand, guard_bits)
    requantizer = ChannelMultiplier(np.array([multiplier], np.uint32), np.array([shift], np.uint8), 16, guard_bits)
    assert one_output(requantizer, acc, r) == rounded_once(acc, Fraction(multiplier, 2**shift), r or 0, guard_bits)


@QUICK
@given(acc=INT32, shift=st.integers(0, 31), operand=OPERAND, guard_bits=GUARD)
def test_power_of_two(acc: int, shift: int, operand: tuple | None, guard_bits: int) -> None:
    r = None if operand is None else residual(*operand, guard_bits)
    requantizer = PowerOfTwo(np.array([shift], np.uint8), guard_bits)
    assert one_output(requantizer, acc, r) == rounded_once(acc, Fraction(1, 2**shift), r or 0, guard_bits)


@QUICK
@given(acc=INT32, multiplier=st.integers(0, 2**31 - 1), shift=st.integers(0, 31), operand=OPERAND, guard_bits=GUARD)
def test_double_rounding(acc: int, multiplier: int, shift: int, operand: tuple | None, guard_bits: int) -> None:
    r = None if operand is None else residual(*operand, guard_bits)
    requantizer = DoubleRounding(np.array([multiplier], np.uint32), np.array([shift], np.uint8), guard_bits)
    q = gemmlowp_divide(gemmlowp_high_multiply(acc, multiplier), shift) + gemmlowp_divide(r or 0, 16 + guard_bits)
    assert one_output(requantizer, acc, r) == clamped(q)


def test_extreme_sums_do_not_wrap() -> None:
    """The largest product and the largest residual together: the sum of Eq. 9 still fits int64."""
    for acc, sign in ((INT32_MIN, -1), (INT32_MAX, 1)):
        requantizer = ChannelMultiplier(np.array([2**31 - 1], np.uint32), np.array([54], np.uint8))
        scale = Fraction(2**31 - 1, 2**54)
        assert one_output(requantizer, acc, sign * 255 << 23) == rounded_once(acc, scale, sign * 255 << 23, 7)


def test_double_rounding_differs_from_one_rounding_where_it_must() -> None:
    """0.4999... rounds to a half first and then up: what gemmlowp's form is known for."""
    twice = DoubleRounding(np.array([2**30], np.uint32), np.array([1], np.uint8))
    once = ChannelMultiplier(np.array([2**30], np.uint32), np.array([32], np.uint8))
    assert (one_output(twice, 1, None), one_output(once, 1, None)) == (clamped(1), clamped(0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ChannelMultiplier(np.array([1], np.uint32), np.array([30], np.uint8)), "shift spans 30..30"),
        (lambda: ChannelMultiplier(np.array([2**31], np.uint32), np.array([31], np.uint8)), "multiplier spans"),
        (lambda: ChannelMultiplier(np.array([2**16], np.uint32), np.array([16], np.uint8), 16), "multiplier spans"),
        (lambda: ChannelMultiplier(np.array([1], np.uint32), np.array([31], np.uint8), 8), "bits is 8"),
        (lambda: ChannelMultiplier(np.array([1], np.uint32), np.array([31] * 2, np.uint8)), "shift has 2 channels"),
        (lambda: DoubleRounding(np.array([1], np.uint32), np.array([32], np.uint8)), "shift spans 32..32"),
        (lambda: DoubleRounding(np.array([1], np.int32), np.array([3], np.uint8)), "multiplier is int32"),
        (lambda: PowerOfTwo(np.array([32], np.uint8)), "shift spans 32..32"),
        (lambda: PowerOfTwo(np.array([3], np.uint8), 13), "guard_bits is 13"),
    ],
)
def test_constructors_refuse(make: object, words: str) -> None:
    with pytest.raises(WesnpuError, match=words):
        make()  # type: ignore[operator]

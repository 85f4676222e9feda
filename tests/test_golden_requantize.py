"""The shift scaler against exact Python integers, a hand-written table, and the claims of docs/arithmetic.md."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import WesnpuError
from golden.requantize import INT32_MAX, INT32_MIN, ShiftScaler, residual_term
from tests import golden_judge

# acc, n_c, e, M, zero_point, lo, hi, r, t, p, y at G = 7: worked out by hand
TABLE = [
    # one code is 2^16 of acc M 2^-s; M = 2^15 halves, so acc 2^-s = 1 is half a code: ties go up, for both signs
    (1, 0, 0, 2**15, 0, -128, 127, 0, 128, 2**22, 1),
    (-1, 0, 0, 2**15, 0, -128, 127, 0, -128, -(2**22), 0),
    (3, 0, 0, 2**15, 0, -128, 127, 0, 384, 3 * 2**22, 2),
    (-3, 0, 0, 2**15, 0, -128, 127, 0, -384, -3 * 2**22, -1),
    # one guard step below the tie
    (255, 8, 0, 2**15, 0, -128, 127, 0, 127, 127 * 2**15, 0),
    (256, 8, 0, 2**15, 0, -128, 127, 0, 128, 2**22, 1),
    (-257, 8, 0, 2**15, 0, -128, 127, 0, -129, -129 * 2**15, -1),
    # floor of t for negative accumulators, shift 15 and the largest total shift 31
    (-1, 15, 0, 2**16 - 1, 0, -128, 127, 0, -1, -(2**16 - 1), 0),
    (-1, 15, 16, 2**16 - 1, 0, -128, 127, 0, -1, -(2**16 - 1), 0),
    (INT32_MAX, 15, 16, 2**16 - 1, 0, -128, 127, 0, 127, 127 * (2**16 - 1), 1),
    (INT32_MIN, 15, 16, 2**16 - 1, 0, -128, 127, 0, -128, -128 * (2**16 - 1), -1),
    # saturation of t to 18 bits, and the clamp behind it
    (1023, 0, 0, 2**15, 0, -128, 127, 0, 1023 * 128, 1023 * 2**22, 127),
    (1024, 0, 0, 2**15, 0, -128, 127, 0, 2**17 - 1, (2**17 - 1) * 2**15, 127),
    (-1024, 0, 0, 2**15, 0, -128, 127, 0, -(2**17), -(2**32), -128),
    (-1025, 0, 0, 2**15, 0, -128, 127, 0, -(2**17), -(2**32), -128),
    (INT32_MAX, 0, 0, 2**16 - 1, 0, -128, 127, 0, 2**17 - 1, (2**17 - 1) * (2**16 - 1), 127),
    (INT32_MIN, 0, 0, 2**16 - 1, 0, -128, 127, 0, -(2**17), -(2**17) * (2**16 - 1), -128),
    # M = 0: the zero point, or the residual alone
    (INT32_MAX, 3, 2, 0, -5, -128, 127, 0, 2**17 - 1, 0, -5),
    (INT32_MIN, 3, 2, 0, -5, -128, 127, 7 * 2**23, -(2**17), 0, 2),
    # zero point and clamp: ReLU's lo = z_y, ReLU6's hi, lo = hi
    (-40, 0, 0, 2**15, 10, 10, 127, 0, -40 * 128, -40 * 2**22, 10),
    (40, 0, 0, 2**15, 10, 10, 25, 0, 40 * 128, 40 * 2**22, 25),
    (40, 0, 0, 2**15, 10, 10, 30, 0, 40 * 128, 40 * 2**22, 30),
    (4, 0, 0, 2**15, -128, -7, -7, 0, 512, 2**24, -7),
    # residual: 5 codes, half a code that makes a tie, half a code down, and the largest one against saturation
    (2, 0, 0, 2**15, 0, -128, 127, 5 * 2**23, 256, 2**23, 6),
    (2, 0, 0, 2**15, 0, -128, 127, 2**22, 256, 2**23, 2),
    (2, 0, 0, 2**15, 0, -128, 127, -(2**22), 256, 2**23, 1),
    (2, 0, 0, 2**15, 0, -128, 127, -(2**22) - 1, 256, 2**23, 0),
    (INT32_MAX, 0, 0, 2**15, -128, -128, 127, -255 * 2**23, 2**17 - 1, (2**17 - 1) * 2**15, 127),
    (INT32_MIN, 0, 0, 2**15, 127, -128, 127, 255 * 2**23, -(2**17), -(2**32), -128),
]


@pytest.mark.parametrize("row", TABLE)
def test_table(row: tuple[int, ...]) -> None:
    acc, shift, exponent, multiplier, zero_point, lo, hi, r, t, p, y = row
    scaler = ShiftScaler(np.array([shift], np.uint8), exponent, multiplier)
    residual = np.array([r]) if r else None
    got = scaler.stages(np.array([acc], np.int32), residual=residual, zero_point=zero_point, lo=lo, hi=hi)
    assert (int(got.shifted[0]), int(got.product[0]), int(got.output[0])) == (t, p, y)
    assert golden_judge.stages(scaler, 0, acc, r, zero_point, lo, hi) == (t, p, y)


CODE = st.integers(-128, 127)
INT32 = st.one_of(st.integers(INT32_MIN, INT32_MAX), st.sampled_from([INT32_MIN, INT32_MAX, 0, -1, 1]))
MULTIPLIER = st.one_of(st.integers(2**15, 2**16 - 1), st.sampled_from([0, 2**15, 2**16 - 1]))


@settings(max_examples=500, deadline=None, derandomize=True, print_blob=True)
@given(
    acc=st.lists(INT32, min_size=1, max_size=5),
    shift=st.integers(0, 15),
    exponent=st.integers(0, 16),
    multiplier=MULTIPLIER,
    guard_bits=st.integers(0, 12),
    half_step=st.sampled_from([None, 0, 1]),
    operand=st.none() | st.tuples(CODE, CODE, st.integers(0, 2**15)),
    zero_point=CODE,
    clamp=st.tuples(CODE, CODE),
)
def test_every_stage_equals_exact_integers(
    acc: list[int],
    shift: int,
    exponent: int,
    multiplier: int,
    guard_bits: int,
    half_step: int | None,
    operand: tuple[int, int, int] | None,
    zero_point: int,
    clamp: tuple[int, int],
) -> None:
    half = None if half_step is None else np.array([half_step], np.uint8)
    scaler = ShiftScaler(np.array([shift], np.uint8), exponent, multiplier, guard_bits, half)
    lo, hi = sorted(clamp)
    exact_r, r = 0, None
    if operand is not None:
        exact_r = golden_judge.residual(*operand, guard_bits)
        r = residual_term(np.full((1, len(acc)), operand[0], np.int8), *operand[1:], guard_bits)
        assert r.tolist() == [[exact_r] * len(acc)]
    got = scaler.stages(np.array([acc], np.int64), residual=r, zero_point=zero_point, lo=lo, hi=hi)
    for i, number in enumerate(acc):
        expected = golden_judge.stages(scaler, 0, number, exact_r, zero_point, lo, hi)
        assert (int(got.shifted[0, i]), int(got.product[0, i]), int(got.output[0, i])) == expected
        unsaturated = golden_judge.shifted(number, shift + exponent, half_step or 0, guard_bits, saturate=False)
        free = golden_judge.output(unsaturated * multiplier, exact_r, guard_bits, zero_point, lo, hi)
        assert free == expected[2], "the saturation of Eq. 3 changed an output"


@pytest.mark.parametrize("guard_bits", [0, 5, 7, 12])
def test_saturation_cannot_change_an_output_at_its_limits(guard_bits: int) -> None:
    """At both limits of t the output is clamped, for the least M, the most opposed residual and zero point."""
    limit, r = 1 << (guard_bits + 10), 255 << (16 + guard_bits)
    assert golden_judge.output((limit - 1) * 2**15, -r, guard_bits, -128, -128, 127) == 127
    assert golden_judge.output(-limit * 2**15, r, guard_bits, 127, -128, 127) == -128


def test_one_bit_less_saturation_would_change_an_output() -> None:
    """T = G + 11 is tight with a residual: with G + 10 bits an output that is not at its clamp changes."""
    limit = 1 << 16
    changed = golden_judge.output((limit - 1) * 2**15, -255 << 23, 7, -128, -128, 127)
    assert changed != golden_judge.output(2 * limit * 2**15, -255 << 23, 7, -128, -128, 127)


def test_stages_keep_shape_and_types() -> None:
    scaler = ShiftScaler(np.arange(3, dtype=np.uint8), 4, 2**15)
    acc = np.arange(3 * 4 * 5, dtype=np.int32).reshape(3, 4, 5)
    got = scaler.stages(acc, residual=None, zero_point=0, lo=-128, hi=127)
    assert (got.shifted.dtype, got.product.dtype, got.output.dtype) == (np.int64, np.int64, np.int8)
    assert got.shifted.shape == got.product.shape == got.output.shape == acc.shape
    assert scaler.total_shift.tolist() == [4, 5, 6] and scaler.shifted_bits == 18


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shift": np.array([16], np.uint8)}, "shift spans 16..16: every element must be in 0..15"),
        ({"shift": np.array([1])}, "shift is int64"),
        ({"shift": [1]}, "shift is list"),
        ({"shift": np.zeros(0, np.uint8)}, "not empty"),
        ({"exponent": 17}, "exponent is 17: must be in 0..16"),
        ({"exponent": 1.0}, "exponent is 1.0: must be an integer"),
        ({"exponent": True}, "exponent is True"),
        ({"multiplier": 2**15 - 1}, "multiplier is 32767: must be 0 or in 32768..65535"),
        ({"multiplier": 2**16}, "multiplier is 65536"),
        ({"multiplier": -1}, "multiplier is -1"),
        ({"guard_bits": 13}, "guard_bits is 13: must be in 0..12"),
        ({"half_step": np.array([2], np.uint8)}, "half_step spans"),
        ({"half_step": np.array([1, 0], np.uint8)}, "half_step has 2 channels: must be 1"),
    ],
)
def test_constructor_refuses(values: dict, words: str) -> None:
    with pytest.raises(WesnpuError, match=words.replace(".", r"\.")):
        ShiftScaler(**({"shift": np.array([3], np.uint8), "exponent": 4, "multiplier": 2**15} | values))


@pytest.mark.parametrize(
    ("acc", "residual", "words"),
    [
        (np.array([2**31]), None, "acc spans"),
        (np.array([1.0]), None, "acc is float64"),
        (np.array([1, 2]), None, "acc is int64"),
        (np.array([1]), np.array([1, 2]), "residual is int64"),
        (np.array([1]), np.array([(255 << 23) + 1]), "residual spans"),
    ],
)
def test_stages_refuse(acc: np.ndarray, residual: np.ndarray | None, words: str) -> None:
    with pytest.raises(WesnpuError, match=words):
        ShiftScaler(np.array([3], np.uint8), 4, 2**15).stages(acc, residual=residual, zero_point=0, lo=-128, hi=127)


def test_arrays_are_copied_and_read_only() -> None:
    shift = np.array([3], np.uint8)
    scaler = ShiftScaler(shift, 4, 2**15)
    shift[0] = 9
    assert scaler.shift[0] == 3
    with pytest.raises(ValueError, match="read-only"):
        scaler.shift[0] = 1

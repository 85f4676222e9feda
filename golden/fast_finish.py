"""Eq. 3..7 in floating point on blocks of sums that already carry the factor 2^(G-s_c): exact, or not used.

Both forms take a block that the caller no longer needs, and give floats that hold the integers of Eq. 6.
"""

from dataclasses import dataclass

import numpy as np

from golden.requantize import ShiftScaler
from golden.scratch import SCRATCH

# where in the window of safe offsets to try the single-precision constant; 0 is the exact constant
MARGINS = (0.0, 0.5, 0.25, 0.75, 0.375, 0.625, 0.125, 0.875)


@dataclass(frozen=True)
class Float64Finish:
    """Eq. 3..6 in double precision, residual included: exact without the saturation of Eq. 3.

    Where that saturation acts, the clamp of Eq. 6 decides (docs/arithmetic.md), by a margin that no rounding bridges.
    Everywhere else all terms are integers below 2^53 and every step is exact.
    """

    scaler: ShiftScaler
    zero_point: int
    lo: int
    hi: int

    def __call__(self, sums: np.ndarray, residual: np.ndarray | None) -> np.ndarray:
        """Codes of Eq. 6 from acc 2^(G-s_c), float (C, ...), and r of Eq. 7 (same shape, float64) or None."""
        guard = self.scaler.guard_bits
        q = np.floor(sums, dtype=np.float64, out=SCRATCH.array("codes", sums.shape, np.dtype(np.float64)))
        q *= self.scaler.multiplier
        if residual is not None:
            q += residual
        q += float((1 << (15 + guard)) + (self.zero_point << (16 + guard)))
        q *= 2.0 ** -(16 + guard)
        return np.floor(q, out=q).clip(self.lo, self.hi, out=q)


@dataclass(frozen=True)
class Float32Finish:
    """Eq. 3..6 in single precision without a residual: clamp(floor(floor(sums) * factor + offset)).

    factor = M 2^-(16+G) is exact, the sum is rounded; `float32_finish` makes one only if no code changes by that.
    """

    factor: np.float32
    offset: np.float32
    lo: int
    hi: int

    def __call__(self, sums: np.ndarray, residual: None = None) -> np.ndarray:
        """Codes of Eq. 6 from acc 2^(G-s_c), float32 (C, ...), which is overwritten."""
        y = np.floor(sums, out=sums)
        y *= self.factor
        y += self.offset
        return np.floor(y, out=y).clip(self.lo, self.hi, out=y)


def step_points(scaler: ShiftScaler, zero_point: int, lo: int, hi: int) -> np.ndarray:
    """For every code k in lo+1..hi the smallest t whose Eq. 4..6 give at least k, int64; M must not be 0."""
    codes = np.arange(lo + 1, hi + 1, dtype=np.int64) - zero_point
    least = (codes << (16 + scaler.guard_bits)) - (1 << (15 + scaler.guard_bits))
    return -(-least // scaler.multiplier)


def float32_finish(scaler: ShiftScaler, zero_point: int, lo: int, hi: int) -> Float32Finish | None:
    """The single-precision form, or None where rounding would change a code.

    The form and Eq. 4..6 both never fall as t grows. So they agree for every t if they agree on both sides of every
    step of Eq. 6, and that is what is checked here; saturation (Eq. 3) lies outside the clamp and changes nothing.
    """
    if scaler.multiplier == 0:
        return None
    shift = 16 + scaler.guard_bits
    points = step_points(scaler, zero_point, lo, hi)
    constant = (1 << (shift - 1)) + (zero_point << shift)
    above = (points * scaler.multiplier + constant) & ((1 << shift) - 1)  # how far each step is past its integer
    low, high = (-int(above.min()), scaler.multiplier - int(above.max())) if points.size else (0, 0)
    codes = np.arange(lo + 1, hi + 1)
    for margin in MARGINS:
        exact = constant + (low + margin * (high - low) if margin else 0)
        finish = Float32Finish(np.float32(scaler.multiplier * 2.0**-shift), np.float32(exact * 2.0**-shift), lo, hi)
        before, after = ((points - d).astype(np.float32) for d in (1, 0))
        if np.all(finish(before) == codes - 1) and np.all(finish(after) == codes):
            return finish
    return None

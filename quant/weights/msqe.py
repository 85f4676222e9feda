"""Power-of-two weight scales of least squared error with an outlier mask (MSQE, 2210.03671).

A scale s = 2^k turns w into s c, c the nearest of the codes -q..q. Its error is sum v (s c - w)^2, v = 1 where
|w| <= 2 sigma and 0 elsewhere, sigma the standard deviation of the row: outliers do not decide, and may clip.
"""

import math

import numpy as np

from quant.weights.power_of_two import ceil_exponent

OUTLIER = 2.0  # standard deviations beyond which a weight does not count
STEPS = 3  # of least squares
REACH = 3  # exponents tried on either side


def msqe_exponent(row: np.ndarray, limit: int) -> int:
    """k of the scale 2^k of `row` (K,), finite and not all zero, with codes -limit..limit.

    Starts at the rounded log2(max|w| / q) over the weights that count (over all of them, as the paper has it, one far
    outlier puts the best k out of reach), takes STEPS least-squares steps, each only if it lowers the error, then the
    best of k - REACH..k + REACH; of equals the largest, which clips least.
    """
    counted = inliers(row)
    k = _nearest_exponent(float(np.abs(counted).max()) / limit)
    for _ in range(STEPS):
        step = _least_squares(counted, limit, k)
        if step is None or not weighted_error(counted, limit, step) < weighted_error(counted, limit, k):
            break
        k = step
    return min(range(k + REACH, k - REACH - 1, -1), key=lambda tried: weighted_error(counted, limit, tried))


def inliers(row: np.ndarray) -> np.ndarray:
    """The weights that count, those with |w| <= OUTLIER sigma; all of them where those are all 0."""
    counted = row[np.abs(row) <= OUTLIER * float(row.std())]
    return counted if counted.any() else row


def weighted_error(counted: np.ndarray, limit: int, k: int) -> float:
    """Sum of squared differences between the counted weights and their nearest codes times 2^k."""
    codes = np.clip(np.rint(np.ldexp(counted, -k)), -limit, limit)
    return float(np.square(np.ldexp(codes, k) - counted).sum())


def _least_squares(counted: np.ndarray, limit: int, k: int) -> int | None:
    """Exponent nearest to s = sum w c / sum c^2, the best scale for the codes at 2^k; None where all are 0."""
    codes = np.clip(np.rint(np.ldexp(counted, -k)), -limit, limit)
    power = float(codes @ codes)
    return None if power == 0 else _nearest_exponent(float(counted @ codes) / power)


def _nearest_exponent(scale: float) -> int:
    """log2 rounded to the nearest whole number, halves up (2^(k + 1/2) cannot be hit exactly)."""
    return ceil_exponent(scale / math.sqrt(2.0))

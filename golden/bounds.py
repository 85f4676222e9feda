"""Exact bounds of the accumulator (Eq. 1 and 8), from the weights, the bias and the range of the input codes."""

import numpy as np


def product_bounds(weight: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest sum of x * w per output channel for low <= x <= high, int64 (O,) each; both are reached.

    weight: integers (O, I, KH, KW), 2^d included (Eq. 8). Every tap is taken as present, as it is: padding
    is fed with a code.
    """
    flat = weight.reshape(weight.shape[0], -1).astype(np.int64)
    positive, negative = np.maximum(flat, 0).sum(axis=1), np.minimum(flat, 0).sum(axis=1)
    return low * positive + high * negative, high * positive + low * negative


def accumulator_bounds(weight: np.ndarray, bias: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest accumulator of Eq. 1 per output channel for input codes in low..high, int64 (O,) each."""
    smallest, largest = product_bounds(weight, low, high)
    return bias.astype(np.int64) + smallest, bias.astype(np.int64) + largest


def partial_sum_bound(weight: np.ndarray, bias: np.ndarray, low: int, high: int) -> np.ndarray:
    """Largest magnitude of the sum of ANY subset of the bias and the products, per output channel, int64 (O,).

    A floating-point sum is exact in every order of summation when this stays below 2^(mantissa bits).
    """
    flat = weight.reshape(weight.shape[0], -1).astype(np.int64)
    ends = np.stack([flat * low, flat * high])
    up = np.maximum(ends.max(axis=0), 0).sum(axis=1) + np.maximum(bias.astype(np.int64), 0)
    down = np.minimum(ends.min(axis=0), 0).sum(axis=1) + np.minimum(bias.astype(np.int64), 0)
    return np.maximum(up, -down)

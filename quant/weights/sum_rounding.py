"""Rounding that keeps sums: codes whose errors cancel within every kernel and every output channel.

The idea of SQuant (Guo et al. 2022, 2202.07471): nearest rounding minimises the error of each weight, but what hurts a
network most is the error of their sum, which shifts the channel's mean. Rounding the fewest weights the other way,
those nearest to half a step, brings each sum's error to half a step or less. No image is needed.
"""

import numpy as np


def sum_rounded(values: np.ndarray, limit: int) -> np.ndarray:
    """Integers (O, I, KH, KW) in -limit..limit, each less than 1 from `values` (in steps, |value| <= limit + 1/2).

    The error of the sum is at most 1/2 in every output channel; before that is brought about, with one more change in a
    kernel, it is at most 1/2 in every kernel. At the ends of the grid, where a weight cannot move, it may be more.
    """
    flat = values.reshape(*values.shape[:2], -1)
    codes = np.clip(np.rint(flat), -limit, limit)
    codes = _kernels(flat, codes, limit)
    return _channels(flat, codes, limit).reshape(values.shape)


def _kernels(values: np.ndarray, codes: np.ndarray, limit: int) -> np.ndarray:
    """Change as many weights of a kernel as its sum is whole steps off, those first that gain most."""
    error = codes - values
    total = error.sum(axis=2)
    gain = _gains(error, codes, np.sign(total)[:, :, None], limit)
    chosen = _ranks(gain) < np.rint(np.abs(total))[:, :, None]
    return codes - np.sign(total)[:, :, None] * (chosen & (gain > 0))


def _channels(values: np.ndarray, codes: np.ndarray, limit: int) -> np.ndarray:
    """Change one weight each in as many kernels as the channel's sum is whole steps off."""
    error = codes - values
    total = error.sum(axis=(1, 2))
    sign = np.sign(total)[:, None]
    gain = _gains(error, codes, sign[:, :, None], limit)
    best = gain.max(axis=2)
    kernel_gain = np.where(best > 0, sign * error.sum(axis=2), -np.inf)
    chosen = (_ranks(kernel_gain) < np.rint(np.abs(total))[:, None]) & np.isfinite(kernel_gain)
    first = np.arange(codes.shape[2]) == gain.argmax(axis=2)[:, :, None]
    return codes - sign[:, :, None] * (first & chosen[:, :, None])


def _gains(error: np.ndarray, codes: np.ndarray, sign: np.ndarray, limit: int) -> np.ndarray:
    """How far each weight was rounded in the direction of `sign`; minus infinity where it cannot move back."""
    return np.where(np.abs(codes - sign) <= limit, sign * error, -np.inf)


def _ranks(gain: np.ndarray) -> np.ndarray:
    """Place of each entry in descending order along the last axis; of equals the first comes first."""
    order = np.argsort(-gain, axis=-1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(gain.shape[-1]), axis=-1)
    return ranks

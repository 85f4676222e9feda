"""Rounding in turn with the error pushed into what is left (GPTQ, Frantar et al. 2022, 2210.17323; OBQ before it).

The squared error of an output is e H e' for weight errors e and moments H of the inputs. When weight i is rounded
with error e_i, the weights after it move by -e_i U_ij / U_ii, U the upper Cholesky factor of the inverse of H: the best
answer to an error that can no longer be undone. A diagonal H moves nothing and gives the nearest codes.
"""

import numpy as np

DAMPING = 0.01  # of the mean of H's diagonal, added to it: inputs that are always 0 leave H singular
BLOCK = 64  # columns whose errors reach the later blocks in one product


def compensated(values: np.ndarray, moments: np.ndarray, limit: int) -> np.ndarray:
    """Codes float64 (O, K) in -limit..limit for `values` (O, K), in steps.

    moments: (K, K), shared by all outputs (dense), or (O, K, K), one for each (depthwise). Columns are rounded in the
    order of falling H_ii, those that matter most while most others can still answer.
    """
    if moments.ndim == 3:
        return np.concatenate([_compensated(row[None], own, limit) for row, own in zip(values, moments, strict=True)])
    return _compensated(values, moments, limit)


def _compensated(values: np.ndarray, moments: np.ndarray, limit: int) -> np.ndarray:
    order = np.argsort(-np.diag(moments), kind="stable")
    factor = _factor(moments[np.ix_(order, order)].astype(np.float64))
    codes = np.empty_like(values)
    codes[:, order] = _in_turn(values[:, order].copy(), factor, limit)
    return codes


def _factor(moments: np.ndarray) -> np.ndarray:
    """Upper U with U' U = inverse of the damped moments; the identity for an input that is always 0."""
    mean = float(np.diag(moments).mean())
    if mean == 0:
        return np.eye(len(moments))
    damped = moments + DAMPING * mean * np.eye(len(moments))
    return np.linalg.cholesky(np.linalg.inv(damped)).T


def _in_turn(left: np.ndarray, factor: np.ndarray, limit: int) -> np.ndarray:
    """Round the columns of `left` (changed) from the first to the last."""
    codes, count = np.empty_like(left), left.shape[1]
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        errors = np.empty((len(left), last - first))
        for column in range(first, last):
            codes[:, column] = np.clip(np.rint(left[:, column]), -limit, limit)
            error = (left[:, column] - codes[:, column]) / factor[column, column]
            left[:, column + 1 : last] -= np.outer(error, factor[column, column + 1 : last])
            errors[:, column - first] = error
        left[:, last:] -= errors @ factor[first:last, last:]
    return codes

"""Rounding in turn with the error pushed into what is left (GPTQ, Frantar et al. 2022, 2210.17323; OBQ before it).

The squared error of an output is e H e' for weight errors e and moments H of the inputs. When weight i is rounded
with error e_i, the weights after it move by -e_i U_ij / U_ii, U the upper Cholesky factor of the inverse of H: the best
answer to an error that can no longer be undone. A diagonal H moves nothing and gives the nearest codes. Then the codes
are gone through again, each set to the best one while all others stay, which never increases e H e'.
"""

import numpy as np

DAMPING = 0.01  # of the mean of H's diagonal, added to it: inputs that are always 0 leave H singular
BLOCK = 64  # columns whose errors reach the later blocks in one product
SWEEPS = 4  # over all codes, at most, once they are rounded


def compensated(values: np.ndarray, moments: np.ndarray, limit: int) -> np.ndarray:
    """Codes float64 in -limit..limit for `values` (..., O, K), in steps; leading axes are independent trials.

    moments: (K, K), shared by all outputs (dense), or (O, K, K), one for each (depthwise). Columns are rounded in the
    order of falling H_ii, those that matter most while most others can still answer.
    """
    damped = damped_moments(moments)
    order = np.argsort(-np.diagonal(damped, axis1=1, axis2=2), axis=1, kind="stable")
    damped = np.take_along_axis(np.take_along_axis(damped, order[:, :, None], 1), order[:, None, :], 2)
    rows = np.take_along_axis(_grouped(values, len(order)), order[:, None, :], 2)
    codes = np.empty_like(rows)
    np.put_along_axis(codes, order[:, None, :], _rounded(rows, damped, limit), 2)
    return _ungrouped(codes, values.shape)


def output_errors(values: np.ndarray, codes: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """e H e' of every trial and output, float64 (..., O), in squared steps, H damped; arguments as `compensated`."""
    damped = damped_moments(moments)
    errors = _grouped(codes - values, len(damped))
    return _ungrouped(((errors @ damped) * errors).sum(axis=2), values.shape[:-1])


def damped_moments(moments: np.ndarray) -> np.ndarray:
    """(1 or O, K, K) float64 that have an inverse; the identity where all inputs are always 0."""
    groups = moments.reshape(-1, *moments.shape[-2:]).astype(np.float64)
    mean = np.diagonal(groups, axis1=1, axis2=2).mean(axis=1)
    return groups + np.where(mean > 0, DAMPING * mean, 1.0)[:, None, None] * np.eye(groups.shape[-1])


def _grouped(rows: np.ndarray, groups: int) -> np.ndarray:
    """(..., O, K) as (groups, rows, K), the rows of one group having the same moments."""
    trials = rows.reshape(-1, *rows.shape[-2:])
    return trials.reshape(1, -1, rows.shape[-1]) if groups == 1 else np.ascontiguousarray(np.moveaxis(trials, 0, 1))


def _ungrouped(grouped: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Back from (groups, rows, ...) to `shape`."""
    return grouped.reshape(shape) if len(grouped) == 1 else np.moveaxis(grouped, 0, 1).reshape(shape)


def _rounded(rows: np.ndarray, moments: np.ndarray, limit: int) -> np.ndarray:
    factor = np.swapaxes(np.linalg.cholesky(np.linalg.inv(moments)), 1, 2)
    codes = _in_turn(rows.copy(), factor, limit)
    _descend(codes, rows, moments, limit)
    return codes


def _in_turn(left: np.ndarray, factor: np.ndarray, limit: int) -> np.ndarray:
    """Round the columns of `left` (groups, rows, K), which changes, from the first to the last."""
    codes, count = np.empty_like(left), left.shape[2]
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        errors = np.empty((*left.shape[:2], last - first))
        for column in range(first, last):
            codes[:, :, column] = np.clip(np.rint(left[:, :, column]), -limit, limit)
            error = (left[:, :, column] - codes[:, :, column]) / factor[:, None, column, column]
            left[:, :, column + 1 : last] -= error[:, :, None] * factor[:, None, column, column + 1 : last]
            errors[:, :, column - first] = error
        left[:, :, last:] -= errors @ factor[:, first:last, last:]
    return codes


def _descend(codes: np.ndarray, rows: np.ndarray, moments: np.ndarray, limit: int) -> None:
    """Change `codes` one column at a time to the best code there, until none changes or SWEEPS are done."""
    slopes = (codes - rows) @ moments
    for _ in range(SWEEPS):
        before = codes.copy()
        for column in range(codes.shape[2]):
            best = codes[:, :, column] - slopes[:, :, column] / moments[:, None, column, column]
            change = np.clip(np.rint(best), -limit, limit) - codes[:, :, column]
            moved = np.nonzero(change)
            slopes[moved] += change[moved][:, None] * moments[moved[0], column]
            codes[:, :, column] += change
        if np.array_equal(before, codes):
            return

"""The rounding in turn alone, before codes are gone through again, against OBQ's loop written out."""

import numpy as np
import pytest

import quant.weights.compensation as module
from quant.weights.compensation import compensated
from quant.weights.test_compensation import LIMIT, moments_of


def plain(row: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Codes of one output (K,): each weight rounded in the order of falling H_ii, its error answered by all that are
    left through the inverse of their moments, which is found anew for them alone.
    """
    damped = moments + 0.01 * np.diag(moments).mean() * np.eye(len(row))
    left, codes = row.astype(np.float64).copy(), np.zeros(len(row))
    waiting = sorted(range(len(row)), key=lambda column: -damped[column, column])
    while waiting:
        inverse = np.linalg.inv(damped[np.ix_(waiting, waiting)])
        column = waiting[0]
        codes[column] = min(max(np.rint(left[column]), -LIMIT), LIMIT)
        left[waiting] -= (left[column] - codes[column]) / inverse[0, 0] * inverse[0]
        waiting = waiting[1:]
    return codes


@pytest.fixture(autouse=True)
def _no_sweeps(monkeypatch):
    monkeypatch.setattr(module, "SWEEPS", 0)


def uneven(seed: int, taps: int) -> np.ndarray:
    """Moments whose diagonal rises and falls, so that the order matters."""
    gains = np.random.default_rng(seed + 100).uniform(0.5, 3, taps)
    return moments_of(seed, taps) * np.outer(gains, gains)


@pytest.mark.parametrize("block", [3, 64])
@pytest.mark.parametrize("seed", range(3))
def test_a_dense_layer_is_that_of_the_plain_loop(seed, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    values, moments = np.random.default_rng(seed).uniform(-9, 9, (2, 5, 11)), uneven(seed, 11)
    wanted = np.array([[plain(row, moments) for row in trial] for trial in values])
    assert np.array_equal(compensated(values, moments, LIMIT), wanted)
    assert not np.array_equal(wanted, np.clip(np.rint(values), -LIMIT, LIMIT))


def test_a_depthwise_layer_is_that_of_the_plain_loop_channel_by_channel():
    values, moments = np.random.default_rng(5).uniform(-9, 9, (2, 4, 9)), np.stack([uneven(s, 9) for s in range(4)])
    wanted = np.array([[plain(row, moments[channel]) for channel, row in enumerate(trial)] for trial in values])
    assert np.array_equal(compensated(values, moments, LIMIT), wanted)

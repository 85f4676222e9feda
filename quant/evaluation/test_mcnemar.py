"""McNemar's exact test against values worked out by hand, by enumeration, and its symmetries."""

from itertools import product

import numpy as np
import pytest

from golden.errors import WesnpuError
from quant.evaluation.mcnemar import mcnemar


def pair(both, only_a, only_b, neither):
    """Two bool arrays with those counts."""
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a, bool), np.array(b, bool)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (5, 0, 2 / 32),
        (1, 5, 2 * (1 + 6) / 64),
        (3, 3, 1.0),  # 2 * (1 + 6 + 15 + 20) / 64 > 1
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (10, 1, 2 * (1 + 11) / 2048),
    ],
)
def test_p_of_small_tables_by_hand(only_a, only_b, p):
    assert mcnemar(*pair(7, only_a, only_b, 2)) == p
    assert mcnemar(*pair(0, only_b, only_a, 400)) == p


def test_p_is_the_share_of_coin_rows_at_least_as_lopsided():
    for n in range(1, 9):
        rows = [abs(2 * sum(row) - n) for row in product((0, 1), repeat=n)]
        for only_a in range(n + 1):
            share = sum(row >= abs(2 * only_a - n) for row in rows) / 2**n
            assert mcnemar(*pair(1, only_a, n - only_a, 1)) == share


def test_many_images_do_not_overflow():
    assert 0 < mcnemar(*pair(0, 1200, 1800, 0)) < 1e-20


@pytest.mark.parametrize("other", [np.zeros(3, bool), np.zeros(4, int), np.zeros((2, 2), bool)])
def test_other_shapes_and_types_are_refused(other):
    with pytest.raises(WesnpuError, match="correct_b is .*: must be bool, both of one shape"):
        mcnemar(np.zeros(4, bool), other)

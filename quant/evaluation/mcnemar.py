"""McNemar's exact test: do two classifiers differ on the same images by more than chance?"""

from math import comb

import numpy as np

from golden.errors import WesnpuError


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> float:
    """Two-sided p that two classifiers with equal accuracy differ at least as much, in 0..1 (McNemar 1947, exact).

    correct_a, correct_b: bool (N,), which images each has right. Only the n images on which exactly one is right tell:
    of these, b for A and c for B, each is a fair coin, so p = min(1, 2 sum_{i <= min(b, c)} C(n, i) / 2^n); 1 where
    n = 0. Computed in whole numbers. WesnpuError unless both are bool arrays of one shape (N,).
    """
    for name, values in (("correct_a", correct_a), ("correct_b", correct_b)):
        if values.dtype != bool or values.ndim != 1 or values.shape != correct_a.shape:
            raise WesnpuError(f"{name} is {values.dtype} {values.shape}: must be bool, both of one shape (N,)")
    only_a = int(np.count_nonzero(correct_a & ~correct_b))
    only_b = int(np.count_nonzero(correct_b & ~correct_a))
    n = only_a + only_b
    tail = sum(comb(n, i) for i in range(min(only_a, only_b) + 1))
    return min(2 * tail, 2**n) / 2**n

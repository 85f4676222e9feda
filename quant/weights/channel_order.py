"""Which order of channels suits scales that groups of channels share (the reordering of PTQ-SL, 2110.07809).

The paper does not tell its algorithm. Here: sort by range, then swap pairs as long as that lowers the error.
"""

import numpy as np

from golden.requantize import SHIFT_MAX
from quant.weights.weights import equalizing_shifts

SWEEPS = 3
SMALLEST = 2.0**-SHIFT_MAX  # ranges below this share of the largest count as this, for no shift is finer
GAIN = 1e-9  # of the cost; less is rounding


def relative_ranges(ranges: np.ndarray) -> np.ndarray:
    """Ranges (P, C) of P layers over their layer's largest, 2^-15 at least; 0 for dead channels."""
    top = np.maximum(ranges.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.where(ranges > 0, np.maximum(ranges / top, SMALLEST), 0.0)


def sorted_order(ranges: np.ndarray) -> np.ndarray:
    """Channels by falling geometric mean of their relative ranges over the P layers, dead ones last; int64 (C,).

    ranges: float64 (P, C). Of equals the first comes first.
    """
    relative = relative_ranges(ranges)
    live = relative > 0
    octaves = np.log2(np.where(live, relative, 1.0)).sum(axis=0) / np.maximum(live.sum(axis=0), 1)
    return np.argsort(np.where(live.any(axis=0), -octaves, np.inf), kind="stable")


def order_cost(ranges: np.ndarray, group: int, weights: np.ndarray) -> float:
    """Sum over layers and channels of weight * 4^-n, n the shift that the channel's group has.

    4^-n is the channel's squared rounding error up to a constant, its weight what such an error counts. float64 (P, C).
    """
    return float(_Groups(relative_ranges(ranges), group, weights).costs().sum())


def better_order(ranges: np.ndarray, group: int, weights: np.ndarray) -> np.ndarray:
    """An order int64 (C,) of the channels, not costlier than the present one (order_cost).

    Starts from the sorted order, or the present one where that costs less. For each place in turn the best exchange
    with a channel of another group is made if it lowers the cost; at most SWEEPS times through all places.
    """
    relative, present = relative_ranges(ranges), np.arange(ranges.shape[1])
    if group == 1 or group >= len(present):
        return present
    starts = [present, sorted_order(ranges)]
    order = min(starts, key=lambda o: _Groups(relative[:, o], group, weights[:, o]).costs().sum())
    groups = _Groups(relative[:, order], group, weights[:, order])
    for _ in range(SWEEPS):
        if not sum(_exchange(groups, order, place) for place in range(len(order))):
            break
    return order


def _exchange(groups: "_Groups", order: np.ndarray, place: int) -> bool:
    """Make the best exchange of this place, if any lowers the cost."""
    change = groups.exchange_costs(place)
    other = int(np.argmin(change))
    if change[other] >= -GAIN * groups.costs().sum():
        return False
    order[[place, other]] = order[[other, place]]
    groups.exchange(place, other)
    return True


class _Groups:
    """Channels in order, in groups of `size`: largest and second largest range and sum of weights of each group."""

    def __init__(self, relative: np.ndarray, size: int, weights: np.ndarray) -> None:
        self.relative, self.size, self.weights = relative.copy(), size, weights.copy()
        self.count = -(-relative.shape[1] // size)
        self.of = np.arange(relative.shape[1]) // size
        self.first, self.second, self.sums = (np.zeros((len(relative), self.count)) for _ in range(3))
        for group in range(self.count):
            self._fill(group)

    def _fill(self, group: int) -> None:
        members = slice(group * self.size, (group + 1) * self.size)
        ordered = -np.sort(-self.relative[:, members], axis=1)
        self.first[:, group] = ordered[:, 0]
        self.second[:, group] = ordered[:, 1] if ordered.shape[1] > 1 else 0.0
        self.sums[:, group] = self.weights[:, members].sum(axis=1)

    def costs(self) -> np.ndarray:
        """Cost of every layer and group, float64 (P, groups)."""
        return _cost(self.first, self.sums)

    def exchange(self, a: int, b: int) -> None:
        """Exchange the channels at two places."""
        for values in (self.relative, self.weights):
            values[:, [a, b]] = values[:, [b, a]]
        for group in {int(self.of[a]), int(self.of[b])}:
            self._fill(group)

    def exchange_costs(self, place: int) -> np.ndarray:
        """By how much exchanging `place` with every other place changes the cost, float64 (C,); 0 within its group."""
        own, now = self.of[place], self.costs()
        mine, rest = self.relative[:, place, None], self._without(np.array([place]))
        theirs, others = self.relative, self._without(np.arange(len(self.of)))
        moved = self.weights - self.weights[:, place, None]
        here = _cost(np.maximum(rest, theirs), self.sums[:, own, None] + moved)
        there = _cost(np.maximum(others, mine), self.sums[:, self.of] - moved)
        change = (here + there - now[:, own, None] - now[:, self.of]).sum(axis=0)
        return np.where(self.of == own, 0.0, change)

    def _without(self, places: np.ndarray) -> np.ndarray:
        """The largest range of each place's group without that place, float64 (P, places)."""
        first, second = self.first[:, self.of[places]], self.second[:, self.of[places]]
        return np.where(self.relative[:, places] < first, first, second)


def _cost(largest: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """4^-n times the sum of weights, n = floor(log2(1 / largest)); 0 for dead groups."""
    shift = equalizing_shifts(np.append(largest.reshape(-1), 1.0))[:-1].reshape(largest.shape)
    return np.where(largest > 0, np.ldexp(sums, -2 * shift.astype(np.int64)), 0.0)

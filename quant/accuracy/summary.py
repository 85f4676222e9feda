"""A row of a table: one method on one subject, over its calibration draws."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quant.accuracy.measure import Measured
from quant.accuracy.method import ORT_CHANNEL, Method
from quant.accuracy.run import Comparison, Unit
from quant.evaluation.mcnemar import mcnemar


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of one figure over the draws."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, of an even number the mean of the middle two."""
        return statistics.median(self.values)

    def text(self, digits: int = 1) -> str:
        """'88.2 (88.0..88.4)'; one number where all draws agree or there is one."""
        low, high, middle = (f"{v:.{digits}f}" for v in (min(self.values), max(self.values), self.median))
        return middle if low == high else f"{middle} ({low}..{high})"


@dataclass(frozen=True, eq=False)
class Row:
    """Figures of one method; top1 and loss are percent and None without labels, p is None without the baseline.

    loss: percentage points of top-1 below float. agreement: percent of images with float's class. p: McNemar's exact
    test against ONNX Runtime's quantization per channel, draw by draw. error: standard error of `loss`, from the
    images on which exactly one of the two is right (of agreement where there are no labels). first: result of the
    first draw. refused: why there is no network; then all spreads are empty.
    """

    method: Method
    draws: int
    top1: Spread | None
    loss: Spread | None
    agreement: Spread
    error: float
    sqnr: Spread
    seconds: Spread
    wall: Spread
    p: Spread | None
    first: Measured
    refused: str = ""


def float_top1(comparison: Comparison, subject: int) -> float | None:
    """Top-1 of the float network in percent, None without labels."""
    item = comparison.subjects[subject]
    if not item.labelled:
        return None
    return 100 * float(np.mean(comparison.references[subject].argmax(axis=1) == item.labels))


def rows(comparison: Comparison, subject: int, methods: Sequence[Method]) -> list[Row]:
    """A row for every method that has a result."""
    found = (row(comparison, subject, method) for method in methods)
    return [item for item in found if item is not None]


def row(comparison: Comparison, subject: int, method: Method) -> Row | None:
    """The method's row from the draws that have a result; None where none has."""
    draws = range(len(comparison.subjects[subject].draws))
    results = {draw: comparison.results.get(Unit(subject, method, draw)) for draw in draws}
    there = {draw: result for draw, result in results.items() if result is not None}
    if not there:
        return None
    refused = next((result.refused for result in there.values() if result.refused), "")
    kept = {} if refused else there
    labels, reference = comparison.subjects[subject].labels, comparison.references[subject].argmax(axis=1)
    labelled = comparison.subjects[subject].labelled
    plain = reference == labels
    right = [result.predicted == labels for result in kept.values()] if labelled else []
    agree = [result.predicted == reference for result in kept.values()]
    differ = [np.mean(one != plain) for one in right] or [np.mean(~one) for one in agree]
    return Row(
        method,
        len(kept),
        Spread(tuple(_percent(one.mean()) for one in right)) if right else None,
        Spread(tuple(_percent(plain.mean() - one.mean()) for one in right)) if right else None,
        Spread(tuple(_percent(one.mean()) for one in agree)),
        100 * float(np.sqrt(np.median(differ) / len(labels))) if differ else 0.0,
        Spread(tuple(result.sqnr for result in kept.values())),
        Spread(tuple(result.seconds for result in kept.values())),
        Spread(tuple(result.wall for result in kept.values())),
        _against_baseline(comparison, subject, kept) if labelled else None,
        next(iter(there.values())),
        refused,
    )


def _percent(share: np.floating[Any]) -> float:
    """Rounded, so that a loss of 2 images in 100 is 2 and not a little more."""
    return round(100 * float(share), 9)


def _against_baseline(comparison: Comparison, subject: int, results: dict[int, Measured]) -> Spread | None:
    labels, found = comparison.subjects[subject].labels, []
    for draw, result in results.items():
        baseline = comparison.results.get(Unit(subject, Method(ORT_CHANNEL), draw))
        if baseline is not None and not baseline.refused:
            found.append(mcnemar(result.predicted == labels, baseline.predicted == labels))
    return Spread(tuple(found)) if found else None

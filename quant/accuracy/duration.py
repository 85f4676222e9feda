"""How long the tables take, from the processor seconds that are kept with the results."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from quant.accuracy.method import Method
from quant.accuracy.run import Comparison, Unit


@dataclass(frozen=True)
class Duration:
    """Processor seconds of one network's results, all draws; `timed` of the `results` were measured.

    One that was not counts as the mean of its method's other draws, without any as the mean of the network's results.
    """

    results: int
    timed: int
    seconds: float


def duration(comparison: Comparison, subject: int, methods: Sequence[Method]) -> Duration | None:
    """What the rows of one network take; None where no time is known."""
    draws = range(len(comparison.subjects[subject].draws))
    known = [[comparison.times.get(Unit(subject, method, draw)) for draw in draws] for method in methods]
    timed = [seconds for row in known for seconds in row if seconds is not None]
    if not timed:
        return None
    total = sum(_whole(row, mean(timed)) for row in known)
    return Duration(len(methods) * len(draws), len(timed), total)


def _whole(row: Sequence[float | None], otherwise: float) -> float:
    """Seconds of one method's draws."""
    timed = [seconds for seconds in row if seconds is not None]
    return len(row) * (mean(timed) if timed else otherwise)

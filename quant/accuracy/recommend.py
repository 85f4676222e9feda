"""The cheapest method within a loss, by what it costs in hardware and what it takes to make."""

from collections.abc import Sequence

from quant.accuracy.cost import MULTIPLIERS
from quant.accuracy.summary import Row

ORDER = "bits, then bytes per channel, multiplier, effort to quantize"
#: Parts of a recipe that need nothing more than activation ranges.
PLAIN = ("sum", "phase", "cle", "cle2", "cle-needed", "dfq", "analytic", "reorder", "half", "shift2", "shift3")
NO_IMAGES, RANGES, CORRECTION, SEARCH, TRAINING = range(5)
OTHERS = {"free": NO_IMAGES, "bc": CORRECTION, "auto": CORRECTION, "rapq-blocks": TRAINING}


def effort(recipe: str) -> int:
    """What a recipe needs: no image, activation ranges on images, bias correction, a search on images, training."""
    scales, *names = recipe.split("+")
    parts = [part for part in (*names, *([scales] if scales in OTHERS else [])) if part not in PLAIN]
    if parts == ["free"]:
        return NO_IMAGES
    return max((OTHERS.get(part, SEARCH) for part in parts), default=RANGES)


def cost(row: Row) -> tuple[object, ...]:
    """What rows are ordered by, cheapest first: weight bits, activation bits, parameter bytes per channel, multiplier,
    effort of quantization, its seconds.
    """
    method = row.method
    return (
        method.weight_bits, method.activation_bits, row.first.bytes, MULTIPLIERS.index(row.first.multiplier),
        effort(method.recipe), row.seconds.median,
    )


def loss(row: Row) -> float:
    """Percentage points of top-1 below float, of agreement below 100 where there are no labels."""
    return 100 - row.agreement.median if row.loss is None else row.loss.median


def cheapest(rows: Sequence[Row], largest: float) -> Row | None:
    """The cheapest row that loses at most `largest` percentage points; None where none does. No other tool's."""
    return min((row for row in _own(rows) if loss(row) <= largest), key=cost, default=None)


def nearest(rows: Sequence[Row]) -> Row | None:
    """The row that loses least, the cheapest of equals."""
    return min(_own(rows), key=lambda row: (loss(row), cost(row)), default=None)


def _own(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.refused and not row.method.baseline]

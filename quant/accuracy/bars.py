"""Statements that the table can prove or refute, each judged from its rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from quant.accuracy.duration import Duration
from quant.accuracy.method import ORT_CHANNEL
from quant.accuracy.recommend import loss
from quant.accuracy.summary import Row

CHANCE = 25.0  # percent: below it a network of ten classes has collapsed
DRAWS = 3  # of calibration, that a figure is the median of; fewer are told
MINUTES, PROCESSORS = 90, 2  # what the whole table may take
SHIFT_SCALER = "auto"  # the recipe that the bars judge: its parts are chosen from the network, not by hand
WITHOUT_EQUALIZATION = "wes+bc"  # what of it is left where nothing is equalized
#: What the table alone does not say.
REMARKS = """`auto` equalizes where that is needed, `wes+bc` is the shift scaler with bias correction alone: where only
the first holds on a stressed network, equalization does it. With 4-bit weights `wes+ecr` is error-compensated rounding
alone; the other rows correct biases too, and `ecr-steps` also chooses the steps."""
Find = Callable[[str, int], Row | None]  # the row of a recipe at so many weight bits


@dataclass(frozen=True)
class Bar:
    """A statement, the figures that decide it, and whether it holds; None while a row is missing."""

    text: str
    figures: str
    holds: bool | None


def _judged(text: str, rows: Iterable[Row | None], judge: Callable[..., tuple[str, bool]]) -> Bar:
    found = list(rows)
    if any(row is None or row.refused for row in found):
        return Bar(text, "not measured", None)
    figures, holds = judge(*found)
    draws = min(row.draws for row in found if row is not None)
    return Bar(text, figures if draws >= DRAWS else f"{figures} ({draws} of {DRAWS} draws)", holds)


def imagenet_bars(find: Find) -> list[Bar]:
    """Of the network on labelled ImageNet crops."""

    def near_float(row: Row) -> tuple[str, bool]:
        below, agreement = loss(row), row.agreement.median
        return f"{below:.2f} pp below, agreement {agreement:.2f} %", below <= 1.0 and agreement >= 97.5

    def not_below_ort(row: Row, theirs: Row) -> tuple[str, bool]:
        p, behind = (row.p.median if row.p else 0.0), loss(row) - loss(theirs)
        return f"{behind:+.2f} pp behind it, p = {p:.2f}", behind <= 0 or p > 0.05

    def above(row: Row, other: Row) -> tuple[str, bool]:
        gain = loss(other) - loss(row)
        return f"{gain:+.2f} pp", gain >= 0

    def within(row: Row, other: Row) -> tuple[str, bool]:
        gap = loss(row) - loss(other)
        return f"{gap:.2f} pp behind", gap <= 5.0

    def gains(row: Row, other: Row) -> tuple[str, bool]:
        each = [mine - theirs for mine, theirs in zip(_top1(row), _top1(other), strict=True)]
        return f"{', '.join(f'{gain:+.2f}' for gain in each)} pp", min(each) > 0

    def fast(row: Row) -> tuple[str, bool]:
        return f"{row.seconds.median:.1f} s of one processor", row.seconds.median <= 60

    def four(recipe: str) -> Row | None:
        return find(recipe, 4)

    best = find(SHIFT_SCALER, 8)
    return [
        _judged(f"W8A8 `{SHIFT_SCALER}`: at most 1.0 pp below float, agreement at least 97.5 %", [best], near_float),
        _judged(
            f"W8A8 `{SHIFT_SCALER}`: not significantly below ONNX Runtime per channel (McNemar, p > 0.05)",
            [best, find(ORT_CHANNEL, 8)], not_below_ort,
        ),
        *[
            _judged(f"W4A8: `{own}` at or above `channelwise+bc`", [four(own), four("channelwise+bc")], above)
            for own in ("wes+ecr", "wes+ecr+bc", "wes+ecr-steps+bc")
        ],
        *[
            _judged(f"W4A8: `wes+{rest}` within 5 pp of `channelwise+{rest}`", map(four, _both(rest)), within)
            for rest in ("ecr", "ecr+bc", "ecr-steps+bc")
        ],
        *[
            _judged(f"W4A8: `wes+half+{rest}` above `wes+{rest}` in each draw", _halved(four, rest), gains)
            for rest in ("ecr+bc", "ecr-steps+bc")
        ],
        _judged("`wes+cle+bc` with 64 images in under 60 s", [find("wes+cle+bc", 8)], fast),
    ]


def _halved(four: Callable[[str], Row | None], parts: str) -> list[Row | None]:
    """The row with half steps and the one without, None while they have fewer than DRAWS draws."""
    found = four(f"wes+half+{parts}"), four(f"wes+{parts}")
    return [row if row is not None and len(_top1(row)) == DRAWS else None for row in found]


def _top1(row: Row) -> tuple[float, ...]:
    """Percent in every draw."""
    return () if row.top1 is None else row.top1.values


def _both(parts: str) -> tuple[str, str]:
    return f"wes+{parts}", f"channelwise+{parts}"


def stress_bars(name: str, find: Find) -> list[Bar]:
    """Of a network whose channels were spread; none where layer-wise quantization still works, so nothing is shown.

    Equalization undoes such a spread, so the shift scaler with bias correction alone is judged beside SHIFT_SCALER.
    """

    def holds(row: Row, layerwise: Row) -> tuple[str, bool]:
        found = layerwise.top1.median if layerwise.top1 else 100.0
        return f"{loss(row):.2f} pp below float, layer-wise {found:.1f} %", loss(row) <= 0.5

    layerwise = find("layerwise", 8)
    if layerwise is not None and layerwise.top1 is not None and layerwise.top1.median > CHANCE:
        return []
    told = {SHIFT_SCALER: "", WITHOUT_EQUALIZATION: ", without equalization,"}
    return [
        _judged(
            f"{name}: `{recipe}`{how} within 0.5 pp of float where layer-wise is at chance",
            [find(recipe, 8), layerwise], holds,
        )
        for recipe, how in told.items()
    ]


def time_bar(durations: Sequence[Duration | None]) -> Bar:
    """Of all results of all networks."""
    text = f"all results in under {MINUTES} minutes on {PROCESSORS} processors"
    known = [found for found in durations if found is not None]
    if len(known) < len(durations):
        return Bar(text, "not measured", None)
    minutes = sum(found.seconds for found in known) / 60
    count = sum(found.results for found in known)
    timed = sum(found.timed for found in known)
    figures = f"{count} results, {minutes:.0f} minutes of one processor, {minutes / PROCESSORS:.0f} of {PROCESSORS}"
    figures += "" if timed == count else f", from {timed} of them"
    return Bar(text, figures, minutes / PROCESSORS < MINUTES)


def table(bars: Iterable[Bar]) -> str:
    """The bars as a Markdown table."""
    verdict = {True: "holds", False: "does not hold", None: "open"}
    lines = [f"| {bar.text} | {bar.figures} | {verdict[bar.holds]} |" for bar in bars]
    return "\n".join(["| statement | measured | |", "|---|---|---|", *lines])

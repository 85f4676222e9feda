"""The Pareto plot of a design space: images per second against DSPs and against on-chip memory."""

import io
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compiler.design_space import Point
from wesnpu.plots import COLOURS, STYLE

FORMATS = ("svg", "png")


def pareto(points: Sequence[Point], mhz: float, kind: str) -> bytes:
    """A picture of the possible points, of format `kind` (one of FORMATS); the same bytes for the same points."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "pareto"}):
        figure = Figure(figsize=(11, 8), layout="constrained")
        upper, lower = figure.subplots(2, 1)
        _costs(upper, points, mhz, lambda point: point.dsps, "DSPs (two pixels share one)")
        upper.set_xscale("log", base=2)
        upper.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _costs(lower, points, mhz, lambda point: point.memory_bytes / 1024, "on-chip memory, KiB")
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _costs(axes: Axes, points: Sequence[Point], mhz: float, cost: Callable[[Point], float], name: str) -> None:
    """Every point, and for each memory the line of those that no cheaper one beats, named for the fastest memory."""
    possible = [point for point in points if point.possible]
    bandwidths = sorted({point.memory.read_bytes for point in possible})
    for number, bandwidth in enumerate(bandwidths):
        mine = [point for point in possible if point.memory.read_bytes == bandwidth]
        colour = COLOURS[number % len(COLOURS)]
        rates = [point.images_per_second(mhz) for point in mine]
        axes.plot(list(map(cost, mine)), rates, "o", color=colour, alpha=0.6, label=f"{bandwidth:g} byte/cycle")
        best = best_by_cost(mine, cost)
        axes.step(list(map(cost, best)), [p.images_per_second(mhz) for p in best], where="post", color=colour, lw=1)
        for point in best if bandwidth == bandwidths[-1] else ():
            at = cost(point), point.images_per_second(mhz)
            axes.annotate(point.candidate.name, at, fontsize=7, xytext=(0, 7), textcoords="offset points", ha="center")
    axes.set(xlabel=name, ylabel=f"images/s at {mhz:g} MHz")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.margins(x=0.12, y=0.15)
    if possible:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), title="memory, each way")


def best_by_cost(points: Sequence[Point], cost: Callable[[Point], float]) -> list[Point]:
    """By rising cost, the points that are faster than every cheaper one."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (cost(point), point.cycles)):
        if not best or point.cycles < best[-1].cycles:
            best.append(point)
    return best

"""The plots of the report: each function draws report data and returns one inline SVG element."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wesnpu.plot_labels import groups, ranges, spread
from wesnpu.report_data import Accuracy, Engine, LayerRun, Shifts

WIDTH = 10.0  # inches; the page scales every plot to its own width
ROW = 0.26  # inches per layer in plots with one row per layer
SAME, CHARACTER, LINE = 3.0, 4.2, 9.0  # points: apart and yet one; a character's width and a line's height at size 7
FEWEST_SHIFTS = 8  # columns of the heat map, more where they are used
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
}
COLOURS = ("#2a6f97", "#e9c46a", "#e76f51", "#8ab17d", "#9d4edd", "#b08968", "#6c757d", "#264653", "#f4a261", "#d62828")


@contextmanager
def _canvas(name: str, height: float, sink: list[str]) -> Iterator[Axes]:
    """Axes of one figure; its SVG element is put into `sink` at the end, the same bytes for the same data."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure.subplots()
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    sink.append(_inline(buffer.getvalue(), name))


def _inline(document: str, name: str) -> str:
    """The svg element of an SVG document, scaling with the page, its ids made different from other plots'."""
    element = document[document.index("<svg") :]
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', rf'\1 role="img" aria-label="{name}"', element, count=1)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'id="', f'id="{name}-', element)
    return re.sub(r'(url\(#|href="#)', rf"\1{name}-", element)


def accuracy(rows: Sequence[Accuracy]) -> str:
    """Top-1 per method as horizontal bars, the value written beside each."""
    sink: list[str] = []
    with _canvas("accuracy", 0.6 + 0.45 * len(rows), sink) as axes:
        bars = axes.barh([r.method for r in rows], [r.top1 for r in rows], color=COLOURS[0], height=0.6)
        axes.bar_label(bars, [f" {r.top1:.1f} %" for r in rows])
        axes.invert_yaxis()
        axes.set(xlim=(0, 112), xlabel="top-1, %")
    return sink[0]


def shifts(rows: Sequence[Shifts]) -> str:
    """Channels per shift and layer as a heat map with the counts written in."""
    counts = np.array([row.counts for row in rows])
    counts = counts[:, : max(FEWEST_SHIFTS, 1 + np.flatnonzero(counts.any(axis=0)).max(initial=0))]
    sink: list[str] = []
    with _canvas("shifts", 0.9 + ROW * len(rows), sink) as axes:
        columns, lines = np.arange(counts.shape[1]), np.arange(len(rows))
        axes.pcolormesh(columns, lines, np.log1p(counts), cmap="Blues", vmax=1.6 * np.log1p(counts.max()))
        for line, column in zip(*np.nonzero(counts), strict=True):
            axes.text(column, line, str(counts[line, column]), ha="center", va="center", fontsize=8)
        axes.set_xticks(columns)
        axes.set_yticks(lines, [row.layer for row in rows], fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("shift n_c (channels with it)")
    return sink[0]


def cycles(rows: Sequence[LayerRun]) -> str:
    """Cycles per layer, stacked by their cause."""
    names = list(dict.fromkeys(cause for row in rows for cause in row.causes))
    left = np.zeros(len(rows))
    sink: list[str] = []
    with _canvas("cycles", 1.2 + ROW * len(rows), sink) as axes:
        for index, name in enumerate(names):
            values = np.array([row.causes.get(name, 0) for row in rows], float)
            axes.barh(range(len(rows)), values, left=left, label=name, color=COLOURS[index % len(COLOURS)])
            left += values
        _layer_axis(axes, rows)
        axes.set_xlabel("cycles, each with its one cause")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend(ncols=5, fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    return sink[0]


def utilization(rows: Sequence[LayerRun], engine: Engine) -> str:
    """Share of the array's multiply-accumulates that each layer uses."""
    values = [100 * row.macs / (max(row.cycles, 1) * engine.macs_per_cycle) for row in rows]
    sink: list[str] = []
    with _canvas("utilization", 0.9 + ROW * len(rows), sink) as axes:
        bars = axes.barh(range(len(rows)), values, color=COLOURS[3])
        axes.bar_label(bars, [f" {value:.0f}" for value in values], fontsize=8)
        _layer_axis(axes, rows)
        axes.set(xlim=(0, 108), xlabel=f"array utilization, % of {engine.macs_per_cycle} MAC/cycle")
    return sink[0]


def roofline(rows: Sequence[LayerRun], engine: Engine) -> str:
    """MAC per cycle of each layer, numbered from 1, against MAC per byte on its busier way, under the two roofs."""
    intensity = np.array([row.intensity for row in rows])
    reached = np.array([row.macs / max(row.cycles, 1) for row in rows])
    bend = engine.macs_per_cycle / engine.bytes_per_cycle
    span = np.geomspace(intensity.min() / 2, max(4 * bend, 2 * intensity.max()), 200)
    sink: list[str] = []
    with _canvas("roofline", 7.0, sink) as axes:
        roof = np.minimum(span * engine.bytes_per_cycle, engine.macs_per_cycle)
        axes.loglog(span, roof, color=COLOURS[2], label=f"{engine.macs_per_cycle} MAC, {engine.bytes_per_cycle:g} byte")
        axes.loglog(intensity, reached, "o", color=COLOURS[0], alpha=0.7, markersize=5)
        axes.set(xlabel="MAC per byte read, or written where that is more", ylabel="MAC per cycle")
        axes.set(xlim=span[[0, -1]], ylim=(reached.min() / 2, 3 * engine.macs_per_cycle))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.legend(frameon=False, loc="lower right", title="roof per cycle, bytes each way")
        _number_points(axes, intensity, reached)
    return sink[0]


def _number_points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Every point's number from 1 beside it; points that lie on each other share a label."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles the layout, on which the distances depend
    scale = 72 / figure.dpi
    places = [(float(a) * scale, float(b) * scale) for a, b in axes.transData.transform(np.column_stack([x, y]))]
    found = groups(places, SAME)
    texts = [ranges([index + 1 for index in group]) for group in found]
    anchors = [places[group[0]] for group in found]
    centres = spread(anchors, [CHARACTER * len(text) + 2 for text in texts], LINE)
    for (left, bottom), centre, text, group in zip(anchors, centres, texts, found, strict=True):
        offset = centre[0] - left, centre[1] - bottom
        axes.annotate(
            text, (x[group[0]], y[group[0]]), xytext=offset, textcoords="offset points", fontsize=7, ha="center",
            va="center", arrowprops={"arrowstyle": "-", "lw": 0.4, "color": COLOURS[6], "shrinkA": 0, "shrinkB": 2},
        )


def _layer_axis(axes: Axes, rows: Sequence[LayerRun]) -> None:
    axes.set_yticks(range(len(rows)), [f"{number}  {row.name}" for number, row in enumerate(rows, 1)], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)

"""Plots of the accuracy tables, as SVG files that are the same for the same figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from golden.files import make_whole
from quant.accuracy.summary import Row

STYLE: dict[Any, Any] = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "svg.fonttype": "none"}
MARKERS = "osD^vP*X<>hd"


@contextmanager
def _canvas(path: Path, columns: int, height: float) -> Iterator[Sequence[Axes]]:
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": path.stem}):
        figure = Figure(figsize=(5.5 * columns, height), layout="constrained")
        yield figure.subplots(1, columns, squeeze=False)[0]
        make_whole(path, lambda there: figure.savefig(there, format="svg", metadata={"Date": None}))


def by_bits(panels: Sequence[tuple[str, Sequence[Row]]], recipes: Sequence[str], path: Path) -> None:
    """Agreement with float of each recipe over the bits, neighbours joined; one panel for each network."""
    with _canvas(path, len(panels), 3.6) as axes:
        for axis, (title, rows) in zip(axes, panels, strict=True):
            bits = list(dict.fromkeys(row.method.bits for row in rows))
            for index, recipe in enumerate(recipes):
                found = {row.method.bits: row for row in rows if row.method.recipe == recipe and not row.refused}
                values = [found[name].agreement.median if name in found else np.nan for name in bits]
                axis.plot(range(len(bits)), values, marker=MARKERS[index % len(MARKERS)], markersize=4, label=recipe)
            axis.set_xticks(range(len(bits)), bits)
            axis.set(title=title, ylim=(0, 102), ylabel="agrees with float, %")
            axis.grid(alpha=0.3)
        axes[0].legend()


def by_cost(panels: Sequence[tuple[str, Sequence[Row]]], path: Path) -> None:
    """Agreement with float against the parameter bytes per channel; one panel for each table."""
    with _canvas(path, len(panels), 4.2) as axes:
        for axis, (title, rows) in zip(axes, panels, strict=True):
            for index, row in enumerate(row for row in rows if not row.refused):
                marker = MARKERS[index % len(MARKERS)]
                axis.plot([row.first.bytes], [row.agreement.median], marker, markersize=5, label=row.method.recipe)
            axis.set(title=title, xlabel="bytes per channel besides weights", ylabel="agrees with float, %")
            axis.grid(alpha=0.3)
            axis.legend(fontsize=6, ncols=2)


def by_layer(panels: Sequence[tuple[str, Sequence[Row]]], path: Path) -> None:
    """SQNR of every layer's output, layers in order; one panel for each table."""
    with _canvas(path, len(panels), 3.4) as axes:
        for axis, (title, rows) in zip(axes, panels, strict=True):
            for row in rows:
                axis.plot(list(row.first.layers.values()), linewidth=1, label=row.method.recipe)
            axis.set(title=title, xlabel="layer", ylabel="SQNR, dB", ylim=(-5, 50))
            axis.grid(alpha=0.3)
            axis.legend(fontsize=7)


def by_strength(panel: Sequence[tuple[float, Sequence[Row]]], recipes: Sequence[str], path: Path) -> None:
    """Top-1 of each recipe over the strength of a stress."""
    with _canvas(path, 1, 3.6) as axes:
        for index, recipe in enumerate(recipes):
            points = [
                (strength, row.top1.median)
                for strength, rows in panel
                for row in rows
                if row.method.recipe == recipe and row.top1 is not None
            ]
            places, values = zip(*points, strict=True) if points else ((), ())
            axes[0].plot(places, values, marker=MARKERS[index % len(MARKERS)], markersize=4, label=recipe)
        axes[0].set(xlabel="strength k (octaves)", ylabel="top-1, %", ylim=(0, 100))
        axes[0].grid(alpha=0.3)
        axes[0].legend()

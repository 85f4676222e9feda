"""The plot of docs/cost.md: what requantizers cost against what they are worth."""

import io
from collections.abc import Mapping

import matplotlib
from matplotlib.figure import Figure

from wesnpu.plots import COLOURS, STYLE


def cost_against_accuracy(points: Mapping[str, tuple[int, float, int, int]]) -> str:
    """By name (COMB, agreement with float in %, DSP, bits per channel): an SVG document, the same bytes for the same
    points. The area of a point is its number of DSPs."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "cost"}):
        figure = Figure(figsize=(11, 5), layout="constrained")
        axes = figure.subplots()
        for number, (name, (comb, agreement, dsp, bits)) in enumerate(points.items()):
            label = f"{name}: {dsp} DSP, {bits} bits per channel"
            colour = COLOURS[number % len(COLOURS)]
            axes.scatter([comb], [agreement], s=60 * dsp, color=colour, alpha=0.7, label=label)
        axes.set(xlabel="COMB of a lane (LUT4 + 2 CCU2C)", ylabel="EfficientNet-Lite0 agrees with float, %")
        axes.margins(x=0.1, y=0.15)
        legend = axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_sizes([40])  # type: ignore[attr-defined]
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"

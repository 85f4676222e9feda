"""docs/cost.md and its plot from the figures of docs/cost.json."""

from typing import Any

from wesnpu.plots_cost import cost_against_accuracy

NAMES = {
    "shift-4": "shift scaler, 4 bits", "shift-4-adders": "shift scaler, 4 bits, residual by adders",
    "shift-3": "shift scaler, 3 bits", "shift-2": "shift scaler, 2 bits",
    "half-step": "shift scaler, 3 bits and a half step", "power-of-two": "power of two",
    "multiplier-16": "16-bit multiplier, one rounding", "multiplier-32": "32-bit multiplier, one rounding",
    "double-rounding": "32-bit multiplier, two roundings (TensorFlow Lite)",
}
EQUATIONS = {
    "shift-4": "2 to 5", "shift-4-adders": "2 to 5", "shift-3": "2 to 5", "shift-2": "2 to 5", "half-step": "3h",
    "power-of-two": "13", "multiplier-16": "9", "multiplier-32": "9", "double-rounding": "10 to 12",
}
EFFICIENTNET = "EfficientNet-Lite0"  # as quant calls it
INTRODUCTION = """# What a requantizer costs and what it is worth

<!-- made by `make cost` from docs/cost.json: change wesnpu/cost_document.py -->

Every requantizer of [the arithmetic](arithmetic.md) as a lane of hardware (`rtl/schemes/`), all with the fused residual
of Eq. 7 and the same rounding, clamp and interface, one result per cycle. Each equals its integer definition in golden
bit by bit on corner and random operands (`rtl/schemes/test_schemes.py`), and is proved to compute its equations for all
inputs, multipliers cut (`make prove`). `make cost` measures this page.
"""
AREA = """## Area and clock frequency

{device}, {tools}. COMB is LUT4 + 2 CCU2C. MHz: routed between registers,
median and worst of {seeds} seeds. DSP: 18x18 multipliers, one of them for the residual; "by adders" makes the same
product without it (`rtl/schemes/shift_add.py`).
"""
FIELDS = """A field of the shift scaler is added to the layer's exponent, so a narrower one saves memory and no logic.
"""
PARAMETERS = """## Parameters

Stored bits per output channel besides the 32-bit bias, and what they come to for all channels.
"""
ACCURACY = """## Accuracy

W8A8, in exactly this arithmetic: top-1 and agreement with float of the two Fashion-MNIST networks on the 1,000
committed test images, and of EfficientNet-Lite0 on 500 ImageNet crops (64 calibration images of one half, evaluated on
the other, both ways, one draw). One standard error of a difference is about half a point. Nothing but the rounding of
weights is done: what bias correction and other passes bring is in [accuracy](accuracy.md). The three multipliers share
one quantization, with a float scale per channel; power of two also has powers of two as activation scales.
"""


def document(found: dict[str, Any]) -> str:
    """The whole of docs/cost.md."""
    seeds = next(iter(found["schemes"].values()))["seeds"]
    tools = ", ".join(f"{name} {version}" for name, version in found["tools"].items())
    parts = [
        INTRODUCTION,
        AREA.format(device=found["device"], tools=tools, seeds=seeds), _hardware(found["schemes"]), FIELDS,
        PARAMETERS, _memory(found),
        ACCURACY, _accuracy(found["schemes"]),
        "![COMB against agreement](cost.svg)\n",
    ]
    return "\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _hardware(schemes: dict[str, Any]) -> str:
    head = ["requantizer", "Eq.", "COMB", "FF", "DSP", "MHz median", "MHz worst", "results/cycle", "stages"]
    rows = [
        [NAMES[name], EQUATIONS[name], f"{row['comb']}", f"{row['ff']}", f"{row['dsp']}", f"{row['median_mhz']:.0f}",
         f"{row['worst_mhz']:.0f}", f"{row['results_per_cycle']}", f"{row['latency']}"]
        for name, row in schemes.items()
    ]
    return _table(head, rows)


def kilobytes(channels: int, bits: int) -> float:
    """Parameters of all channels, KB of 1,024 bytes."""
    return channels * bits / 8 / 1024


def _memory(found: dict[str, Any]) -> str:
    networks = found["channels"]
    head = ["requantizer", "bits per channel", *(f"{name}, {count:,} channels" for name, count in networks.items())]
    rows = [
        [NAMES[name], f"{row['channel_bits']}",
         *(f"{kilobytes(count, row['channel_bits']):.1f} KB" for count in networks.values())]
        for name, row in found["schemes"].items()
    ]
    return _table(head, rows)


def _accuracy(schemes: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in schemes.values() for name in row["accuracy"]))
    shown = [name.removeprefix("fashion_") for name in names]
    head = ["requantizer", *(f"{name}: {what}" for name in shown for what in ("top-1", "agrees"))]
    rows = []
    for scheme, row in schemes.items():
        shares = [_share(row["accuracy"].get(name), key) for name in names for key in ("correct", "agree")]
        rows.append([NAMES[scheme], *shares])
    return _table(head, rows)


def _share(counts: dict[str, int] | None, key: str) -> str:
    return "not measured" if counts is None else f"{100 * counts[key] / counts['images']:.1f} %"


def plot(found: dict[str, Any]) -> str:
    """COMB against agreement of EfficientNet-Lite0 with float, of the requantizers measured so, as SVG."""
    points = {}
    for name, row in found["schemes"].items():
        counts = row["accuracy"].get(EFFICIENTNET)
        if counts:
            agreement = 100 * counts["agree"] / counts["images"]
            points[NAMES[name]] = (row["comb"], agreement, row["dsp"], row["channel_bits"])
    return cost_against_accuracy(points)

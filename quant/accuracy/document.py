"""docs/accuracy.md: every table, what decides the bars, and how the figures were made."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from quant.accuracy import bars, plan, table
from quant.accuracy.duration import Duration
from quant.accuracy.method import Method
from quant.accuracy.subject import Subject
from quant.accuracy.summary import Row

HEAD = """# Accuracy

Made by `make accuracy IMAGES=DIR`; DIR holds labelled 224x224 crops of ImageNet. Every network is run as exact integers
by golden. Medians over the calibration draws, their range in brackets; no calibration image is evaluated.

- "below float" is against the float network on the same images; "agrees with float" counts images with its class.
- SQNR is that of the scores over all images.
- "bytes/channel" is what hardware stores per output channel besides weights: the bias, and what the requantizer has for
  each channel. A shift field is as wide as the network's largest shift needs (the engine's always has 4 bits). A
  32-bit multiplier per channel is the honest baseline.
- "engine" tells whether the engine runs the network.
- "PTQ s" are processor seconds from the float network and its calibration images to the integer network.
- "p against ORT" is McNemar's exact test against `ort-channel` at W8A8, on the same images and draws.
- `ort-tensor`, `ort-channel`: ONNX Runtime's static quantization (uint8 activations, int8 weights with one scale per
  tensor or channel), run by ONNX Runtime. It keeps dead channels, whose weights set the scale of a tensor; recipes zero
  them first.
- W2A4 is what RAPQ (2204.12322) claims, for blocks with learned rounding (`rapq-blocks`). They are learned for the
  Fashion-MNIST networks; EfficientNet-Lite0 has 70 to 90 times their multiply-accumulates and is not learned.

Some parts of recipes were chosen on crops that are evaluated here: `ecr-steps` on 84 and `sum` on 48 to 64 of the 500
of EfficientNet-Lite0, so rows with them are not judged on unseen images alone. [quantization.md](quantization.md) has
the trials, and says what the parts of a recipe are. All figures: [accuracy.csv](accuracy.csv); the SQNR of every
layer's output in the first draw: [accuracy_layers.csv](accuracy_layers.csv).
"""


@dataclass(frozen=True, eq=False)
class Section:
    """What the document says of one network: top1 of float in percent or None, its rows, how long they take, and the
    methods that have no result yet.
    """

    subject: Subject
    top1: float | None
    rows: Sequence[Row]
    duration: Duration | None = None
    missing: Sequence[Method] = ()


def document(sections: Sequence[Section], plots: Sequence[tuple[str, str]]) -> str:
    """The whole text; plots: (file, what it shows)."""
    parts = [HEAD, "## Which statements hold", bars.table(_bars(sections)), bars.REMARKS]
    parts += [f"![{text}]({file})" for file, text in plots]
    for section in sections:
        parts.append(f"## {section.subject.name}\n\n{section.subject.note}")
        for bits, group in groupby(section.rows, key=lambda row: row.method.bits):
            parts.append(f"### {bits}\n\n{table.markdown(list(group), section.top1)}")
        parts += kernels(section.rows)
        parts += time_taken(section.duration)
        parts += unfinished(section)
        parts += refusals(section.rows)
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _bars(sections: Sequence[Section]) -> list[bars.Bar]:
    found = []
    for section in sections:
        if section.subject.kind == plan.IMAGENET:
            found += bars.imagenet_bars(finder(section.rows))
        elif section.subject.kind == plan.STRESS:
            found += bars.stress_bars(section.subject.name, finder(section.rows))
    if {section.subject.kind for section in sections} == set(plan.ROWS):
        found.append(bars.time_bar([section.duration for section in sections]))
    return found


def finder(rows: Sequence[Row]) -> bars.Find:
    """Looks rows up by recipe and weight bits, those with 8-bit activations."""
    by_name = {(row.method.recipe, row.method.weight_bits): row for row in rows if row.method.activation_bits == 8}
    return lambda recipe, bits: by_name.get((recipe, bits))


def kernels(rows: Sequence[Row]) -> list[str]:
    """Which integer kernels ran in the other tool's networks: without any, its row would be another float row."""
    ran = [f"`{row.method.recipe}` ran {row.first.log[0]}." for row in rows if row.method.baseline and row.first.log]
    return [" ".join(ran)] if ran else []


def time_taken(found: Duration | None) -> list[str]:
    """One line: what the rows cost, and from how many of their results that is known."""
    if found is None:
        return []
    minutes = f"{found.seconds / 60:.1f} minutes of one processor"
    whole = found.timed == found.results
    return [f"All {found.results} results: {minutes}{'' if whole else f', from {found.timed} of them'}."]


def unfinished(section: Section) -> list[str]:
    """One line that counts rows with fewer draws than there are, one that names methods without a row."""
    draws, rows = len(section.subject.draws), section.rows
    few = [row for row in rows if not row.refused and row.draws < draws]
    lines = [f"{len(few)} of {len(rows)} rows have fewer than {draws} draws."] if few else []
    names = ", ".join(f"`{method}`" for method in section.missing)
    return lines + ([f"Not measured yet: {names}."] if names else [])


def refusals(rows: Sequence[Row]) -> list[str]:
    """One line for each recipe that gave no network."""
    lines = [f"- `{row.method}` is refused: {row.refused}" for row in rows if row.refused]
    return ["\n".join(lines)] if lines else []

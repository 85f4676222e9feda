"""Every method on every network (``make accuracy``): docs/accuracy.md, its CSV files and plots.

    python -m wesnpu.accuracy [--images DIR] [--networks fashion stress efficientnet] [--processes 2]

Interrupted or killed, the same command goes on where it was: results are kept in build/accuracy, named by a digest of
network, images, calibration, recipe and code, so that a change of any of them is measured anew. A part of the networks
is written to build/accuracy, all of them to docs.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from golden.errors import WesnpuError
from golden.files import write_whole
from quant.accuracy import plan, plots, table
from quant.accuracy.document import Section, document
from quant.accuracy.duration import duration
from quant.accuracy.run import Comparison, Unit
from quant.accuracy.store import Store
from quant.accuracy.subject import Subject
from quant.accuracy.summary import Row, float_top1, rows
from wesnpu import console
from wesnpu.accuracy_networks import DRAWS, NETWORKS, STRENGTHS, STRESS_NAME, subjects
from wesnpu.errors import one_line

STATE, DOCS = Path("build/accuracy"), Path("docs")
BY_BITS = (
    "layerwise", "pow2-channel+sum+bc", "wes", "wes+bc", "auto", "channelwise", "channelwise+bc",
    "channelwise+ecr-steps+bc",
)
BY_LAYER = ("layerwise", "wes", "auto", "channelwise", "channelwise+ecr-steps+bc")
BY_STRENGTH = ("layerwise", "wes", "channelwise", "auto")


def main(arguments: list[str]) -> int:
    """Run what is missing and write; 0, 2 on what cannot be done, 130 when interrupted."""
    options = parse(arguments)
    try:
        comparison = Comparison(subjects(options.networks, options.images), Store(options.state), options.scheduler)
        units = list(planned(comparison.subjects, options.draws))
        if options.write_only:
            comparison.recall(units)
            if not comparison.results:
                raise WesnpuError(f"{options.state} keeps no result of these networks: nothing to write")
        else:
            find(comparison, units, options.processes)
        write(sections(comparison), options.out or folder(comparison.subjects))
    except (WesnpuError, OSError) as error:
        console.note(f"error: {one_line(error)}")
        return 2
    except KeyboardInterrupt:
        console.note("interrupted; the same command goes on from here")
        return 130
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    folder = os.environ.get("WESNPU_IMAGENET")
    parser.add_argument("--images", type=Path, default=Path(folder) if folder else None, help="labelled crops")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NETWORK", help=", ".join(NETWORKS))
    most = max(DRAWS.values())
    parser.add_argument("--draws", type=int, default=most, choices=range(1, most + 1), help="of calibration, at most")
    cores = os.cpu_count() or 1
    parser.add_argument("--processes", type=positive, default=cores, help="the figures do not depend on it")
    parser.add_argument("--scheduler", help="address of a dask.distributed cluster that runs the integers")
    parser.add_argument("--state", type=Path, default=STATE, help="folder of kept results")
    parser.add_argument("--out", type=Path, help="folder to write to")
    parser.add_argument("--write-only", action="store_true", help="write what is kept, measure nothing")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def planned(networks: Sequence[Subject], draws: int) -> Iterator[Unit]:
    """Every result of the tables, one draw after the other, so that early on there is a whole table of one draw."""
    for draw in range(draws):
        for index, subject in enumerate(networks):
            if draw < len(subject.draws):
                yield from (Unit(index, method, draw) for method in plan.methods(subject.kind))


def weight(subject: Subject) -> int:
    """How long a result takes, in units of its own: values of all tensors times images."""
    sizes = (channels * height * width for channels, height, width in subject.graph.shapes.values())
    return len(subject.images) * sum(sizes)


def find(comparison: Comparison, units: Sequence[Unit], processes: int) -> None:
    """Find what is missing, with a progress bar."""
    missing = comparison.recall(units)
    console.note(f"{len(units) - len(missing)} of {len(units)} results are kept, {len(missing)} are to be found")
    total = sum(weight(comparison.subjects[unit.subject]) for unit in missing)
    with console.long_progress("accuracy", total) as advance:
        for unit in comparison.run(missing, processes):
            name = comparison.subjects[unit.subject].name
            advance(weight(comparison.subjects[unit.subject]), f"{name} {unit.method} draw {unit.draw + 1}")


def sections(comparison: Comparison) -> list[Section]:
    """Every network that has results, with its rows."""
    found = []
    for index, subject in enumerate(comparison.subjects):
        methods = plan.methods(subject.kind)
        own, time = rows(comparison, index, methods), duration(comparison, index, methods)
        missing = sorted(set(methods) - {row.method for row in own}, key=methods.index)
        found.append(Section(subject, float_top1(comparison, index), own, time, missing))
    return [section for section in found if section.rows]


def folder(networks: Sequence[Subject]) -> Path:
    """Where to write: DOCS when there are networks of all kinds, else STATE."""
    return DOCS if {subject.kind for subject in networks} == set(plan.ROWS) else STATE


def write(found: Sequence[Section], where: Path) -> None:
    """The document, CSV files and plots."""
    named = [(section.subject.name, section.rows) for section in found]
    shown = draw_plots(found, where)
    write_whole(where / "accuracy.csv", table.csv_text(named).encode())
    write_whole(where / "accuracy_layers.csv", table.layer_csv_text(named).encode())
    write_whole(where / "accuracy.md", document(found, shown).encode())
    console.say(f"{where / 'accuracy.md'}, accuracy.csv, accuracy_layers.csv, {len(shown)} plots")


def draw_plots(found: Sequence[Section], where: Path) -> list[tuple[str, str]]:
    """Write the plots that the tables allow; (file, what it shows) of each."""
    kinds = {
        kind: [(section.subject, section.rows) for section in found if section.subject.kind == kind]
        for kind in plan.ROWS
    }
    shown = []
    wide = [(subject.name, own) for subject, own in kinds[plan.FASHION] + kinds[plan.IMAGENET]]
    if wide:
        plots.by_bits(wide, BY_BITS, where / "accuracy_bits.svg")
        shown.append(("accuracy_bits.svg", "Agreement with float over the bits of weights and activations"))
    strengths = {f"{STRESS_NAME}{strength}": float(strength) for strength in STRENGTHS}
    stressed = [(strengths[s.name], own) for s, own in kinds[plan.STRESS] if s.name in strengths]
    if stressed:
        plots.by_strength(stressed, BY_STRENGTH, where / "accuracy_stress.svg")
        shown.append(("accuracy_stress.svg", "Top-1 over the strength of the stress, as integers"))
    for subject, own in kinds[plan.IMAGENET]:
        panels = [(f"{subject.name}, {bits}", _of(own, bits)) for bits in ("W8A8", "W4A8") if _of(own, bits)]
        plots.by_cost(panels, where / "accuracy_cost.svg")
        shown.append(("accuracy_cost.svg", "Agreement with float against stored bytes per channel"))
        layered = [(title, [row for row in rows if row.method.recipe in BY_LAYER]) for title, rows in panels]
        plots.by_layer(layered, where / "accuracy_layers.svg")
        shown.append(("accuracy_layers.svg", "Signal to noise of every layer's output"))
    return shown


def _of(found: Sequence[Row], bits: str) -> list[Row]:
    return [row for row in found if row.method.bits == bits]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``wesnpu explore``: a quantized network on many engines, from the cycle model: table, CSV and Pareto plot."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from compiler.config import PRESETS
from compiler.cycles import Memory
from compiler.design_space import Axes, Candidate, Point, front, grid, of_preset
from golden.errors import WesnpuError
from golden.file import load_network
from golden.files import check_output, write_whole
from wesnpu import console, options
from wesnpu.commands.estimate import WAITS, Mhz, Outstanding, check_mhz, memory_of, told
from wesnpu.design_points import points

Configs = Annotated[str | None, typer.Option(help=f"Presets, separated by commas: {', '.join(PRESETS)}.")]
Pixels = Annotated[str | None, typer.Option(help="Axis of the grid: adjacent pixels, e.g. 1,2.")]
Lanes = Annotated[str | None, typer.Option(help="Axis: output channels per cycle, e.g. 4,8,16.")]
Taps = Annotated[str | None, typer.Option(help="Axis: products summed per lane, e.g. 8,16.")]
Scratchpad = Annotated[str | None, typer.Option(help="Axis: KiB of activation memory, e.g. 128,256.")]
Weights = Annotated[str | None, typer.Option(help="Axis: KiB of the weight ring, e.g. 64,128.")]
Bus = Annotated[str | None, typer.Option(help="Axis: bytes of the bus, 8,16.")]
Bandwidths = Annotated[
    str | None,
    typer.Option("--bandwidth", help="Bytes per cycle of the memory, each way; several.", show_default="the bus width"),
]
Processes = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one per core")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Table to write, CSV.")]
Plot = Annotated[Path | None, typer.Option("--output", "-o", help="Pareto plot to write, SVG or PNG by its name.")]

COLUMNS = (
    "engine", "byte/cycle", "MAC/cycle", "cycles", "images/s", "utilization", "multipliers", "DSPs", "memory KiB",
    "traffic MB", "front",
)


def explore(
    network: options.NetworkFile,
    configs: Configs = None,
    pixels: Pixels = None,
    lanes: Lanes = None,
    taps: Taps = None,
    scratchpad: Scratchpad = None,
    weights: Weights = None,
    bus: Bus = None,
    bandwidth: Bandwidths = None,
    latency: options.Latency = options.LATENCY,
    outstanding: Outstanding = 64,
    fuse: options.Fuse = True,
    mhz: Mhz = 100.0,
    processes: Processes = None,
    scheduler: options.Scheduler = None,
    table: Csv = None,
    output: Plot = None,
) -> None:
    """Predict a network on many engines: speed, utilization and cost of each; the impossible ones with their reason.

    Exit code 2 when none is possible.
    """
    check_mhz(mhz)
    kind = check_outputs(network, table, output)
    quantized = load_network(network)
    given = {"pixels": pixels, "lanes": lanes, "taps": taps, "scratchpad": scratchpad, "weights": weights, "bus": bus}
    axes = {name: whole_numbers(name, text) for name, text in given.items() if text is not None}
    candidates = chosen(configs, axes, quantized.guard_bits)
    widths = (None,) if bandwidth is None else options.numbers("bandwidth", bandwidth)
    tried = [(one, memory(one, width, latency, outstanding), fuse) for one in candidates for width in widths]
    with console.progress("engines", len(tried)) as update:
        workers = processes or os.cpu_count() or 1
        found = points(quantized, tried, processes=workers, scheduler=scheduler, progress=update)
    found.sort(key=lambda point: (not point.possible, point.cycles, point.dsps, point.memory_bytes))
    show(found, mhz)
    write(found, mhz, table, output, kind)
    if not any(point.possible for point in found):
        raise WesnpuError(none_possible(found))


def none_possible(found: Sequence[Point]) -> str:
    """That no engine of these is possible, and the first reason."""
    first = found[0]
    return f"none of {len(found)} engines is possible; {first.candidate.name}: {first.refusal}"


def write(found: Sequence[Point], mhz: float, table: Path | None, plot: Path | None, kind: str) -> None:
    """Write the files asked for."""
    if table is not None:
        write_whole(table, table_text(found, mhz).encode())
        console.say(f"table: {table}")
    if plot is not None:
        from wesnpu.plots_pareto import pareto  # matplotlib takes a second to load

        write_whole(plot, pareto(found, mhz, kind))
        console.say(f"plot: {plot}")


def check_outputs(network: Path, table: Path | None, plot: Path | None) -> str:
    """Refuse outputs that cannot be written, before any work; the plot's format."""
    for path in filter(None, (table, plot)):
        check_output(path, network)
    kind = "svg" if plot is None else plot.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise WesnpuError(f"--output is {plot}: its name must end with .svg or .png")
    return kind


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """'1,2' as (1, 2); WesnpuError naming the option otherwise."""
    values = options.numbers(name, text)
    if not all(value.is_integer() and value >= 1 for value in values):
        raise WesnpuError(f"--{name} is {text!r}: must be positive whole numbers separated by commas")
    return tuple(int(value) for value in values)


def chosen(configs: str | None, axes: dict[str, tuple[int, ...]], guard_bits: int) -> list[Candidate]:
    """The presets named, and the grid where an axis is given or no preset is."""
    names = [] if configs is None else configs.split(",")
    unknown = [name for name in names if name not in PRESETS]
    if unknown:
        raise WesnpuError(f"--configs names {unknown[0]!r}: must be of {', '.join(PRESETS)}")
    presets = [of_preset(name) for name in names]
    return presets + (grid(Axes(**axes), guard_bits) if axes or not names else [])


def memory(candidate: Candidate, width: float | None, latency: int, outstanding: int) -> Memory:
    """The memory of the options, as wide as the candidate's bus where no width is given."""
    return memory_of(float(candidate.fields["bus_bytes"]) if width is None else width, latency, outstanding)


def show(found: Sequence[Point], mhz: float) -> None:
    """Print the possible points, the fastest first, then the impossible ones with their reason."""
    best = {id(point) for point in front(found)}
    rows = [row(point, mhz, id(point) in best) for point in found if point.possible]
    console.table(f"Predicted at {mhz:g} MHz; * is beaten by none in cycles, DSPs and memory", COLUMNS, rows)
    if any(point.at_least for point in found):
        console.say(WAITS)
    impossible = [f"impossible: {point.candidate.name}: {point.refusal}" for point in found if not point.possible]
    for line in dict.fromkeys(impossible):  # an engine is tried with every memory
        console.say(line)
    console.say(f"possible: {len(rows)} of {len(found)}")


def row(point: Point, mhz: float, best: bool) -> tuple[str, ...]:
    """One line of the table."""
    traffic = (point.read_bytes + point.written_bytes) / 1e6
    return (
        point.candidate.name, f"{point.memory.read_bytes:g}", str(point.macs_per_cycle),
        told(point.cycles, at_least=point.at_least),
        f"{point.images_per_second(mhz):.1f}", f"{100 * point.utilization:.1f} %", str(point.multipliers),
        str(point.dsps), f"{point.memory_bytes / 1024:.0f}", f"{traffic:.2f}", "*" if best else "",
    )


def table_text(found: Sequence[Point], mhz: float) -> str:
    """All points as CSV, a line each, figures unrounded, the reason of an impossible one in the last column."""
    best = {id(point) for point in front(found)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fields = list(found[0].candidate.fields)
    writer.writerow(
        ["engine", *fields, "read_bytes_per_cycle", "read_latency", "mhz", "cycles", "at_least",
         "images_per_second", "utilization", "multipliers", "dsps", "memory_bytes", "read_bytes", "written_bytes",
         "pareto_front", "impossible_because"]
    )
    for point in found:
        figures = (
            [point.cycles, int(point.at_least), point.images_per_second(mhz), point.utilization, point.multipliers,
             point.dsps, point.memory_bytes, point.read_bytes, point.written_bytes, int(id(point) in best)]
            if point.possible else [""] * 10
        )
        memory_fields = [point.memory.read_bytes, point.memory.read_latency, mhz]
        fields_of = [point.candidate.fields[name] for name in fields]
        writer.writerow([point.candidate.name, *fields_of, *memory_fields, *figures, point.refusal])
    return text.getvalue()

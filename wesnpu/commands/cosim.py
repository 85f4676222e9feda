"""``wesnpu cosim``: a quantized network on the simulated engine, every tensor compared with golden."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golden.file import load_network
from quant.evaluation.evaluate import input_codes
from wesnpu import console, options
from wesnpu.commands.evaluate import preprocessing_of
from wesnpu.cosim_report import report_of
from wesnpu.image_files import read_pictures
from wesnpu.report import write_folder

if TYPE_CHECKING:
    from sim.cosim import CosimResult

Processes = Annotated[
    int | None, typer.Option(min=1, help="Images simulated at once, a process each.", show_default="one per core")
]
Seed = Annotated[int, typer.Option(help="Draws where regions lie and what unused memory and registers start with.")]
Report = Annotated[Path | None, typer.Option(help="Folder for a report: index.html and data.json.")]
SHOWN = 20


def cosim(
    network: options.NetworkFile,
    images: options.Images,
    config: options.Config = "large",
    seed: Seed = 1,
    limit: options.Limit = 1,
    latency: options.Latency = options.LATENCY,
    processes: Processes = None,
    report: Report = None,
    fuse: options.Fuse = True,
) -> None:
    """Simulate the engine's Verilog on images and compare every tensor with golden; exit code 1 if any differs."""
    from sim.cosim import cosim as simulate  # needs the simulation packages, which the other commands do not

    engine = options.engine_of(config)
    quantized = load_network(network)
    pictures = read_pictures(images, preprocessing_of(quantized, network), limit=limit)
    codes = input_codes(quantized, next(iter(pictures.images.batches(len(pictures.images)))))
    with console.simulation() as update:
        result = simulate(
            quantized, codes, config, seed, processes=processes, progress=update, fuse=fuse, latency=latency
        )
    show(result, engine.macs_per_cycle)
    if report is not None:
        command = f"wesnpu cosim {network} --images {images} --config {config} --seed {seed} --latency {latency}"
        command += "" if limit is None else f" --limit {limit}"
        command += "" if fuse else " --no-fuse"
        data = report_of(quantized, result, engine, command=command, images=len(codes), seed=seed)
        console.say(f"report: {write_folder(data, report)}")
    if result.mismatches:
        raise typer.Exit(1)


def show(result: "CosimResult", macs_per_cycle: int) -> None:
    """Print cycles per layer and what was compared."""
    causes = list(result.layers[0].causes) if result.layers else []
    rows = [
        (layer.name, f"{layer.cycles:,}", f"{100 * layer.macs / (max(layer.cycles, 1) * macs_per_cycle):.0f} %")
        + tuple(f"{layer.causes[cause]:,}" for cause in causes)
        for layer in result.layers
    ]
    console.table("Cycles of the first image", ("layer", "cycles", "of peak", *causes), rows)
    if result.cycles_per_image:
        console.say(f"cycles per image: {', '.join(f'{cycles:,}' for cycles in result.cycles_per_image)}")
    rate = f"{result.simulated_cycles_per_second:,.0f} cycles/s, {result.simulated_macs_per_second / 1e6:,.0f} M MAC/s"
    console.say(f"simulated: {rate}")
    for line in result.mismatches[:SHOWN]:
        console.say(line)
    compared = f"{result.tensors_compared} tensors ({result.values_compared:,} values) compared"
    console.say(f"{compared}: {len(result.mismatches)} mismatches")

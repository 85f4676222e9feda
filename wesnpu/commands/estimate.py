"""``wesnpu estimate``: cycles of a quantized network on an engine, from the cycle model."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.bound import bound
from compiler.config import EngineConfig
from compiler.cycles import RESIDUAL_WAITS, Estimate, Memory
from compiler.cycles import estimate as predict
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.file import load_network
from golden.files import check_output, write_whole
from wesnpu import console, options
from wesnpu.report_data import Engine, LayerRun

Mhz = Annotated[float, typer.Option(help="Clock of the engine, MHz.")]
Bandwidth = Annotated[
    float | None, typer.Option(help="Bytes per cycle of the memory, each way.", show_default="the bus width")
]
Outstanding = Annotated[int, typer.Option(help="Read bursts under way at most.")]
WAITS = f">=: a residual operand waits for memory banks: its layer takes up to {RESIDUAL_WAITS} times the cycles told"
Plot = Annotated[Path | None, typer.Option("--output", "-o", help="Roofline plot to write, SVG.")]


def estimate(
    network: options.NetworkFile,
    config: options.Config = "large",
    mhz: Mhz = 100.0,
    bandwidth: Bandwidth = None,
    latency: options.Latency = options.LATENCY,
    outstanding: Outstanding = 64,
    output: Plot = None,
    fuse: options.Fuse = True,
) -> None:
    """Predict cycles, utilization and traffic of one inference, layer by layer, without simulating."""
    engine = options.engine_of(config)
    check_mhz(mhz)
    if output is not None:
        check_output(output, network)
        if output.suffix.lower() != ".svg":
            raise WesnpuError(f"--output is {output}: its name must end with .svg")
    quantized = load_network(network)
    memory = memory_of(float(engine.bus_bytes) if bandwidth is None else bandwidth, latency, outstanding)
    found = predict(compile_network(quantized, engine, fuse=fuse), memory)
    show(found, engine, mhz)
    if output is not None:
        write_whole(output, roofline(found, engine, memory).encode())
        console.say(f"roofline: {output}")


def check_mhz(mhz: float) -> None:
    """WesnpuError for a clock that is none."""
    if not 0 < mhz <= 1e5:
        raise WesnpuError(f"--mhz is {mhz}: must be above 0 and at most 100000")


def memory_of(width: float, latency: int, outstanding: int) -> Memory:
    """The memory of the options; WesnpuError names the one that is out of range."""
    if not 0 < width <= 65536:
        raise WesnpuError(f"--bandwidth is {width}: must be above 0 and at most 65536 bytes per cycle")
    if not 0 <= latency <= 1 << 20:
        raise WesnpuError(f"--latency is {latency}: must be in 0..{1 << 20}")
    if not 1 <= outstanding <= 1 << 20:
        raise WesnpuError(f"--outstanding is {outstanding}: must be in 1..{1 << 20}")
    return Memory(
        read_bytes=width, write_bytes=width, read_latency=latency, write_latency=latency, outstanding=outstanding
    )


def show(found: Estimate, engine: EngineConfig, mhz: float) -> None:
    """Print a row per layer, then the whole inference."""
    peak = engine.macs_per_cycle
    rows = [
        (f"{number} {layer.name}", f"{-(-layer.macs // peak):,}", told(layer.cycles, at_least=layer.at_least),
         share(layer.macs, layer.cycles * peak), bound(layer.causes))
        for number, layer in enumerate(found.layers, 1)
    ]
    title = f"Predicted cycles on {engine.name}, {peak} MAC/cycle"
    console.table(title, ("layer", "ideal", "cycles", "utilization", "bound"), rows)
    macs = sum(layer.macs for layer in found.layers)
    cycles = told(found.cycles, at_least=found.at_least)
    console.say(f"cycles per image: {cycles}, utilization {share(macs, found.cycles * peak)}")
    console.say(f"images/s at {mhz:g} MHz: {mhz * 1e6 / found.cycles:,.1f}")
    console.say(f"traffic per image: {found.read_bytes:,} bytes read, {found.written_bytes:,} written")
    if found.at_least:
        console.say(WAITS)


def told(cycles: int, *, at_least: bool) -> str:
    """A number of cycles, marked where the engine may take more."""
    return f">= {cycles:,}" if at_least else f"{cycles:,}"


def share(part: int, whole: int) -> str:
    """In percent."""
    return f"{100 * part / max(whole, 1):.1f} %"


def roofline(found: Estimate, engine: EngineConfig, memory: Memory) -> str:
    """The roofline of the predicted layers as an SVG document."""
    from wesnpu import plots

    runs = [
        LayerRun(layer.name, layer.cycles, layer.macs, layer.traffic.read, layer.traffic.written, layer.causes)
        for layer in found.layers
    ]
    each_way = min(memory.read_bytes, memory.write_bytes, engine.bus_bytes)
    return plots.roofline(runs, Engine(engine.name, engine.macs_per_cycle, each_way))

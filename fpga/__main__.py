"""make synth CONFIG= DEVICE= [SEEDS=5] [BLOCK=]: area and routed clock frequency with open tools."""

import statistics
import sys
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from compiler.engines import ENGINES, engine
from fpga.aims import DENSE, engine_aims
from fpga.area import Area
from fpga.blocks import ENGINE, TOP, block_verilog
from fpga.device import Device, device
from fpga.netlist import synthesize
from fpga.route import Routed, route
from golden.errors import WesnpuError

PATH_SHOWN = 12  # hops of the critical path


@dataclass
class Measured:
    """What is known of a block or engine: its area, a routed result for each seed, and why there are no more."""

    area: Area
    routed: list[Routed] = field(default_factory=list)
    failure: str = ""


def measure(name: str, config_name: str, target: Device, seeds: int, progress: Progress) -> Measured:
    """The area of a block or engine, and one routed result for each seed 1..seeds until one is not routed."""
    step = progress.add_task("synthesis", total=2 + seeds)
    alone, within = block_verilog(name, engine(config_name))
    found = Measured(synthesize(alone, TOP, target).area)
    progress.advance(step)
    if not seeds:
        return found
    netlist = synthesize(within, TOP, target)
    progress.update(step, advance=1, description="place and route")
    aims = engine_aims(config_name, target) if name == ENGINE else ()
    for seed in range(1, seeds + 1):
        try:
            found.routed.append(route(netlist, target, seed, aims, config_name in DENSE))
        except WesnpuError as error:
            found.failure = str(error)
            break
        progress.advance(step)
    return found


def area_table(found: Area) -> Table:
    """One row: the numbers of cells."""
    table = Table("COMB (LUT4 + 2 carry cells)", "distributed RAM, COMB", "DSP", "block RAM", "large RAM", "FF")
    row = (found.comb, found.memory_comb, found.dsp, found.block_ram, found.large_ram, found.ff)
    table.add_row(*(f"{value:,}" for value in row))
    return table


def path_text(result: Routed) -> str:
    """The slowest path of one result, a hop a line."""
    hops = result.path[-PATH_SHOWN:]
    return "\n".join(f"  {delay:6.2f} ns  {cell}" for cell, delay in hops)


def main(
    config: Annotated[str, typer.Option(help=f"engine: {', '.join(ENGINES)}")] = "medium",
    target: Annotated[str, typer.Option("--device", help="25f, 45f, 85f, 85f-8 (speed grade 8) or up5k")] = "85f",
    block: Annotated[str, typer.Option(help="engine, or one of its blocks")] = ENGINE,
    seeds: Annotated[int, typer.Option(min=0, max=99, help="runs of place and route; 0: area only")] = 5,
) -> None:
    """Area and routed clock frequency of an engine or one of its blocks."""
    console = Console()
    try:
        chosen = device(target)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            found = measure(block, config, chosen, seeds, progress)
    except (WesnpuError, ValueError) as error:
        sys.exit(f"make synth: {error}")
    console.print(f"{block} of {config} on {chosen.part}")
    console.print(area_table(found.area))
    if block == ENGINE:
        console.print(f"{found.area.per(engine(config).macs_per_cycle):.1f} COMB per multiply-accumulate")
    if found.routed:
        worst = min(found.routed, key=lambda result: result.mhz)
        median = statistics.median(result.mhz for result in found.routed)
        many = f"{len(found.routed)} seed" + "s" * (len(found.routed) > 1)
        console.print(f"{median:.1f} MHz median, {worst.mhz:.1f} worst of {many}; slowest path of that seed:")
        console.print(path_text(worst), highlight=False)
    if found.failure:
        sys.exit(f"make synth: {found.failure}")


if __name__ == "__main__":
    typer.run(main)

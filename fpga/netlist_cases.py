"""make netlist [CONFIG= DEVICE=]: the tests of requantizer and engine on what synthesis made of them, by equality.

ECP5's multiplier and block RAM, whose models are this project's own, are tested first.
"""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from compiler.config import EngineConfig, preset
from compiler.engines import ENGINES, engine
from fpga.blocks import TOP, block, component_verilog, without_brackets
from fpga.device import DEVICES, Device, device
from fpga.post_synthesis import OWN_FOLDER, netlist_verilog
from fpga.wrong_tables import with_wrong_tables, wrong
from golden.errors import WesnpuError
from rtl.dual import DualProducts
from rtl.generate import verilog_text
from sim.build import CACHE, Build, build_bench, build_sources
from sim.cases import Orders
from sim.runner import Result, run_case

SOURCE = OWN_FOLDER / "cells_test.v"
BENCH = OWN_FOLDER / "cells_bench.sv"
#: Tests of `make sim` that a whole engine runs, with the networks of each; the first eight of `mixed` are of all kinds.
ENGINE_CASES = {"mixed": 8, "chain": 1, "programs": 2}
WRONG_TABLES, DRAW = 8, 1  # tables of an engine that can be made wrong, and the seed that chooses them
OPTIMIZE = "-O1"  # of the compiler: a netlist's code is long and runs for seconds


def cells_case(models: dict[str, str] | None = None) -> Result:
    """Memories and multipliers of every mode, as source and as ECP5 netlist. models: (text -> replacement) in it."""
    source = SOURCE.read_text()
    netlist = netlist_verilog(source, TOP, device("85f"))
    if models:
        netlist = changed(netlist, models)
    plain = CACHE / "cells_source.v"
    plain.parent.mkdir(parents=True, exist_ok=True)
    plain.write_text(source.replace(f"module {TOP} ", f"module {TOP}_source "))
    build = build_sources([netlist, plain, BENCH], "cells_bench", optimize="-O0")
    return run_case(Orders("cells"), preset("nano"), build=build, module="fpga.cells_case")


def dual_case(models: dict[str, str] | None = None) -> Result:
    """The multiplier of two products of iCE40 (rtl/dual.py), with yosys' model of its cell: all operands."""
    netlist = netlist_verilog(component_verilog(DualProducts()), TOP, device("up5k"))
    if models:
        netlist = changed(netlist, models)
    build = build_sources([netlist, OWN_FOLDER / "dual_bench.sv"], "dual_bench")
    return run_case(Orders("cells"), preset("nano"), build=build, module="fpga.cells_case")


def changed(netlist: Path, replacements: dict[str, str]) -> Path:
    """The netlist with texts, each of which must stand in it once, replaced: planted bugs."""
    text = netlist.read_text()
    for old, new in replacements.items():
        if text.count(old) != 1:
            raise WesnpuError(f"{old!r} stands {text.count(old)} times in {netlist}: must be once")
        text = text.replace(old, new)
    target = CACHE / "cells_changed.v"
    target.write_text(text)
    return target


def requantizer_case(config: EngineConfig, target: Device, seed: int = 3) -> Result:
    """The requantizer lane of `config`: all corners and random operands against exact integers."""
    netlist = netlist_verilog(component_verilog(block("requantizer", config)), TOP, target)
    build = build_sources([netlist], TOP)
    return run_case(Orders("requantizer", seed=seed), config, build=build, module="sim.blocks.requantizer")


def engine_netlist(config: EngineConfig, target: Device) -> Path:
    """The netlist of the engine with its trace port, one Verilog file."""
    return netlist_verilog(without_brackets(verilog_text(config, trace=True)), TOP, target)


@functools.cache
def engine_build(config: EngineConfig, target: Device, *, can_be_wrong: bool = False) -> Build:
    """The bench of `make sim` around the netlist of the engine with its trace port.

    can_be_wrong: with WRONG_TABLES tables that hold the inverse when told so (fpga/wrong_tables.py).
    """
    netlist = engine_netlist(config, target)
    if can_be_wrong:
        netlist = with_wrong_tables(netlist, target.family, WRONG_TABLES, DRAW)
    return build_bench(config, verilog=netlist, optimize=OPTIMIZE)


def engine_case(config: EngineConfig, target: Device, name: str, *, table: int = 0, initial: int = 0) -> Result:
    """The test `name` of `make sim` on the engine's netlist: every value traced, all memory, every register.

    table: the number of a table that is wrong, 1..WRONG_TABLES.
    """
    build = engine_build(config, target, can_be_wrong=table > 0)
    orders = Orders(name, count=ENGINE_CASES[name], initial=initial)
    return run_case(orders, config, build=build, arguments=(wrong(table),) if table else ())


def cases(config: EngineConfig, target: Device) -> dict[str, Callable[[], Result]]:
    """Every case for this engine and device, by what it is of."""
    cells = {"cells of ECP5": cells_case} if target.family == "ecp5" else {"dual multiplier": dual_case}
    engines = {
        f"engine {config.name}, {name}": functools.partial(engine_case, config, target, name) for name in ENGINE_CASES
    }
    return {**cells, f"requantizer of {config.name}": lambda: requantizer_case(config, target), **engines}


def main(
    config: Annotated[str, typer.Option(help=f"engine: {', '.join(ENGINES)}")] = "nano",
    target: Annotated[str, typer.Option("--device", help=", ".join(DEVICES))] = "up5k",
) -> None:
    """Simulate netlists; exit code 1 when a value differs."""
    failed = False
    try:
        chosen, sizes = device(target), engine(config)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            every = cases(sizes, chosen)
            step = progress.add_task("netlists", total=len(every))
            for name, case in every.items():
                progress.update(step, description=name)
                result = case()
                failed |= bool(result.failure)
                print(f"{name} on {chosen.part}: {result.failure or f'{result.values:,} values equal'}", flush=True)
                progress.advance(step)
    except (WesnpuError, ValueError) as error:
        sys.exit(f"make netlist: {error}")
    sys.exit(int(failed))


if __name__ == "__main__":
    typer.run(main)

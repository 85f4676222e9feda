"""make netlist [CONFIG= DEVICE=]: the test of the requantizer on what synthesis made of it, by equality.

ECP5's multiplier and block RAM, whose models are this project's own, are tested first.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from compiler.config import EngineConfig, preset
from fpga.blocks import TOP, block, component_verilog
from fpga.device import Device, device
from fpga.post_synthesis import OWN_FOLDER, netlist_verilog
from golden.errors import WesnpuError
from rtl.dual import DualProducts
from sim.build import CACHE, build_sources
from sim.cases import Orders
from sim.runner import Result, run_case

SOURCE = OWN_FOLDER / "cells_test.v"
BENCH = OWN_FOLDER / "cells_bench.sv"


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


def main(
    config: Annotated[str, typer.Option(help="preset")] = "nano",
    target: Annotated[str, typer.Option("--device", help="25f, 45f, 85f or up5k")] = "up5k",
) -> None:
    """Simulate netlists; exit code 1 when a value differs."""
    failed = False
    try:
        chosen, sizes = device(target), preset(config)
        results = {"cells of ECP5": cells_case()} if chosen.family == "ecp5" else {"dual multiplier": dual_case()}
        results[f"requantizer of {config}"] = requantizer_case(sizes, chosen)
    except (WesnpuError, ValueError) as error:
        sys.exit(f"make netlist: {error}")
    for name, result in results.items():
        failed |= bool(result.failure)
        print(f"{name} on {chosen.part}: {result.failure or f'{result.values:,} values equal'}")
    sys.exit(int(failed))


if __name__ == "__main__":
    typer.run(main)

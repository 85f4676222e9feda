"""Place and route: the clock frequency of a netlist, what bounds it, and how full the device is."""

import json
from dataclasses import dataclass
from pathlib import Path

from fpga.blockage import with_blockage
from fpga.cache import kept
from fpga.device import Device
from fpga.harness import CLOCK
from fpga.netlist import NETLIST, Netlist
from fpga.tools import run_tool, tool_version

REPORT, PINS = "report.json", "pins.lpf"
#: Placer `static` makes shorter nets than the usual `heap`; router2 weighs all nets at once, where router1 would rip up
#: one after the other.
SPREAD = ("--placer", "static", "--router", "router2")
#: router2 goes on until every way is as short as the frequency asked for needs it.
UNTIL_MET = "--tmg-ripup"


@dataclass(frozen=True)
class Routed:
    """One seed's result.

    mhz: the frequency that the routed design reaches.  path: cells of the slowest path, from register to register, with
    the delay in ns after each.  used: cells of the device by type, (used, available).
    """

    seed: int
    mhz: float
    path: tuple[tuple[str, float], ...]
    used: dict[str, tuple[int, int]]


def route(
    netlist: Netlist, device: Device, seed: int, frequency: int | None = None, *, spread: bool = False
) -> Routed:
    """Place and route `netlist` on `device`, aiming at `frequency` MHz (the device's own unless given).

    spread: as a large design on an 85F needs it, whose wires lie too close otherwise: by SPREAD, and with every third
    row of slices free (fpga/blockage.py); then UNTIL_MET.

    A miss of the aim is a measured result, no error, without `spread`. WesnpuError when the design does not fit or
    nextpnr fails.
    """
    tool = f"nextpnr-{device.family}"
    flags = [*device.flags, "--seed", str(seed), "--freq", str(frequency or device.frequency), "--timing-allow-fail"]
    design = (netlist.folder / NETLIST).read_text()
    pins = f'LOCATE COMP "{CLOCK}" SITE "{device.clock_pin}";' if device.clock_pin else ""
    if pins:
        flags += ["--lpf", PINS]
    if spread:
        flags += (*SPREAD, UNTIL_MET)
        design = json.dumps(with_blockage(json.loads(design), netlist.top))

    def make(folder: Path) -> None:
        (folder / NETLIST).write_text(design)
        (folder / PINS).write_text(pins)
        run_tool(tool, ["--json", NETLIST, "--report", REPORT, *flags], folder)
        (folder / NETLIST).unlink()

    folder = kept(make, design, pins, *flags, tool_version(tool))
    return _read(json.loads((folder / REPORT).read_text()), seed)


def _read(report: dict, seed: int) -> Routed:
    clock, timing = min(report["fmax"].items(), key=lambda item: item[1]["achieved"])
    inside = [entry for entry in report["critical_paths"] if {_clock(entry["from"]), _clock(entry["to"])} == {clock}]
    used = {name: (cells["used"], cells["available"]) for name, cells in report["utilization"].items()}
    return Routed(seed, round(timing["achieved"], 2), _cells(inside[0]["path"]) if inside else (), used)


def _clock(end: str) -> str:
    return end.split(" ", 1)[-1]


def _cells(path: list[dict]) -> tuple[tuple[str, float], ...]:
    """Where the path passes, with the delay from its start: the last hop into each cell."""
    total, cells = 0.0, []
    for hop in path:
        total += hop["delay"]
        cells.append((hop["to"]["cell"], round(total, 2)))
    return tuple(cells)

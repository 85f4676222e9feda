"""Place and route: the clock frequency of a netlist, what bounds it, and how full the device is."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fpga import macros
from fpga.blockage import ALL, COLUMNS, with_blockage
from fpga.cache import kept
from fpga.device import Device
from fpga.harness import CLOCK
from fpga.netlist import NETLIST, Netlist
from fpga.nextpnr_log import refuse_what_lacks_cells, rounds
from fpga.tools import LOG, run_tool, tool_version
from golden.errors import WesnpuError

REPORT, PINS, PLACED, MACROS = "report.json", "pins.lpf", "placed.json", "macros.json"
#: Placer `static` makes shorter nets than the usual `heap`; router2 weighs all nets at once, where router1 would rip up
#: one after the other.
SPREAD = ("--placer", "static", "--router", "router2")
PLACING = (*SPREAD, "--no-route", "--write", PLACED)
#: router2 goes on until every way is as short as the frequency asked for needs it.
UNTIL_MET = "--tmg-ripup"
#: Settings, as nextpnr writes them into a placed design and takes them from there, of a router that does without timing
#: and looks for ways ten tiles around a net instead of three.
WITHOUT_TIMING = {
    "timing_driven": f"{0:032b}", "router2/bbMargin/x": f"{10:032b}", "router2/bbMargin/y": f"{10:032b}",
}
ROUNDS = 60  # of router2; a design that it has not routed then has ways that stand in each other's way
_ASSIGNMENT = Path(macros.__file__).read_text()


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


def route(netlist: Netlist, device: Device, seed: int, aims: tuple[int, ...] = (), dense: bool = False) -> Routed:
    """Place and route `netlist` on `device`, aiming at device.frequency MHz; a miss is a measured result.

    aims: what to aim at instead for an engine on an 85F, one after the other until the router comes to an end. The
    wires of such a design are too long and lie too close otherwise: it is placed by SPREAD with every second row of
    slices free (fpga/blockage.py), twice, with its macros assigned in between (fpga/macros.py), and routed UNTIL_MET,
    at most for ROUNDS.  dense: rows are free in all columns, and the router does not look at timing: a way may be slow,
    but none may share its wires for being critical.

    WesnpuError when the design does not fit, nextpnr fails or it comes to no end with any aim.
    """
    design = (netlist.folder / NETLIST).read_text()
    if aims:
        blocked = with_blockage(json.loads(design), netlist.top, ALL if dense else COLUMNS)
        bels = _macro_bels(json.dumps(blocked), device, seed, aims[0])
        design = json.dumps(macros.with_macros(blocked, netlist.top, bels))
    for aim in aims or (device.frequency,):
        if dense:
            folder = _untimed(design, device, seed, aim)
        else:
            folder = _routed(design, device, seed, aim, (*SPREAD, UNTIL_MET) if aims else ())
        if (report := folder / REPORT).is_file():
            return _read(json.loads(report.read_text()), seed)
    raise WesnpuError(
        f"{device.part}, seed {seed}: not routed after {ROUNDS} rounds, aiming at {' and '.join(map(str, aims))} MHz"
    )


def _macro_bels(design: str, device: Device, seed: int, aim: int) -> dict[str, str]:
    """Where the macros of this design should lie, by a placement of its own."""
    placing = _Run(design, device, seed, aim, PLACING)

    def make(folder: Path) -> None:
        (folder / MACROS).write_text(json.dumps(macros.assigned(_placed(placing, folder))))

    return json.loads((kept(make, *placing.parts, _ASSIGNMENT, version("scipy")) / MACROS).read_text())


def _untimed(design: str, device: Device, seed: int, aim: int) -> Path:
    """As _routed, in two runs: placed by timing, then routed without it."""
    placing = _Run(design, device, seed, aim, PLACING)
    routing = ("--router", "router2", "--no-pack", "--no-place", "--report", REPORT)

    def make(folder: Path) -> None:
        placed = _placed(placing, folder)
        for module in placed["modules"].values():
            module.get("settings", {}).update(WITHOUT_TIMING)
        _Run(json.dumps(placed), device, seed, aim, routing).start(folder)

    return kept(make, *placing.parts, *routing, json.dumps(WITHOUT_TIMING), f"{ROUNDS} rounds")


def _placed(placing: "_Run", folder: Path) -> dict:
    """The design as a run with PLACING leaves it."""
    placing.start(folder)
    placed = json.loads((folder / PLACED).read_text())
    (folder / PLACED).unlink()
    return placed


def _routed(design: str, device: Device, seed: int, aim: int, manner: tuple[str, ...]) -> Path:
    """The folder with nextpnr's report, or without one where it was stopped after ROUNDS."""
    run = _Run(design, device, seed, aim, ("--report", REPORT, *manner))
    return kept(run.start, *run.parts, f"{ROUNDS} rounds")


class _Run:
    """A run of nextpnr. parts: all that its result depends on."""

    def __init__(self, design: str, device: Device, seed: int, aim: int, manner: tuple[str, ...]):
        self._tool, self._design = f"nextpnr-{device.family}", design
        self._pins = f'LOCATE COMP "{CLOCK}" SITE "{device.clock_pin}";' if device.clock_pin else ""
        self._flags = [*device.flags, "--seed", str(seed), "--freq", str(aim), "--timing-allow-fail", *manner]
        if self._pins:
            self._flags += ["--lpf", PINS]
        self.parts = (design, self._pins, *self._flags, tool_version(self._tool))

    def start(self, folder: Path) -> None:
        """Run it in `folder`; its router is stopped after ROUNDS, without a report."""
        (folder / NETLIST).write_text(self._design)
        (folder / PINS).write_text(self._pins)
        try:
            run_tool(self._tool, ["--json", NETLIST, *self._flags], folder, lambda: _look(folder))
        except _TooManyRounds:
            pass
        finally:
            (folder / NETLIST).unlink()


class _TooManyRounds(Exception):
    """The router would go on for very long."""


def _look(folder: Path) -> None:
    if (log := folder / LOG).is_file() and not (folder / REPORT).is_file():
        told = log.read_text()
        refuse_what_lacks_cells(told)
        if rounds(told) > ROUNDS:
            raise _TooManyRounds


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

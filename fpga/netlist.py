"""Synthesis: from Verilog to a netlist of one FPGA family, kept by content."""

import json
from dataclasses import dataclass
from pathlib import Path

from fpga.area import Area, area
from fpga.cache import kept
from fpga.device import Device
from fpga.tools import run_tool, tool_version

NETLIST = "netlist.json"
SCRIPTS = {
    "ecp5": "read_verilog -sv design.v; synth_ecp5 -top {top} -json netlist.json",
    "ice40": "read_verilog -sv design.v; synth_ice40 -dsp -spram -top {top} -json netlist.json",
}


@dataclass(frozen=True)
class Netlist:
    """A synthesized design: `folder` holds design.v and netlist.json."""

    folder: Path
    top: str
    area: Area


def synthesize(verilog: str, top: str, device: Device) -> Netlist:
    """The netlist of module `top`, made unless build/fpga has it; WesnpuError when yosys fails."""
    script = SCRIPTS[device.family].format(top=top)

    def make(folder: Path) -> None:
        (folder / "design.v").write_text(verilog)
        run_tool("yosys", ["-p", script], folder)

    folder = kept(make, verilog, script, tool_version("yosys"))
    return Netlist(folder, top, area(json.loads((folder / NETLIST).read_text()), top))

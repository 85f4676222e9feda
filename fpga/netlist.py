"""Synthesis: from Verilog to a netlist of one FPGA family, kept by content."""

import json
from dataclasses import dataclass
from pathlib import Path

from fpga import dual, ecp5, ecp5_netlist
from fpga.area import Area, area
from fpga.cache import kept
from fpga.device import Device
from fpga.tools import run_tool, tool_version

NETLIST = "netlist.json"
SCRIPTS = {
    "ecp5": ecp5.SCRIPT,
    "ice40": f"{dual.BEFORE}; synth_ice40 -dsp -spram -top {{top}}; {dual.AFTER}",
}
FILES = {"ecp5": ecp5.FILES, "ice40": dual.FILES}
_IMPROVED = [Path(source).read_text() for source in ecp5_netlist.SOURCES]


@dataclass(frozen=True)
class Netlist:
    """A synthesized design: `folder` holds design.v and netlist.json."""

    folder: Path
    top: str
    area: Area


def synthesize(verilog: str, top: str, device: Device) -> Netlist:
    """The netlist of module `top`, made unless build/fpga has it; WesnpuError when yosys fails."""
    made_of = SCRIPTS[device.family].format(top=top)
    script, files = f"read_verilog -sv design.v; {made_of}; write_json {NETLIST}", FILES[device.family]

    def make(folder: Path) -> None:
        for name, text in {"design.v": verilog, **files}.items():
            (folder / name).write_text(text)
        run_tool("yosys", ["-p", script], folder)
        if device.family == "ecp5":
            netlist = json.loads((folder / NETLIST).read_text())
            (folder / NETLIST).write_text(json.dumps(ecp5_netlist.improved(netlist, top)))

    folder = kept(make, verilog, script, *files.values(), *_IMPROVED, tool_version("yosys"))
    return Netlist(folder, top, area(json.loads((folder / NETLIST).read_text()), top))

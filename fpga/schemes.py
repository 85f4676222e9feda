# amaranth: UnusedElaboratable=no
"""Area and routed clock frequency of the requantizer lanes of rtl/schemes."""

import statistics
from dataclasses import asdict, dataclass

from fpga.blocks import TOP, component_verilog
from fpga.device import Device
from fpga.harness import Harness
from fpga.netlist import synthesize
from fpga.route import route
from rtl.schemes.catalogue import SCHEMES


@dataclass(frozen=True)
class SchemeCost:
    """One lane: cells (fpga/area.py), MHz routed over the seeds 1..n, stored bits per channel, pipeline stages."""

    comb: int
    dsp: int
    ff: int
    median_mhz: float
    worst_mhz: float
    seeds: int
    channel_bits: int
    latency: int
    results_per_cycle: int = 1


def scheme_cost(name: str, target: Device, seeds: int) -> SchemeCost:
    """The lane called `name`, alone for its area, between registers for its clock frequency."""
    lane = SCHEMES[name]()
    found = synthesize(component_verilog(lane), TOP, target).area
    netlist = synthesize(component_verilog(Harness(SCHEMES[name]())), TOP, target)
    mhz = [route(netlist, target, seed).mhz for seed in range(1, seeds + 1)]
    bits = sum(lane.channel.values())
    return SchemeCost(found.comb, found.dsp, found.ff, statistics.median(mhz), min(mhz), seeds, bits, lane.latency)


def scheme_costs(target: Device, seeds: int) -> dict[str, dict]:
    """All lanes by name, as plain values."""
    return {name: asdict(scheme_cost(name, target, seeds)) for name in SCHEMES}

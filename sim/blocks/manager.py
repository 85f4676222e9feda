"""The engine's control port under cocotbext-axi's AXI4-Lite manager."""

import random

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

RESET_CYCLES = 8


def random_pause(seed: int):
    """An endless pattern: each cycle stalls with probability 1/2."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < 0.5


def alternating_pause():
    """Every second cycle stalls."""
    while True:
        yield True
        yield False


async def start_clock(dut) -> None:
    """Clock and reset."""
    Clock(dut.clk, 2, "ns").start()
    await reset(dut)


async def reset(dut) -> None:
    """Some cycles of `aresetn`."""
    dut.aresetn.value = 0
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    dut.aresetn.value = 1
    for _ in range(2):
        await RisingEdge(dut.clk)


def manager(dut) -> AxiLiteMaster:
    """A manager on s_axil_*."""
    return AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.aresetn, reset_active_level=False)


def pause_channels(master: AxiLiteMaster, pauses: dict[str, object]) -> None:
    """Set the stall pattern of channels (aw, w, b, ar, r), None for none."""
    channels = {
        "aw": master.write_if.aw_channel, "w": master.write_if.w_channel, "b": master.write_if.b_channel,
        "ar": master.read_if.ar_channel, "r": master.read_if.r_channel,
    }
    for name, channel in channels.items():
        pattern = pauses.get(name)
        channel.pause = False
        if pattern is None:
            channel.clear_pause_generator()
        else:
            channel.set_pause_generator(pattern)

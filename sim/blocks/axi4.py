"""A program through cocotbext-axi's memory instead of ours: an independent judge of the AXI4 master."""

import time

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, First, RisingEdge
from cocotbext.axi import AxiBus, AxiRam

from compiler.registers import pack, register
from sim.block_cases import write_block_result
from sim.blocks.manager import alternating_pause, manager, random_pause, start_clock
from sim.job import Manners
from sim.layers import random_network
from sim.runner import ordered
from sim.session import prepare_plain

CYCLE_LIMIT = 200_000
PATTERNS = {"none": None, "random": random_pause, "alternating": lambda seed: alternating_pause()}


def _pause(ram: AxiRam, pattern, seed: int) -> None:
    channels = (
        ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel, ram.read_if.ar_channel,
        ram.read_if.r_channel,
    )
    for number, channel in enumerate(channels):
        channel.pause = False
        if pattern is None:
            channel.clear_pause_generator()
        else:
            channel.set_pause_generator(pattern(seed + number))


async def _run(dut, master, ram: AxiRam, prepared) -> np.ndarray:
    """Run the job with its memory at address 0 of the RAM; what the RAM holds afterwards."""
    job = prepared.job
    ram.write(0, job.memory.tobytes())
    settings = {
        "IMAGE_BASE": job.image[0] - job.base, "IMAGE_SIZE": job.image[1], "DATA_BASE": job.data[0] - job.base,
        "DATA_SIZE": job.data[1], "PROGRAM_OFFSET": job.program_offset, "INTERRUPT_ENABLE": 1,
        "CONTROL": pack("CONTROL", start=1),
    }
    for name, value in settings.items():
        await master.write_dword(register(name).offset, value)
    await First(RisingEdge(dut.irq), ClockCycles(dut.clk, CYCLE_LIMIT))
    assert int(dut.irq.value) == 1, f"no interrupt after {CYCLE_LIMIT} cycles"
    status = await master.read_dword(register("STATUS").offset)
    assert status >> 8 & 15 == 0, f"error {status >> 8 & 15}"
    await master.write_dword(register("INTERRUPT_STATUS").offset, 3)
    await ClockCycles(dut.clk, 20)
    return np.frombuffer(ram.read(0, job.memory.size), np.uint8)


@cocotb.test()
async def axi4(dut):
    """Small layers under every stall pattern, the whole memory compared."""
    orders, config = ordered()
    start, compared, failure, seed = time.monotonic(), 0, "", orders.seed
    try:
        await start_clock(dut)
        master = manager(dut)
        ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.aresetn, reset_active_level=False, size=1 << 20)
        for name, pattern in PATTERNS.items():
            for kind in ("depthwise", "pointwise"):
                _pause(ram, pattern, seed)
                network, image = random_network(kind, seed + 1, config.guard_bits)
                prepared = prepare_plain(network, image, config, Manners(), seed)
                memory = await _run(dut, master, ram, prepared)
                wrong = np.flatnonzero(memory != prepared.final)
                assert not wrong.size, f"{kind} stalls {name}: {prepared.memory_place(int(wrong[0]))}"
                compared += memory.size
    except AssertionError as error:
        failure = str(error)
        raise
    finally:
        write_block_result(compared, time.monotonic() - start, failure)

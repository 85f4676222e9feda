"""The cocotb module that turns the clock of fpga/cells/cells_bench.sv and takes its counts."""

import time

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sim.block_cases import write_block_result

CYCLES = 40_000
LEAST_ONES = 0.2  # of all bits compared: memories and products that were in use


@cocotb.test()
async def cells(dut):
    """No cycle with a difference, and outputs that were not idle."""
    start = time.monotonic()
    Clock(dut.clk, 2, "ns").start()
    await Timer(2 * CYCLES, "ns")
    compared, ones, differences = (int(getattr(dut, name).value) for name in ("compared", "ones", "differences"))
    busy = ones > LEAST_ONES * compared
    failure = f"{differences} cycles with differences: see simulation.log" if differences else ""
    failure = failure or ("" if busy else f"only {ones} of {compared} bits were 1: nothing was written")
    write_block_result(compared, time.monotonic() - start, failure)
    assert not failure, failure

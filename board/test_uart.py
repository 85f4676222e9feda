# amaranth: UnusedElaboratable=no
"""The UART at the edges of its clock tolerance, and with errors on the line, cycle by cycle."""

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from board.uart import UartReceiver, UartTransmitter

DATA = b"\x00\xff\x55\xaa\x01\x80\x7e"


def received(levels, divisor):
    """(bytes, errors) that a receiver makes of the levels, one per clock cycle."""
    dut, found, errors = UartReceiver(divisor=divisor), bytearray(), []

    async def testbench(ctx):
        for level in [*levels, *[1] * 20]:
            ctx.set(dut.line, level)
            await ctx.tick()
            if ctx.get(dut.valid):
                found.append(ctx.get(dut.data))
            if ctx.get(dut.error):
                errors.append(len(found))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return bytes(found), errors


def levels_of(data, bit_cycles, stop=1):
    """The line for bytes without a gap; a bit takes `bit_cycles`, which need not be whole."""
    bits = [bit for byte in data for bit in (0, *((byte >> i) & 1 for i in range(8)), stop)]
    return [1] * 5 + [bits[int(cycle / bit_cycles)] for cycle in range(int(len(bits) * bit_cycles))]


@pytest.mark.parametrize("divisor, off", [(4, 0.01), (5, 0.03), (8, 0.03), (25, 0.03)])
def test_bytes_without_a_gap_from_another_clock(divisor, off):
    for share in (1 - off, 1, 1 + off):
        assert received(levels_of(DATA, divisor * share), divisor) == (DATA, [])


@pytest.mark.parametrize("divisor", [4, 8])
def test_a_short_low_is_no_start_bit(divisor):
    glitch = [1] * 5 + [0] * (divisor // 2 - 1) + [1] * 12 * divisor
    assert received(glitch + levels_of(DATA, divisor), divisor) == (DATA, [])


def test_a_missing_stop_bit_is_an_error_and_a_break_is_one_error():
    assert received(levels_of(b"a", 8, stop=0) + [1] * 8 + levels_of(DATA, 8), 8) == (DATA, [0])
    assert received([0] * 8 * 50 + [1] * 8 + levels_of(DATA, 8), 8) == (DATA, [0])


@pytest.mark.parametrize("divisor", [4, 7])
def test_what_is_transmitted_is_received(divisor):
    m, transmitter, levels = Module(), UartTransmitter(divisor=divisor), []
    m.submodules.transmitter = transmitter

    async def testbench(ctx):
        ctx.set(transmitter.i.valid, 1)
        for byte in DATA:
            ctx.set(transmitter.i.payload, byte)
            taken = False
            while not taken:
                taken = ctx.get(transmitter.i.ready)
                levels.append(ctx.get(transmitter.line))
                await ctx.tick()
        ctx.set(transmitter.i.valid, 0)
        for _ in range(12 * divisor):
            levels.append(ctx.get(transmitter.line))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert len(levels) == (len(DATA) - 1) * (10 * divisor + 1) + 1 + 12 * divisor
    assert received(levels, divisor) == (DATA, [])


@pytest.mark.parametrize("divisor", [3, 65536])
def test_divisors_outside_the_range_are_refused(divisor):
    for part in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="divisor"):
            part(divisor=divisor)

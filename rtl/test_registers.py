# amaranth: UnusedElaboratable=no
"""The AXI4-Lite register file: every register, every access rule, channel orders, back-pressure, program ends."""

import pytest
from amaranth.sim import Simulator

from compiler.config import preset
from compiler.registers import CAUSES, ERRORS, REGISTERS, Access, Offset, identification, unpack
from rtl.interfaces import Cause, Error
from rtl.registers import Registers

CONFIG = preset("large")
ORDERS = ("together", "address first", "data first")
OKAY, SLVERR = 0, 2


class Bus:
    """A manager that never stops early: every wait has a limit, VALID and payload of the subordinate are watched."""

    def __init__(self, ctx, axi):
        self.ctx, self.axi = ctx, axi

    async def _send(self, channel: str) -> None:
        valid, ready = getattr(self.axi, f"{channel}valid"), getattr(self.axi, f"{channel}ready")
        self.ctx.set(valid, 1)
        await self._until(ready, channel)
        self.ctx.set(valid, 0)

    async def _until(self, signal, name) -> None:
        for _ in range(20):
            _, _, there = await self.ctx.tick().sample(signal)
            if there:
                return
        raise AssertionError(f"{name}: nothing for 20 cycles")

    async def _take(self, channel: str, payload: list, delay: int) -> list[int]:
        valid, ready = getattr(self.axi, f"{channel}valid"), getattr(self.axi, f"{channel}ready")
        first = None
        for _ in range(20):
            if self.ctx.get(valid):
                break
            await self.ctx.tick()
        for _ in range(delay):
            now = [self.ctx.get(valid), *(self.ctx.get(one) for one in payload)]
            assert first in (None, now) and now[0] == 1, f"{channel} changed while it waited"
            first = now
            await self.ctx.tick()
        self.ctx.set(ready, 1)
        _, _, there, *values = await self.ctx.tick().sample(valid, *payload)
        self.ctx.set(ready, 0)
        assert there, f"no answer on {channel}"
        assert not self.ctx.get(valid), f"{channel} answered twice"
        return values

    async def write(self, address, data, strobe=15, order="together", gap=3, delay=0) -> int:
        """The response code."""
        ctx, axi = self.ctx, self.axi
        ctx.set(axi.awaddr, address)
        ctx.set(axi.wdata, data)
        ctx.set(axi.wstrb, strobe)
        if order == "together":
            ctx.set(axi.wvalid, 1)
            await self._send("aw")
            ctx.set(axi.wvalid, 0)
        else:
            first, second = ("aw", "w") if order == "address first" else ("w", "aw")
            await self._send(first)
            await ctx.tick().repeat(gap)
            assert not ctx.get(axi.bvalid), f"answered before {second}"
            await self._send(second)
        return (await self._take("b", [axi.bresp], delay))[0]

    async def read(self, address, delay=0) -> tuple[int, int]:
        """(response code, data)."""
        self.ctx.set(self.axi.araddr, address)
        await self._send("ar")
        response, data = await self._take("r", [self.axi.rresp, self.axi.rdata], delay)
        return response, data


def simulate(body) -> None:
    """Run `body(ctx, dut, bus)`."""
    dut, ended = Registers(CONFIG), []

    async def bench(ctx):
        await body(ctx, dut, Bus(ctx, dut.axi))
        ended.append(True)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert ended


def test_identification_and_counters():
    async def body(ctx, dut, bus):
        for i, name in enumerate(dut.counters.signature.members):
            ctx.set(getattr(dut.counters, name), 0x1000_0000 + i)
        for name, value in identification(CONFIG).items():
            assert await bus.read(Offset[name]) == (OKAY, value), name
        for i, name in enumerate(("cycles", "read_beats", "write_beats", *(cause.name for cause in Cause))):
            assert await bus.read(Offset[f"COUNT_{name.upper()}"]) == (OKAY, 0x1000_0000 + i), name

    simulate(body)


def test_table_agrees_with_the_hardware():
    assert ERRORS.keys() == {int(error) for error in Error}
    assert list(CAUSES) == [cause.name for cause in Cause]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("delay", [0, 1, 5])
def test_every_register_by_its_access_rule(order, delay):
    async def body(ctx, dut, bus):
        for one in REGISTERS:
            before = await bus.read(one.offset, delay)
            response = await bus.write(one.offset, 0xFFFFFFFC, order=order, delay=delay)
            after = await bus.read(one.offset, delay)
            if one.access is Access.READ_WRITE:
                assert response == OKAY and after == (OKAY, 0xFFFFFFFC & one.mask), one.name
                assert await bus.write(one.offset, 0, order=order) == OKAY
            else:
                assert response == (SLVERR if one.access is Access.READ_ONLY else OKAY), one.name
                assert before == after and before[0] == OKAY, one.name

    simulate(body)


def test_unmapped_addresses():
    holes = (0x4C, 0x7C, 0xAC, 0x100, 0x200, 0x400, 0x800, 0xFFC)
    assert not {one.offset for one in REGISTERS} & set(holes)

    async def body(ctx, dut, bus):
        for address in holes:
            assert await bus.write(address, 0xFFFFFFFF) == SLVERR
            assert await bus.read(address) == (SLVERR, 0)
        for one in REGISTERS:
            if one.access is Access.READ_WRITE:
                assert await bus.read(one.offset) == (OKAY, 0), f"{one.name} was changed"

    simulate(body)


@pytest.mark.parametrize("order", ORDERS)
def test_partial_strobes(order):
    async def body(ctx, dut, bus):
        value = 0
        for strobe in (*range(16), 15, *reversed(range(16))):
            data = 0x11223344 * (strobe + 1) & 0xFFFFFFFF
            assert await bus.write(Offset.TIMEOUT, data, strobe=strobe, order=order) == OKAY
            for byte in range(4):
                if strobe >> byte & 1:
                    value = value & ~(0xFF << 8 * byte) | data & 0xFF << 8 * byte
            assert await bus.read(Offset.TIMEOUT) == (OKAY, value), f"strobe {strobe:#x}"
            assert ctx.get(dut.control.timeout) == value
        ctx.set(dut.control.busy, 0)
        await bus.write(Offset.CONTROL, 1, strobe=0b1110)
        assert not ctx.get(dut.control.start)

    simulate(body)


def test_pulses_last_one_cycle():
    async def body(ctx, dut, bus):
        seen = {"start": 0, "soft_reset": 0}

        async def count(cycles):
            for _ in range(cycles):
                for name in seen:
                    seen[name] += ctx.get(getattr(dut.control, name))
                await ctx.tick()

        for word in (1, 2, 3, 0xFFFFFFFC, 0):
            ctx.set(dut.axi.awaddr, Offset.CONTROL)
            ctx.set(dut.axi.wdata, word)
            ctx.set(dut.axi.wstrb, 15)
            ctx.set(dut.axi.awvalid, 1)
            ctx.set(dut.axi.wvalid, 1)
            ctx.set(dut.axi.bready, 1)
            await count(1)
            ctx.set(dut.axi.awvalid, 0)
            ctx.set(dut.axi.wvalid, 0)
            await count(6)
        assert seen == {"start": 2, "soft_reset": 2}

    simulate(body)


def test_locked_while_busy():
    async def body(ctx, dut, bus):
        ctx.set(dut.control.busy, 1)
        for one in REGISTERS:
            if one.access is Access.READ_WRITE:
                assert await bus.write(one.offset, 0xFFFFFFFF) == (SLVERR if one.locked else OKAY), one.name
                assert await bus.read(one.offset) == (OKAY, 0 if one.locked else one.mask), one.name

    simulate(body)


def test_end_of_programs():
    async def end(ctx, dut, error, command):
        ctx.set(dut.control.done, 1)
        await ctx.tick()
        ctx.set(dut.control.done, 0)
        ctx.set(dut.control.busy, 0)
        ctx.set(dut.control.error, error)
        ctx.set(dut.control.error_command, command)
        await ctx.tick().repeat(3)

    async def status(bus):
        response, word = await bus.read(Offset.STATUS)
        assert response == OKAY
        return unpack("STATUS", word)

    async def body(ctx, dut, bus):
        await bus.write(Offset.CONTROL, 1)
        ctx.set(dut.control.busy, 1)
        assert await status(bus) == {"busy": 1, "done": 0, "error": 0, "error_command": 0}
        await end(ctx, dut, 0, 0)
        assert await status(bus) == {"busy": 0, "done": 1, "error": 0, "error_command": 0}
        assert await bus.read(Offset.INTERRUPT_STATUS) == (OKAY, 1)
        assert not ctx.get(dut.irq)
        await bus.write(Offset.INTERRUPT_ENABLE, 2)
        assert not ctx.get(dut.irq)
        await bus.write(Offset.INTERRUPT_ENABLE, 3)
        assert ctx.get(dut.irq)
        await bus.write(Offset.INTERRUPT_STATUS, 2)
        assert ctx.get(dut.irq)
        await bus.write(Offset.INTERRUPT_STATUS, 1)
        assert not ctx.get(dut.irq)
        await bus.write(Offset.CONTROL, 1)
        assert (await status(bus))["done"] == 0
        ctx.set(dut.control.busy, 1)
        await end(ctx, dut, 6, 513)
        assert await status(bus) == {"busy": 0, "done": 1, "error": 6, "error_command": 513}
        assert await bus.read(Offset.INTERRUPT_STATUS) == (OKAY, 3)
        assert ctx.get(dut.irq)

    simulate(body)

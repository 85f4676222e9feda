# amaranth: UnusedElaboratable=no
"""The wrapper around a stand-in engine: flat ports reach the right places, reset, control in, memory and irq out."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from compiler.config import preset
from compiler.registers import Offset
from rtl.interfaces import Control, Memory, counters_signature
from rtl.test_registers import OKAY, Bus
from rtl.top import Top, top_members

CONFIG = preset("large")


class OneBeat(wiring.Component):
    """Stand-in: a program copies 16 bytes from image_base + program_offset to data_base; error 5 or 6 if refused."""

    memory: Out(Memory)
    control: Out(Control)
    counters: Out(counters_signature())

    def elaborate(self, platform):
        m = Module()
        memory, control = self.memory, self.control
        copied = memory.write_data.payload.data
        m.d.comb += [
            memory.read_request.payload.address.eq(control.image_base + control.program_offset),
            memory.write_request.payload.address.eq(control.data_base),
            memory.write_data.payload.last.eq(1),
            self.counters.active.eq(77),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(control.start):
                    m.d.sync += [control.busy.eq(1), control.error.eq(0), memory.read_request.valid.eq(1)]
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += memory.read_data.ready.eq(1)
                with m.If(memory.read_request.ready):
                    m.d.sync += memory.read_request.valid.eq(0)
                with m.If(memory.read_data.valid):
                    m.d.sync += [copied.eq(memory.read_data.payload.data), memory.write_data.valid.eq(1)]
                    m.d.sync += [memory.write_request.valid.eq(1), control.error.eq(memory.read_data.payload.error * 5)]
                    m.next = "WRITE"
            with m.State("WRITE"):
                for stream in (memory.write_request, memory.write_data):
                    with m.If(stream.ready):
                        m.d.sync += stream.valid.eq(0)
                with m.If(memory.write_response.valid):
                    m.d.comb += control.done.eq(1)
                    m.d.sync += control.busy.eq(0)
                    with m.If(memory.write_response.payload.error):
                        m.d.sync += [control.error.eq(6), control.error_command.eq(9)]
                    m.next = "IDLE"
        return m


class Ports:
    """The `s_axil_*` ports of a Top as the interface that Bus drives."""

    def __init__(self, top):
        self._top = top

    def __getattr__(self, name):
        return getattr(self._top, f"s_axil_{name}")


def simulate(body) -> None:
    top, ended = Top(CONFIG, engine=OneBeat()), []

    async def clock(ctx):
        while True:
            await ctx.delay(5e-9)
            ctx.set(top.clk, ~ctx.get(top.clk) & 1)

    async def bench(ctx):
        ctx.set(top.aresetn, 0)
        await ctx.tick()
        await ctx.tick()
        ctx.set(top.aresetn, 1)
        await body(ctx, top, Bus(ctx, Ports(top)))
        ended.append(True)

    simulator = Simulator(top)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(bench)
    simulator.run_until(1e-4)
    assert ended


async def until(ctx, signal) -> None:
    """Wait at most 20 cycles."""
    for _ in range(20):
        if ctx.get(signal):
            return
        await ctx.tick()
    raise AssertionError(f"{signal.name} stays low")


async def run_program(ctx, top, bus, *, rresp=0, bresp=0) -> tuple[int, int, int]:
    """(AR address, AW address, W data) of one run of the stand-in's program; read data is 0x1234 << 100."""
    await bus.write(Offset.IMAGE_BASE, 0x4000_0040)
    await bus.write(Offset.PROGRAM_OFFSET, 0x30)
    await bus.write(Offset.DATA_BASE, 0x8000_0080)
    await bus.write(Offset.INTERRUPT_ENABLE, 2)
    assert await bus.write(Offset.CONTROL, 1) == OKAY
    await until(ctx, top.m_axi_arvalid)
    assert ctx.get(top.m_axi_arlen) == 0 and ctx.get(top.m_axi_arsize) == 4
    read_address = ctx.get(top.m_axi_araddr)
    ctx.set(top.m_axi_arready, 1)
    await ctx.tick()
    ctx.set(top.m_axi_rvalid, 1)
    ctx.set(top.m_axi_rdata, 0x1234 << 100)
    ctx.set(top.m_axi_rresp, rresp)
    await ctx.tick().until(top.m_axi_rready)
    ctx.set(top.m_axi_rvalid, 0)
    await until(ctx, top.m_axi_awvalid)
    write_address = ctx.get(top.m_axi_awaddr)
    assert ctx.get(top.m_axi_wvalid) and ctx.get(top.m_axi_wlast) and ctx.get(top.m_axi_wstrb) == 0xFFFF
    ctx.set(top.m_axi_awready, 1)
    data = ctx.get(top.m_axi_wdata)
    ctx.set(top.m_axi_wready, 1)
    await ctx.tick()
    ctx.set(top.m_axi_bvalid, 1)
    ctx.set(top.m_axi_bresp, bresp)
    await ctx.tick().until(top.m_axi_bready)
    ctx.set(top.m_axi_bvalid, 0)
    for name in ("arready", "awready", "wready"):
        ctx.set(getattr(top, f"m_axi_{name}"), 0)
    await ctx.tick().repeat(4)
    return read_address, write_address, data


def test_a_program_from_the_flat_ports():
    async def body(ctx, top, bus):
        assert await run_program(ctx, top, bus) == (0x4000_0070, 0x8000_0080, 0x1234 << 100)
        assert not ctx.get(top.irq)
        assert await bus.read(Offset.STATUS) == (OKAY, 2)
        assert await bus.read(Offset.COUNT_ACTIVE) == (OKAY, 77)
        await run_program(ctx, top, bus, bresp=2)
        assert ctx.get(top.irq)
        assert await bus.read(Offset.STATUS) == (OKAY, 9 << 16 | 6 << 8 | 2)

    simulate(body)


def test_reset_forgets_everything():
    async def body(ctx, top, bus):
        await run_program(ctx, top, bus, bresp=3)
        assert ctx.get(top.irq)
        ctx.set(top.aresetn, 0)
        await ctx.tick()
        ctx.set(top.aresetn, 1)
        assert not ctx.get(top.irq)
        for register in (Offset.STATUS, Offset.IMAGE_BASE, Offset.DATA_BASE, Offset.INTERRUPT_STATUS):
            assert await bus.read(register) == (OKAY, 0)

    simulate(body)


def test_trace_ports_exist_only_with_trace():
    plain, traced = top_members(CONFIG, trace=False), top_members(CONFIG, trace=True)
    assert not [name for name in plain if name.startswith("trace_")]
    assert plain.items() <= traced.items()
    assert {"trace_valid", "trace_cause", "trace_product_1"} <= traced.keys() - plain.keys()
    assert all(name.startswith("trace_") and traced[name].flow is Out for name in traced.keys() - plain.keys())


def test_port_directions():
    members = top_members(CONFIG, trace=False)
    inputs = {"clk", "aresetn", "m_axi_awready", "m_axi_rdata", "s_axil_awaddr", "s_axil_rready"}
    outputs = {"irq", "m_axi_awaddr", "m_axi_rready", "s_axil_awready", "s_axil_rdata"}
    assert all(members[name].flow is In for name in inputs) and all(members[name].flow is Out for name in outputs)

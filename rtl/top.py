"""The engine as a block for IP integrators: flat AXI4 and AXI4-Lite ports with their usual names."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.registers import ADDRESS_BITS
from rtl.axi4 import Axi4Adaptor, axi4_signature
from rtl.axi4_lite import axi4_lite_signature
from rtl.engine import Engine
from rtl.interfaces import trace_signature
from rtl.registers import Registers

MASTER, SUBORDINATE, TRACE = "m_axi_", "s_axil_", "trace_"


def _flat(prefix: str, signature: wiring.Signature) -> dict:
    """The members of a flat signature as ports called prefix + name."""
    return {prefix + name: member for name, member in signature.members.items()}


def top_members(config: EngineConfig, *, trace: bool) -> dict:
    """Every port of `Top`: name -> member."""
    members = {"clk": In(1), "aresetn": In(1)}
    members |= _flat(MASTER, axi4_signature(config.bus_bytes))
    members |= _flat(SUBORDINATE, axi4_lite_signature(ADDRESS_BITS).flip())
    members |= {"irq": Out(1)}
    if trace:
        signature = trace_signature(pixels=config.pixels, lanes=config.lanes, guard_bits=config.guard_bits)
        members |= _flat(TRACE, signature)
    return members


class Top(wiring.Component):
    """Engine core, AXI4 adaptor and register file in one clock domain.

    Ports: `clk`; `aresetn`, active low, sampled at rising edges of `clk` (release it synchronously, as AXI asks; hold
    it low for at least one edge): registers are reset a cycle later, and until then VALID, READY and `irq` are low;
    `m_axi_*`: memory side, an AXI4 master; `s_axil_*`: control, an AXI4-Lite subordinate (docs/registers.md); `irq`: a
    level. With `trace` (simulation only) also `trace_*`, the members of `trace_signature`.

    Parameters: config.  trace.  engine: the core, by default `rtl.engine.Engine(config, trace=trace)`.
    """

    def __init__(self, config: EngineConfig, *, trace: bool = False, engine: wiring.Component | None = None):
        self._config = config
        self._trace = trace
        self._engine = engine or Engine(config, trace=trace)
        super().__init__(top_members(config, trace=trace))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.domains.before = ClockDomain("before", reset_less=True)
        reset = Signal(init=1)
        self._resetting = reset | ~self.aresetn
        m.d.before += reset.eq(~self.aresetn)
        m.d.comb += [ClockSignal(domain).eq(self.clk) for domain in ("sync", "before")]
        m.d.comb += ResetSignal("sync").eq(reset)

        m.submodules.engine = engine = self._engine
        m.submodules.axi = adaptor = Axi4Adaptor(bus_bytes=self._config.bus_bytes)
        m.submodules.registers = registers = Registers(self._config)
        wiring.connect(m, engine.memory, adaptor.memory)
        wiring.connect(m, registers.control, engine.control)
        wiring.connect(m, registers.counters, engine.counters)

        m.d.comb += self.irq.eq(registers.irq & ~self._resetting)
        self._expose(m, MASTER, adaptor.axi)
        self._expose(m, SUBORDINATE, registers.axi)
        if self._trace:
            self._expose(m, TRACE, engine.trace)
        return m

    def _expose(self, m, prefix, interface) -> None:
        """Connects the members of an inner interface to the ports of the same names; in reset there is no handshake."""
        for name, member in interface.signature.members.items():
            port, inner = getattr(self, prefix + name), getattr(interface, name)
            if name.endswith(("valid", "ready")) and member.flow is Out:
                inner = Mux(self._resetting, 0, inner)
            m.d.comb += port.eq(inner) if member.flow is Out else inner.eq(port)

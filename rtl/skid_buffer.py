"""A stage of a stream that cuts it in both directions: neither end waits for what the other decides in this cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class SkidBuffer(wiring.Component):
    """Two places: an item leaves from a register (`o`); one that comes while that has to wait is `kept` beside it.

    `o` and `i.ready` come from registers. Latency: 1 cycle; throughput: one item per cycle.

    Parameters: shape: of an item.  Members: `i`, `o`: streams of them.
    """

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        self.item, self.kept = (Signal.like(self.i.payload, name=name, reset_less=True) for name in ("item", "kept"))
        self.full = Signal()

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.i.ready.eq(~self.full), self.o.payload.eq(self.item)]
        with m.If(~self.full):
            m.d.sync += self.kept.eq(self.i.payload)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.item.eq(Mux(self.full, self.kept, self.i.payload)),
                self.o.valid.eq(self.full | self.i.valid),
            ]
        m.d.sync += self.full.eq(self.o.valid & ~self.o.ready & (self.full | self.i.valid))
        return m

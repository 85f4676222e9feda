"""A skid buffer: every item comes out once, in order, held until it is taken, and is taken when there is room."""

from amaranth.hdl import Assert, Mux, Signal
from amaranth.lib.wiring import In

from rtl.prove.follow import Follow
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds

BITS = 8


def item_in(buffer, ahead) -> Signal:
    """The item in a skid buffer that leaves behind `ahead` others."""
    return Mux(ahead == 0, buffer.o.payload, buffer.kept)


class SkidBufferHarness(StreamHarness):
    """Both ends are free."""

    def __init__(self, space):
        self._dut = space.SkidBuffer(BITS)
        super().__init__({"valid": In(1), "item": In(BITS), "ready": In(1), "chosen": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.dut = dut = self._dut
        m.d.comb += [dut.i.valid.eq(self.valid), dut.i.payload.eq(self.item), dut.o.ready.eq(self.ready)]
        holds(m, Assert, self.started, dut.o.valid, dut.o.ready, dut.o.payload, "o")
        item = Follow(
            m, entered=self.valid & dut.i.ready, left=dut.o.valid & self.ready, item=self.item, chosen=self.chosen,
            room=2,
        )
        m.d.comb += [
            Assert(item.inside == dut.o.valid + dut.full),
            Assert(dut.o.valid | ~dut.full),
            Assert(dut.i.ready == (item.inside < 2)),
            Assert(~item.watched | (item_in(dut, item.ahead) == item.kept)),
        ]
        return m


PROOFS = (
    Proof(
        name="skid_buffer", module="rtl.skid_buffer", harness=lambda space: SkidBufferHarness(space), depth=2,
        claim="every item comes out once, in order, held until it is taken; one is taken while there is room for it",
        bugs=(
            ("self.i.ready.eq(~self.full)", "self.i.ready.eq(1)"),
            ("with m.If(~self.full):", "with m.If(1):"),
            ("with m.If(~self.o.valid | self.o.ready):", "with m.If(1):"),
            ("Mux(self.full, self.kept, self.i.payload)", "self.i.payload"),
            ("self.o.valid.eq(self.full | self.i.valid)", "self.o.valid.eq(self.i.valid)"),
            ("~self.o.ready & (self.full | self.i.valid)", "~self.o.ready"),
            ("self.o.valid & ~self.o.ready & (", "~self.o.ready & ("),
        ),
    ),
)

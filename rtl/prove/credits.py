"""Credits: a FIFO behind a pipeline that cannot stall never overflows and loses nothing."""

from amaranth.hdl import Assert, Assume, Signal
from amaranth.lib.wiring import In

from compiler.pipeline import RESULT_PLACES
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds

BITS = 8


class CreditHarness(StreamHarness):
    """Takes and pushes in any rhythm that keeps the contract: take with credit, push what was taken."""

    def __init__(self, space, depth: int):
        opened(space)
        self._dut, self._depth = space.CreditFifo(width=BITS, depth=depth), depth
        super().__init__({"take": In(1), "push": In(1), "push_data": In(BITS), "ready": In(1), "chosen": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.dut = dut = self._dut
        entries, taken = dut._entries, dut._taken
        m.d.comb += [dut.take.eq(self.take), dut.push.eq(self.push), dut.push_data.eq(self.push_data)]
        m.d.comb += dut.o.ready.eq(self.ready)
        on_the_way = Signal(range(self._depth + 1))
        m.d.comb += [Assume(~self.take | dut.credit_available), Assume(~self.push | (on_the_way + self.take != 0))]
        m.d.sync += on_the_way.eq(on_the_way + self.take - self.push)
        holds(m, Assert, self.started, dut.o.valid, dut.o.ready, dut.o.payload, "o")

        popped = dut.o.valid & dut.o.ready
        entry = Follow(
            m, entered=self.push, left=popped, item=self.push_data, chosen=self.chosen, room=self._depth, name="entry"
        )
        entries.is_well_formed(m)
        m.d.comb += [
            Assert(~self.push | entries.w_rdy),  # no overflow
            Assert(~entry.leaves | (dut.o.payload == entry.kept)),
            Assert(taken == on_the_way + entries.level),
            Assert(dut.credit_available == (taken < self._depth)),
            Assert(taken <= self._depth),
            Assert(entries.level == entry.inside),
            Assert(~entry.watched | (entries.entry(m, entry.ahead) == entry.kept)),
        ]
        waited = Signal()
        m.d.sync += waited.eq((entry.inside != 0) & ~dut.o.valid)
        m.d.comb += Assert(~waited | dut.o.valid)  # offered within 2 cycles
        return m


def _proof(depth: int) -> Proof:
    return Proof(
        name=f"credits_{depth}",
        claim=f"a FIFO of {depth} with credits never overflows; every entry comes out once, in order, within 2 cycles",
        module="rtl.result_fifo", harness=lambda space: CreditHarness(space, depth), depth=2,
        bugs=(
            ("self._taken + self.take - popped", "self._taken + self.take"),
            ("popped.eq(self.o.valid & self.o.ready)", "popped.eq(self.o.ready)"),
            ("self._depth - 1", "self._depth"),
            ("popped | (self.credit_available & ~last)", "self.credit_available & ~last"),
            ("Queue(width=width, depth=depth", "Queue(width=width, depth=2"),
            ("entries.r_en.eq(popped)", "entries.r_en.eq(self.o.valid)"),
        ),
    )


PROOFS = (_proof(3), _proof(RESULT_PLACES))

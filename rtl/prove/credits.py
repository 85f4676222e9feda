"""Credits: a FIFO behind a pipeline that cannot stall never overflows and loses nothing."""

from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.prove.proof import Proof, harness_module

MODULE = "rtl.result_fifo"
SEARCH = 12  # cycles: the FIFO is filled and emptied several times
ON_THE_WAY = range(1 << 6)


class CreditHarness(wiring.Component):
    """Takes and pushes in any rhythm that keeps the contract: take with credit, push what was taken."""

    take: In(1)
    push: In(1)
    push_data: In(1)
    ready: In(1)

    def __init__(self, dut):
        self._dut = dut
        super().__init__()

    def elaborate(self, platform):
        m = harness_module()
        m.submodules.dut = dut = self._dut
        m.d.comb += [dut.take.eq(self.take), dut.push.eq(self.push), dut.push_data.eq(self.push_data)]
        m.d.comb += dut.o.ready.eq(self.ready)
        on_the_way = Signal(ON_THE_WAY)
        m.d.comb += [Assume(~self.take | dut.credit_available), Assume(~self.push | (on_the_way + self.take != 0))]
        m.d.sync += on_the_way.eq(on_the_way + self.take - self.push)
        self._claims(m, on_the_way)
        return m

    def _claims(self, m: Module, on_the_way) -> None:
        raise NotImplementedError


class NeverOverflows(CreditHarness):
    """By induction; the second and third claim are what carries the first."""

    def _claims(self, m, on_the_way) -> None:
        entries = self._dut._entries
        m.d.comb += [
            Assert(~self.push | entries.w_rdy),
            Assert(self._dut._taken == on_the_way + entries.level),
            Assert((entries.level < 2) | entries.r_rdy),
            Assert(self._dut._taken <= entries.depth),
            Assert(on_the_way <= entries.depth),
        ]


class LosesNothing(CreditHarness):
    """One entry, chosen freely, is followed: `ahead` others leave before it, then it does, unchanged; `o` holds."""

    chosen: In(1)

    def _claims(self, m, on_the_way) -> None:
        dut = self._dut
        followed, gone, kept = Signal(), Signal(), Signal()
        ahead, stored = Signal(ON_THE_WAY), Signal(ON_THE_WAY)
        popped = dut.o.valid & dut.o.ready
        m.d.sync += stored.eq(stored + self.push - popped)
        with m.If(self.push & self.chosen & ~followed):
            m.d.sync += [followed.eq(1), kept.eq(self.push_data), ahead.eq(stored - popped)]
        with m.If(followed & popped):
            m.d.sync += ahead.eq(ahead - 1)
            with m.If(~gone & (ahead == 0)):
                m.d.comb += Assert(dut.o.payload == kept)
                m.d.sync += gone.eq(1)
        m.d.comb += [Assert(~dut.o.valid | (stored != 0)), Assert(stored <= dut._entries.depth)]
        waited = Signal(2)
        m.d.sync += waited.eq(0)
        with m.If((stored != 0) & ~dut.o.valid):
            m.d.sync += waited.eq(waited + 1)
        m.d.comb += Assert(waited < 2)
        was_offered, was = Signal(), Signal()
        m.d.sync += [was_offered.eq(dut.o.valid & ~dut.o.ready), was.eq(dut.o.payload)]
        with m.If(was_offered):
            m.d.comb += Assert(dut.o.valid & (dut.o.payload == was))


NO_RETURN = ("self._taken + self.take - popped", "self._taken + self.take")
TOO_EARLY = ("popped.eq(self.o.valid & self.o.ready)", "popped.eq(self.o.ready)")
ONE_TOO_MANY = ("self._taken != self._depth)", "self._taken <= self._depth)")
TOO_SMALL = ("SyncFIFOBuffered(width=width, depth=depth)", "SyncFIFOBuffered(width=width, depth=2)")


def _overflow(depth: int) -> Proof:
    return Proof(
        name=f"credits_overflow_{depth}",
        claim=f"a FIFO of {depth} with credits never overflows, whatever the pipeline before it",
        module=MODULE, harness=lambda space: NeverOverflows(space.CreditFifo(width=1, depth=depth)), depth=4,
        bugs=(ONE_TOO_MANY, NO_RETURN, TOO_EARLY, TOO_SMALL),
    )


def _data(depth: int) -> Proof:
    return Proof(
        name=f"credits_data_{depth}",
        claim=f"a FIFO of {depth} with credits passes every entry on once, in order, within 2 cycles, and holds it",
        module=MODULE, harness=lambda space: LosesNothing(space.CreditFifo(width=1, depth=depth)), depth=SEARCH,
        unbounded=False, bugs=(ONE_TOO_MANY, TOO_SMALL),
    )


PROOFS = (_overflow(4), _overflow(16), _data(3))

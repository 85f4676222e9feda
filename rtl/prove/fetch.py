# amaranth: UnusedElaboratable=no
"""The fetcher: asks for no more than it can keep, and hands every unit to the queue of its command, once, in order."""

from amaranth.hdl import Array, Assert, Assume, Cat, Mux, Signal
from amaranth.lib.wiring import In

from compiler.encoding import HEADER, Unit
from rtl.fetch import BUFFER_UNITS, EXECUTING_UNITS, LENGTHS
from rtl.interfaces import BEAT_BITS, BURST_BEATS
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds

UNIT_FIELD = next(field for field in HEADER if field.name == "unit")


class FetchHarness(StreamHarness):
    """The memory answers what was asked for, at any time; the queues are free; `run` stays high."""

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.Fetch()
        members = {"run": In(1), "first": In(33), "limit": In(33), "asked": In(1), "chosen": In(1)}
        members |= {"valid": In(1), "data": In(BEAT_BITS), "failed": In(1), "taken": In(len(EXECUTING_UNITS))}
        super().__init__(members)

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        buffer = module.submodules.buffer
        queues = [getattr(dut, f"queue_{unit.name.lower()}") for unit in EXECUTING_UNITS]
        m.d.comb += [
            dut.run.eq(self.run), dut.first.eq(self.first), dut.limit.eq(self.limit), dut.request.ready.eq(self.asked),
            dut.beat.valid.eq(self.valid), dut.beat.payload.eq(self.data), dut.beat_error.eq(self.failed),
            Cat(queue.ready for queue in queues).eq(self.taken),
        ]
        self._stays(m, self.run, self.limit, self.first)
        for queue, unit in zip(queues, EXECUTING_UNITS, strict=True):
            holds(m, Assert, self.started, queue.valid, queue.ready, queue.payload.as_value(), unit.name)
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.address, "address")
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.length, "length")
        self._no_overflow(m, dut, buffer)
        self._dispatched(m, dut, buffer, queues)
        return m

    def _stays(self, m, run, limit, first) -> None:
        """While a program runs the control signals do not change."""
        was_run, was_limit, was_first = Signal(), Signal(33), Signal(33)
        m.d.sync += [was_run.eq(run), was_limit.eq(limit), was_first.eq(first)]
        with m.If(self.started & was_run):
            m.d.comb += Assume(run & (limit == was_limit) & (first == was_first))
        m.d.comb += Assume((limit[:4] == 0) & (first[:4] == 0) & (first <= limit) & (limit <= 1 << 32))

    def _no_overflow(self, m, dut, buffer) -> None:
        """`owed`: units asked for that have not come; the requests follow each other up to the limit."""
        owed, next_address, begun = Signal(range(BUFFER_UNITS + 1)), Signal(33), Signal()
        asked = dut.request.valid & dut.request.ready
        beats = dut.request.payload.length + 1
        m.d.sync += owed.eq(owed + Mux(asked, beats, 0) - self.valid)
        within = dut.request.payload.address[4:8] + dut.request.payload.length < BURST_BEATS
        m.d.comb += Assert(~dut.request.valid | (self.run & within))
        with m.If(asked):
            m.d.sync += [next_address.eq(dut.request.payload.address + 16 * beats), begun.eq(1)]
            m.d.comb += Assert(dut.request.payload.address == Mux(begun, next_address, self.first))
            m.d.comb += Assert(dut.request.payload.address + 16 * beats <= self.limit)
        signals = self._signals
        m.d.comb += Assert(self.run | ~signals["running"])
        m.d.comb += Assert(signals["running"] | ~signals["started"])
        inside = buffer.level + signals["follows"] + signals["valid"]
        granted = Mux(signals["granted"], signals["length"] + 1, 0)  # not counted yet
        promised = signals["promised"] + granted
        m.d.comb += [
            Assume(~self.valid | (owed != 0)),
            Assert(~self.valid | buffer.w_rdy),
            Assert(promised == owed + inside + signals["gone"]),
            Assert(promised <= BUFFER_UNITS),
            Assert(~(signals["asking"] & signals["granted"])),
            Assert(~signals["granted"] | (signals["started"] & (signals["left"] > signals["length"]))),
            Assert(~signals["asking"] | (signals["promised"] <= BUFFER_UNITS - BURST_BEATS)),
            Assert(~signals["asking"] | (signals["started"] & (signals["left"] > signals["length"]))),
            Assert(~signals["started"] | (signals["left"] == (self.limit[4:] - signals["address"]))),
            Assert(~begun | (signals["started"] & (signals["address"] + granted == next_address[4:]))),
            Assert(begun | ~signals["started"] | (signals["address"] == self.first[4:])),
            Assert(~signals["started"] | (self.run & (signals["address"] <= self.limit[4:]))),
            Assert(next_address[:4] == 0),
        ]

    def _dispatched(self, m, dut, buffer, queues) -> None:
        """`left`: units of the command in hand still to come, of unit `owner`; 0: the next one is a header."""
        signals, handed = self._signals, Signal()
        valid, follows, decoded = signals["valid"], signals["follows"], signals["unit"]
        m.d.comb += handed.eq(Cat(queue.valid & queue.ready for queue in queues).any())
        offered = Cat(queue.valid for queue in queues)
        unit = Follow(
            m, entered=self.valid, left=handed, item=Cat(self.data, self.failed), chosen=self.chosen,
            room=BUFFER_UNITS, name="unit",
        )
        buffer.is_well_formed(m)
        left, owner, target = Signal(4), Signal(4), Signal(4)
        header = signals["beat"][UNIT_FIELD.word * 32 + UNIT_FIELD.low :][: UNIT_FIELD.width]
        units = Signal(4)
        m.d.comb += [
            target.eq(Mux(left == 0, header, owner)),
            units.eq(Mux(left == 0, Array(LENGTHS)[target[:2]], left)),
            Assert(unit.inside == buffer.level + follows + valid),
            Assert(signals["offered"] == Mux(valid, decoded.target, 0)),
            Assert(sum(offered) <= 1),
            Assert((offered == 0) | (offered == (1 << target)[: len(queues)])),
            Assert((left == 0) | ((owner < len(queues)) & (left < max(LENGTHS)))),
            Assert(signals["remaining"] == Mux(valid, units - 1, left)),
            Assert(valid | (left == 0) | (decoded.target == (1 << owner)[: len(queues)])),
        ]
        with m.If(valid):
            m.d.comb += [
                Assert(decoded.header == (left == 0)),
                Assert(decoded.last == (units == 1)),
                Assert(decoded.target == Mux(decoded.failed, 0, (1 << target)[: len(queues)])),
                Assert(decoded.end == (~decoded.failed & (left == 0) & (header == Unit.END))),
                Assert(decoded.unknown == (~decoded.failed & (left == 0) & (header > Unit.END))),
            ]
        waiting = buffer.entry(m, unit.ahead - valid - follows)
        with m.If(unit.watched & (unit.ahead == 0) & valid):
            m.d.comb += Assert(Cat(signals["beat"], decoded.failed) == unit.kept)
        with m.Elif(unit.watched & (unit.ahead == valid) & follows):
            m.d.comb += Assert(signals["following"] == unit.kept)
        with m.Elif(unit.watched):
            m.d.comb += Assert(waiting == unit.kept)
        with m.If(unit.watched & (unit.ahead == 0) & offered.any()):
            m.d.comb += [Assert(queue.payload.data == unit.kept[:BEAT_BITS]) for queue in queues]
            m.d.comb += Assert(~unit.kept[BEAT_BITS])  # a unit read with an error goes nowhere
        with m.If(signals["running"] & valid & ~decoded.failed & (target < Unit.END)):
            m.d.comb += Assert(offered.any())  # never stuck
        m.d.comb += Assert(valid | ~follows | signals["moves"])
        m.d.comb += Assert((follows & valid) | ~buffer.r_rdy | buffer.r_en)
        with m.If(handed):
            m.d.sync += [left.eq(units - 1), owner.eq(target)]


PROOFS = (
    Proof(
        name="fetch", module="rtl.fetch", harness=lambda space: FetchHarness(space), depth=2,
        claim="requests held, one after the other, never more than there is room for; every unit goes to the queue of"
        " its command once, in order, held",
        bugs=(
            ("promised <= BUFFER_UNITS - BURST_BEATS", "promised <= BUFFER_UNITS"),
            ("Mux(granted, length + 1, 0) - gone", "Mux(asking, length + 1, 0) - gone"),
            ("(offered & Cat(queue.ready for queue in queues)).any()", "offered.any()"),
            ("Array(length - 1 for length in LENGTHS)", "Array(LENGTHS)"),
            ("unit.target.eq(Mux(failed, 0, target))", "unit.target.eq(target)"),
            ("follows & ~valid)", "follows)"),
            ("buffer.r_en.eq(~follows | ~valid)", "buffer.r_en.eq(1)"),
        ),
    ),
)

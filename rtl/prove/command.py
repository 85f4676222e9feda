# amaranth: UnusedElaboratable=no
"""The queues between the fetcher and the units: every command whole, in order, unchanged, held until it is consumed."""

from amaranth.hdl import Assert, Signal
from amaranth.lib.wiring import In

from compiler.encoding import Unit, length_units
from rtl.command import CommandUnit
from rtl.interfaces import BEAT_BITS
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds, previous


class QueueHarness(StreamHarness):
    """One 16-byte unit is followed: through the FIFO, and then through the register that a command grows in."""

    def __init__(self, space, unit: Unit, depth: int):
        self._signals = opened(space)
        self._dut, self._units, self._depth = space.CommandQueue(unit=unit, depth=depth), length_units(unit), depth
        super().__init__({"valid": In(1), "payload": In(CommandUnit), "ready": In(1), "chosen": In(1)})

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        buffer = module.submodules.buffer
        m.d.comb += [dut.i.valid.eq(self.valid), dut.i.payload.eq(self.payload), dut.ready.eq(self.ready)]
        holds(m, Assert, self.started, dut.valid, dut.ready, dut.command, "command")
        holds(m, Assert, self.started, dut.valid, dut.ready, dut.number, "number")

        left = (dut.valid & dut.ready) * self._units
        taken, room = dut.i.valid & dut.i.ready, self._depth + self._units
        item = Follow(m, entered=taken, left=left, item=self.payload.as_value(), chosen=self.chosen, room=room)
        buffer.is_well_formed(m)
        assembled = Signal(range(self._units + 1))
        was_whole = previous(m, (assembled == self._units) & ~dut.valid, "whole")
        m.d.comb += [
            assembled.eq(self._units - self._signals["missing"]),
            Assert(self._signals["missing"] <= self._units),
            Assert(item.inside == assembled + buffer.level),
            Assert(~dut.valid | (assembled == self._units)),
            Assert(dut.valid | ~was_whole | ~self.started),  # never stuck
            Assert((assembled == self._units) | ~buffer.r_rdy | buffer.r_en),
            Assert(dut.i.ready | (item.inside >= self._depth - 1)),
        ]
        self._unchanged(m, item, assembled, buffer)
        return m

    def _unchanged(self, m, item, assembled, buffer) -> None:
        kept = CommandUnit(item.kept)
        place = Signal(range(self._units))
        m.d.comb += place.eq(self._units - assembled + item.ahead)  # the newest unit is the most significant
        waiting = buffer.entry(m, item.ahead - assembled)
        with m.If(item.watched & (item.ahead < assembled)):
            m.d.comb += Assert(self._dut.command.word_select(place, BEAT_BITS) == kept.data)
            m.d.comb += Assert((item.ahead + 1 != assembled) | (self._dut.number == kept.number))
        with m.Elif(item.watched):
            m.d.comb += Assert(waiting == item.kept)


def _proof(unit: Unit, depth: int) -> Proof:
    return Proof(
        name=f"queue_{unit.name.lower()}_{depth}",
        claim=f"the queue of {depth} units before {unit.name}: every command whole, once, in order, held",
        module="rtl.command", harness=lambda space: QueueHarness(space, unit, depth), depth=2,
        bugs=(
            ("with m.If(self.valid & self.ready):", "with m.If(self.valid):"),
            ("buffer.r_en.eq(missing != 0)", "buffer.r_en.eq(missing[0])"),
            ("self.i.ready.eq(buffer.w_rdy)", "self.i.ready.eq(1)"),
            ("Cat(words[BEAT_BITS:], unit.data)", "Cat(unit.data, words[BEAT_BITS:])"),
        ),
    )


PROOFS = (_proof(Unit.WEIGHTS, 3), _proof(Unit.COMPUTE, 16))

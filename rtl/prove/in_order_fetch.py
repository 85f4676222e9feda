# amaranth: UnusedElaboratable=no
"""The fetcher of an engine without queues: every unit of every command is handed over once, in order."""

from amaranth.hdl import Array, Assert, Assume, Const, Mux, Signal
from amaranth.lib.wiring import In

from compiler.config import PRESETS
from compiler.encoding import HEADER, Unit, length_units
from rtl.fetch import EXECUTING_UNITS
from rtl.interfaces import BEAT_BITS
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds

UNIT_FIELD = next(field for field in HEADER if field.name == "unit")
UNITS = len(EXECUTING_UNITS)


class InOrderHarness(StreamHarness):
    """The memory answers what was asked for, at any time; units and counts are free; `run` stays high."""

    def __init__(self, space):
        config = PRESETS["nano"]
        self._signals = opened(space)
        self._dut, self._address_bits = space.InOrderFetch(config), config.address_bits
        super().__init__(
            {
                "run": In(1), "first": In(33), "limit": In(33), "ready": In(1), "beat": In(BEAT_BITS),
                "beat_error": In(1), "beat_valid": In(1), "free": In(UNITS), "finished": In(16 * UNITS),
                "changed": In(1),
            }
        )

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = dut.elaborate(platform)
        names = ("run", "first", "limit", "beat", "beat_error", "beat_valid", "changed")
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in names]
        m.d.comb += [dut.finished[u].eq(self.finished.word_select(u, 16)) for u in range(UNITS)]
        m.d.comb += [dut.request.ready.eq(self.ready), *(dut.free[u].eq(self.free[u]) for u in range(UNITS))]
        for name in ("first", "limit"):
            holds(m, Assume, self.started, self.run, Const(0, 1), getattr(self, name), name)
        m.d.comb += Assume((self.first <= self.limit) & (self.limit < 1 << self._address_bits))
        m.d.comb += Assume((self.first[:4] == 0) & (self.limit[:4] == 0))
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.address, "request")
        self._asked(m, dut)
        self._handed_over(m, dut)
        return m

    def _asked(self, m, dut) -> None:
        """`due`: the unit that is to be handed over next; `owed`: an answer is under way."""
        due, begun, owed = Signal(33), Signal(), Signal()
        asked = dut.request.valid & dut.request.ready
        m.d.sync += owed.eq(owed + asked - self.beat_valid)
        with m.If(dut.write):
            m.d.sync += [due.eq(Mux(begun, due, self.first) + 16), begun.eq(1)]
        with m.If(asked):
            m.d.comb += Assert(dut.request.payload.address == Mux(begun, due, self.first))
            m.d.comb += Assert(dut.request.payload.address < self.limit)
        started, address = self._signals["started"], self._signals["address"]
        m.d.comb += [
            Assume(~self.beat_valid | owed),
            Assert(~asked | ~owed),
            Assert(owed == self._signals["asking"]),
            Assert(~dut.write | (self.beat_valid & ~self.beat_error)),  # a unit is the answer to its request
            Assert(~begun | started),
            Assert(~started | (address[:4] == 0)),
            Assert(~owed | (started & (address < self.limit))),
            Assert(~started | (self.run & (address <= self.limit) & (address == Mux(begun, due, self.first)))),
        ]

    def _handed_over(self, m, dut) -> None:
        """`given`: units of the command in hand that its unit `owner` has; 0: the next one is a header."""
        given, owner = Signal(4), Signal(2)
        header = self.beat[UNIT_FIELD.word * 32 + UNIT_FIELD.low :][: UNIT_FIELD.width]
        length = Array(length_units(unit) for unit in EXECUTING_UNITS)[owner]
        m.d.comb += [
            Assert(dut.index == given),
            Assert((given == 0) | ((given < length) & (self._signals["target"] == owner))),
            Assert((given == 0) | (self._signals["last"] == length - 1)),
        ]
        with m.If(dut.write):
            m.d.comb += Assert(dut.target == Mux(given == 0, header, owner))
            m.d.comb += Assert((given != 0) | ((header < Unit.END) & self.free.bit_select(header[:2], 1)))
            m.d.comb += Assert(dut.complete == ((given != 0) & (given + 1 == length)))
            m.d.sync += given.eq(Mux(dut.complete, 0, given + 1))
            with m.If(given == 0):
                m.d.sync += owner.eq(header[:2])
        with m.If(self.beat_valid & ~self.beat_error & self.run & (given != 0)):
            m.d.comb += Assert(dut.write)  # a command that was begun is never stuck


PROOFS = (
    Proof(
        name="in_order_fetch", module="rtl.in_order_fetch", harness=lambda space: InOrderHarness(space), depth=2,
        claim="one unit asked for at a time, held; every unit is handed over once, in order, to its command's unit",
        bugs=(
            ("& ~asking & ~outside & ~tried", "& ~outside & ~tried"),
            ("with m.Elif(self.write):", "with m.Elif(good):"),
            ("(self.index == last)", "(self.index == last - 1)"),
            ("good = self.run & self.beat_valid & ~self.beat_error", "good = self.run & self.beat_valid"),
            ("m.d.comb += self.write.eq(good)", "m.d.comb += self.write.eq(self.run)"),
        ),
    ),
)

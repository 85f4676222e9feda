# amaranth: UnusedElaboratable=no
"""The fetcher of an engine without queues: every unit of every command is handed over once, in order."""

from amaranth.hdl import Array, Assert, Assume, Const, Mux, Signal
from amaranth.lib.wiring import In

from compiler.config import PRESETS
from compiler.encoding import HEADER, Unit, length_units
from rtl.fetch import EXECUTING_UNITS
from rtl.in_order_fetch import TOKEN_BITS, region_bits
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
        self._dut, self._bits = space.InOrderFetch(config), region_bits(config)
        super().__init__(
            {
                "run": In(1), "first": In(self._bits), "size": In(self._bits), "ready": In(1), "beat": In(BEAT_BITS),
                "beat_error": In(1), "beat_valid": In(1), "free": In(UNITS), "under_way": In(UNITS),
                "current": In(TOKEN_BITS * UNITS), "changed": In(1),
            }
        )

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = dut.elaborate(platform)
        names = ("run", "first", "size", "beat", "beat_error", "beat_valid", "changed")
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in names]
        m.d.comb += [dut.under_way[u].eq(self.under_way[u]) for u in range(UNITS)]
        m.d.comb += [dut.current[u].eq(self.current.word_select(u, TOKEN_BITS)) for u in range(UNITS)]
        m.d.comb += [dut.request.ready.eq(self.ready), *(dut.free[u].eq(self.free[u]) for u in range(UNITS))]
        for name in ("first", "size"):
            holds(m, Assume, self.started, self.run, Const(0, 1), getattr(self, name), name)
        m.d.comb += Assume(self.first <= self.size)
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload, "request")
        self._asked(m, dut)
        self._handed_over(m, dut)
        return m

    def _asked(self, m, dut) -> None:
        """`due`: the unit that is to be handed over next; `owed`: an answer is under way."""
        due, begun, owed = Signal(self._bits), Signal(), Signal()
        asked = dut.request.valid & dut.request.ready
        m.d.sync += owed.eq(owed + asked - self.beat_valid)
        with m.If(dut.write):
            m.d.sync += [due.eq(Mux(begun, due, self.first) + 1), begun.eq(1)]
        with m.If(asked):
            m.d.comb += Assert(dut.request.payload == Mux(begun, due, self.first))
            m.d.comb += Assert(dut.request.payload < self.size)
        started, place = self._signals["started"], self._signals["place"]
        m.d.comb += [
            Assume(~self.beat_valid | owed),
            Assert(~asked | ~owed),
            Assert(owed == self._signals["asking"]),
            Assert(~dut.write | (self.beat_valid & ~self.beat_error)),  # a unit is the answer to its request
            Assert(~begun | started),
            Assert(~owed | (started & (place < self.size))),
            Assert(~started | (self.run & (place <= self.size) & (place == Mux(begun, due, self.first)))),
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
            m.d.comb += [Assert((given != 0) | ~self._named(u)) for u in range(UNITS)]
            m.d.comb += Assert(dut.complete == ((given != 0) & (given + 1 == length)))
            m.d.sync += given.eq(Mux(dut.complete, 0, given + 1))
            with m.If(given == 0):
                m.d.sync += owner.eq(header[:2])
        with m.If(self.beat_valid & ~self.beat_error & self.run & (given != 0)):
            m.d.comb += Assert(dut.write)  # a command that was begun is never stuck

    def _named(self, unit: int):
        """The header waits for the command of `unit` that is under way."""
        wait = next(field for field in HEADER if field.name == f"wait_{Unit(unit).name.lower()}")
        low = self.beat[wait.word * 32 + wait.low :][:TOKEN_BITS]
        return self.under_way[unit] & (low == self.current.word_select(unit, TOKEN_BITS))


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
            ("[busy & (wait[:TOKEN_BITS] == current)", "[busy & (wait[:TOKEN_BITS] == current + 1)"),
        ),
    ),
)

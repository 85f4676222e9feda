"""The program fetcher of an engine without queues: commands start in program order, each when its waits are met."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import HEADER, Unit, length_units
from rtl.command import NUMBER_BITS, too_large
from rtl.fetch import EXECUTING_UNITS
from rtl.interfaces import BEAT_BITS

LONGEST = max(length_units(unit) for unit in EXECUTING_UNITS)
TOKEN_BITS = 8  # of the counts that waits are compared with


def region_bits(config: EngineConfig) -> int:
    """Bits of a 16-byte unit's number within a region."""
    return config.address_bits - 4


class InOrderFetch(wiring.Component):
    """Runs one program, reading one unit of it at a time.

    The first unit of a command tells its unit and its waits. When that unit is free and the waits are met, the command
    is handed over, unit by unit; else its first unit is read again after the next change.

    A wait names a command before it, and of those of one unit only the last one can be under way: the wait is not met
    while it names that one. Low bits of the numbers are compared, so a wait for a much older command may last until
    none is under way.

    Members: `run`: high while the program runs; `first`, `size`: number of the first command's unit in the image
    region, units of the region; `request`: a unit's number; `beat`, `beat_error`, `beat_valid`: the answer, always
    taken; `under_way[u]`, `current[u]`: a command of the unit is, its number (the first is 1), low bits; `free[u]`: the
    unit takes a command; `changed`: one of them changes;
    `target`, `index`, `write`: `beat` is unit `index` of a command for `target`, `complete`: its last; `number`: of
    the command; `ended`: END was reached, its waits are met and all units free; errors `wide_size`, `wide_address`
    (a field of `beat` is beyond what the engine uses), `unknown_unit`, `ran_out`, `bus_error`.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        units = len(EXECUTING_UNITS)
        super().__init__(
            {
                "run": In(1),
                "first": In(region_bits(config)),
                "size": In(region_bits(config)),
                "request": Out(stream.Signature(region_bits(config))),
                "beat": In(BEAT_BITS),
                "beat_error": In(1),
                "beat_valid": In(1),
                "under_way": In(1).array(units),
                "current": In(TOKEN_BITS).array(units),
                "free": In(1).array(units),
                "changed": In(1),
                "target": Out(2),
                "index": Out(range(LONGEST)),
                "write": Out(1),
                "complete": Out(1),
                "number": Out(NUMBER_BITS),
                "ended": Out(1),
                "wide_size": Out(1),
                "wide_address": Out(1),
                "unknown_unit": Out(1),
                "ran_out": Out(1),
                "bus_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place = Signal(region_bits(self._config))
        started = Signal()
        asking = Signal()  # an answer is under way
        tried = Signal()  # the unit was read and could not be handed over; nothing has changed since
        outside = place >= self.size
        good = self.run & self.beat_valid & ~self.beat_error
        m.d.comb += [
            self.request.payload.eq(place),
            self.request.valid.eq(self.run & started & ~asking & ~outside & ~tried),
            self.ran_out.eq(self.run & started & ~asking & outside),
            self.bus_error.eq(self.run & self.beat_valid & self.beat_error),
        ]
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += asking.eq(1)
        with m.Elif(self.beat_valid):
            m.d.sync += asking.eq(0)
        self._hand_over(m, good)
        self._widths(m)
        with m.If(self.run & ~started):
            m.d.sync += [place.eq(self.first), started.eq(1)]
        with m.Elif(self.write):
            m.d.sync += place.eq(place + 1)
        with m.If(self.changed | self.write):
            m.d.sync += tried.eq(0)
        with m.Elif(good):
            m.d.sync += tried.eq(1)
        return m

    def _hand_over(self, m, good) -> None:
        header = {field.name: self.beat[field.word * 32 + field.low :][: field.width] for field in HEADER}
        unit = header["unit"]
        waits = [header[f"wait_{one.name.lower()}"] for one in EXECUTING_UNITS]
        named = zip(self.under_way, self.current, waits, strict=True)
        met = ~Cat(*[busy & (wait[:TOKEN_BITS] == current) for busy, current, wait in named]).any()
        head = self.index == 0
        target = Signal(2)
        last = Signal(range(LONGEST))
        units = Array(length_units(one) - 1 for one in EXECUTING_UNITS)
        m.d.comb += [
            self.target.eq(target),
            self.complete.eq(self.write & ~head & (self.index == last)),
            self.unknown_unit.eq(good & head & (unit > Unit.END)),
        ]
        with m.If(head):
            m.d.comb += [
                self.target.eq(unit[:2]),
                self.write.eq(good & met & (unit < Unit.END) & Array(self.free)[unit[:2]]),
                self.ended.eq(good & met & (unit == Unit.END) & Cat(*self.free).all()),
            ]
        with m.Else():
            m.d.comb += self.write.eq(good)
        with m.If(self.write):
            m.d.sync += self.index.eq(self.index + 1)
            with m.If(head):
                m.d.sync += [target.eq(unit[:2]), last.eq(units[unit[:2]])]
        with m.If(self.complete):
            m.d.sync += [self.index.eq(0), self.number.eq(self.number + 1)]

    def _widths(self, m) -> None:
        for unit in EXECUTING_UNITS:
            for index in range(length_units(unit)):
                found = too_large(unit, index, self.beat, self._config)
                with m.If(self.write & (self.target == unit) & (self.index == index)):
                    m.d.comb += [self.wide_size.eq(found.size), self.wide_address.eq(found.address)]

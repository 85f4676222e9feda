"""The program fetcher: reads commands ahead, checks their unit, hands each to its unit's queue, stops at END."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import HEADER, Unit, length_units
from rtl.command import NUMBER_BITS, CommandUnit
from rtl.interfaces import BEAT_BITS, BURST_BEATS
from rtl.transfer import BurstRequest

BUFFER_UNITS = 4 * BURST_BEATS
EXECUTING_UNITS = (Unit.LOAD, Unit.WEIGHTS, Unit.COMPUTE, Unit.STORE)


class Fetch(wiring.Component):
    """Runs one program.

    Members: `run`: high while the program runs (low resets nothing: the engine clears the unit between programs);
    `first`, `limit`: absolute addresses of the first command and the end of the image region; `request`, `beat`:
    memory side; `queue_load`, `queue_weights`, `queue_compute`, `queue_store`: streams of CommandUnit;
    `finished_load` .. `finished_store`: commands that each unit has finished; `ended`: END was reached and its waits
    and all units are done; errors `unknown_unit`, `ran_out`, `bus_error` with `error_number`. A unit that was read with
    an error (`beat_error`) is one only when it is its turn: what was read beyond END does not matter, and the number is
    that of the command it belongs to. Throughput: one 16-byte unit per cycle.
    """

    def __init__(self):
        members = {
            "run": In(1),
            "first": In(33),
            "limit": In(33),
            "request": Out(stream.Signature(BurstRequest)),
            "beat": In(stream.Signature(BEAT_BITS)),
            "beat_error": In(1),
            "finished_load": In(16),
            "finished_weights": In(16),
            "finished_compute": In(16),
            "finished_store": In(16),
            "ended": Out(1),
            "unknown_unit": Out(1),
            "ran_out": Out(1),
            "bus_error": Out(1),
            "error_number": Out(NUMBER_BITS),
        }
        for unit in EXECUTING_UNITS:
            members[f"queue_{unit.name.lower()}"] = Out(stream.Signature(CommandUnit))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = fifo.SyncFIFOBuffered(width=BEAT_BITS + 1, depth=BUFFER_UNITS)
        m.d.comb += [
            buffer.w_data.eq(Cat(self.beat.payload, self.beat_error)),
            buffer.w_en.eq(self.beat.valid),
            self.beat.ready.eq(1),
        ]
        starved = self._request_ahead(m, buffer)
        self._dispatch(m, buffer, starved)
        return m

    def _request_ahead(self, m, buffer):
        """Requests as long as a whole burst fits the buffer and the region has more.

        Returns: nothing more will come.
        """
        address = Signal(33)
        started = Signal()
        promised = Signal(range(BUFFER_UNITS + 1))  # units requested or buffered
        to_boundary = Signal(range(BURST_BEATS + 1))
        beats = Signal(range(BURST_BEATS + 1))
        left = (self.limit - address)[4:33]
        m.d.comb += [
            to_boundary.eq(BURST_BEATS - address[4:8]),
            beats.eq(Mux(left < to_boundary, left, to_boundary)),
            self.request.payload.address.eq(address),
            self.request.payload.length.eq(beats - 1),
            self.request.payload.number.eq(self.error_number),
            self.request.payload.inside.eq(left != 0),  # `beats` go no further
            self.request.valid.eq(
                self.run & started & (address < self.limit) & (promised <= BUFFER_UNITS - BURST_BEATS)
            ),
        ]
        requested = self.request.valid & self.request.ready
        m.d.sync += promised.eq(promised + Mux(requested, beats, 0) - buffer.r_en)
        with m.If(self.run & ~started):
            m.d.sync += [address.eq(self.first), started.eq(1)]
        with m.Elif(requested):
            m.d.sync += address.eq(address + (beats << 4))
        return started & (address >= self.limit) & (promised == 0)

    def _dispatch(self, m, buffer, starved) -> None:
        header = {field.name: buffer.r_data[field.word * 32 + field.low :][: field.width] for field in HEADER}
        number = Signal(NUMBER_BITS)
        remaining = Signal(4)  # units of the current command still to hand over; 0: the next unit is a header
        target = Signal(4)
        current = Signal(4)
        units = Signal(4)
        finished = [self.finished_load, self.finished_weights, self.finished_compute, self.finished_store]
        dispatched = [Signal(16, name=f"dispatched_{unit.name.lower()}") for unit in EXECUTING_UNITS]
        waits = [header[f"wait_{unit.name.lower()}"] for unit in EXECUTING_UNITS]
        quiet = Signal()
        m.d.comb += [
            self.error_number.eq(number),
            current.eq(Mux(remaining == 0, header["unit"], target)),
            units.eq(Array(length_units(unit) for unit in EXECUTING_UNITS)[current[:2]]),
            quiet.eq(Cat(*[(f == d) & (f >= w) for f, d, w in zip(finished, dispatched, waits, strict=True)]).all()),
            self.ran_out.eq(self.run & starved),
        ]
        passed, failed = Signal(), buffer.r_data[BEAT_BITS]
        m.d.comb += self.bus_error.eq(self.run & buffer.r_rdy & failed)
        with m.If(self.run & buffer.r_rdy & ~failed):
            for unit in EXECUTING_UNITS:
                queue = getattr(self, f"queue_{unit.name.lower()}")
                with m.If(current == unit):
                    m.d.comb += [queue.valid.eq(1), passed.eq(queue.ready)]
            with m.If(remaining == 0):
                m.d.comb += [
                    self.unknown_unit.eq(header["unit"] > Unit.END),
                    self.ended.eq((header["unit"] == Unit.END) & quiet),
                ]
        for unit in EXECUTING_UNITS:
            queue = getattr(self, f"queue_{unit.name.lower()}")
            m.d.comb += [queue.payload.data.eq(buffer.r_data[:BEAT_BITS]), queue.payload.number.eq(number)]
        m.d.comb += buffer.r_en.eq(passed)
        with m.If(passed):
            with m.If(remaining == 0):
                m.d.sync += [remaining.eq(units - 1), target.eq(current)]
                for unit in EXECUTING_UNITS:
                    with m.If(current == unit):
                        m.d.sync += dispatched[unit].eq(dispatched[unit] + 1)
            with m.Else():
                m.d.sync += remaining.eq(remaining - 1)
            with m.If(Mux(remaining == 0, units == 1, remaining == 1)):
                m.d.sync += number.eq(number + 1)

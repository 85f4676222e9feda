"""The program fetcher: reads commands ahead, checks their unit, hands each to its unit's queue, stops at END."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import HEADER, Unit, length_units
from rtl.command import NUMBER_BITS, CommandUnit
from rtl.interfaces import BEAT_BITS, BURST_BEATS
from rtl.queue import Queue
from rtl.transfer import UNIT_BITS, BurstRequest

BUFFER_UNITS = 4 * BURST_BEATS
EXECUTING_UNITS = (Unit.LOAD, Unit.WEIGHTS, Unit.COMPUTE, Unit.STORE)
LENGTHS = tuple(length_units(unit) for unit in EXECUTING_UNITS)

#: What is known of the unit whose turn it is. target: the queue that takes it, one bit each, none of a unit that was
#: read with an error; header, last: the first, the last of its command; end, unknown: END, a unit there is none of.
Decoded = data.StructLayout(
    {"target": len(EXECUTING_UNITS), "header": 1, "last": 1, "end": 1, "unknown": 1, "failed": 1}
)


class Fetch(wiring.Component):
    """Runs one program.

    Members: `run`: high while the program runs (low resets nothing: the engine clears the unit between programs);
    `first`, `limit`: absolute addresses of the first command and the end of the image region; `request`, `beat`:
    memory side; `queue_load`, `queue_weights`, `queue_compute`, `queue_store`: streams of CommandUnit;
    `finished_load` .. `finished_store`: commands that each unit has finished; `ended`: END was reached and its waits
    and all units are done; errors `unknown_unit`, `ran_out`, `bus_error` with `error_number`. A unit that was read with
    an error (`beat_error`) is one only when it is its turn: what was read beyond END does not matter, and the number is
    that of the command it belongs to. Latency: 4 cycles from beat to queue; throughput: a 16-byte unit every second
    cycle.
    """

    def __init__(self, *, queue_memory: str = "distributed"):
        self._queue_memory = queue_memory
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
        self._dispatched = [Signal(16, name=f"dispatched_{unit.name.lower()}") for unit in EXECUTING_UNITS]
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = Queue(width=BEAT_BITS + 1, depth=BUFFER_UNITS, memory=self._queue_memory)
        m.d.comb += [
            buffer.w_data.eq(Cat(self.beat.payload, self.beat_error)),
            buffer.w_en.eq(self.beat.valid),
            self.beat.ready.eq(1),
        ]
        passed = Signal()
        running = Signal()
        m.d.sync += running.eq(self.run)
        self._request_ahead(m, running, passed)
        unit, valid, offered = self._decode(m, buffer, running, passed)
        self._dispatch(m, unit, running & valid, offered, passed)
        return m

    def _request_ahead(self, m, running, passed) -> None:
        """Requests as long as a whole burst fits the buffer and the region has more; `ran_out`: nothing more comes."""
        address = Signal(UNIT_BITS)
        left = Signal(signed(30))  # units from there to the end of the region
        length = Signal(4)  # of the burst asked for, less one
        started = Signal()
        asking = Signal()
        gone = Signal()
        starved = Signal()
        promised = Signal(range(BUFFER_UNITS + 1))  # units requested or not yet `gone`
        to_boundary = Signal(range(BURST_BEATS + 1))
        beats = Signal(range(BURST_BEATS + 1))
        m.d.comb += [
            to_boundary.eq(BURST_BEATS - address[:4]),
            beats.eq(Mux(left < to_boundary, left, to_boundary)),
            self.request.payload.address.eq(address << 4),
            self.request.payload.length.eq(length),
            self.request.payload.number.eq(self.error_number),
            self.request.payload.inside.eq(1),  # `beats` go no further
            self.request.valid.eq(asking),
            self.ran_out.eq(running & starved),
        ]
        granted = Signal()
        taken = asking & self.request.ready
        m.d.sync += [
            gone.eq(passed),
            granted.eq(taken),
            promised.eq(promised + Mux(granted, length + 1, 0) - gone),
            starved.eq(started & (left <= 0) & (promised == 0)),
        ]
        with m.If(running & ~started):
            m.d.sync += [address.eq(self.first[4:]), left.eq(self.limit[4:] - self.first[4:]), started.eq(1)]
        with m.Elif(granted):
            m.d.sync += [address.eq(address + (length + 1)), left.eq(left - (length + 1))]
        with m.Elif(running & started & ~asking):
            m.d.sync += [length.eq(beats - 1), asking.eq((left > 0) & (promised <= BUFFER_UNITS - BURST_BEATS))]
        with m.If(taken):
            m.d.sync += asking.eq(0)

    def _decode(self, m, buffer, running, passed):
        """(what is known of the unit whose turn it is, whether there is one, for which queue): behind the buffer.

        Of two registers there the first takes what the memory reads; the unit is decoded on its way into the second.
        """
        following = Signal(BEAT_BITS + 1, reset_less=True)
        follows = Signal()
        beat = Signal(BEAT_BITS, reset_less=True)
        unit = Signal(Decoded)
        valid = Signal()
        offered = Signal(len(EXECUTING_UNITS))  # to the queue of one unit, one bit each
        remaining = Signal(4)  # units of the command still to decode; 0: the next one is a header
        moves = Signal()
        m.d.comb += [moves.eq(follows & ~valid), buffer.r_en.eq(~follows | ~valid)]
        with m.If(buffer.r_en):
            m.d.sync += [following.eq(buffer.r_data), follows.eq(buffer.r_rdy)]
        name = next(field for field in HEADER if field.name == "unit")
        code, failed = following[name.word * 32 + name.low :][: name.width], following[BEAT_BITS]
        header, after, target = Signal(), Signal(4), Signal(len(EXECUTING_UNITS))
        m.d.comb += [
            header.eq(remaining == 0),
            after.eq(Mux(header, Array(length - 1 for length in LENGTHS)[code[:2]], remaining - 1)),
            target.eq(Mux(header, Cat(code == unit for unit in EXECUTING_UNITS), unit.target)),
        ]
        with m.If(moves):
            m.d.sync += [
                beat.eq(following[:BEAT_BITS]),
                valid.eq(1),
                remaining.eq(after),
                unit.target.eq(Mux(failed, 0, target)),
                offered.eq(Mux(failed, 0, target)),
                unit.header.eq(header),
                unit.last.eq(after == 0),
                unit.end.eq(header & ~failed & (code == Unit.END)),
                unit.unknown.eq(header & ~failed & (code > Unit.END)),
                unit.failed.eq(failed),
            ]
        with m.Elif(passed):
            m.d.sync += [valid.eq(0), offered.eq(0)]
        for one in EXECUTING_UNITS:
            m.d.comb += getattr(self, f"queue_{one.name.lower()}").payload.data.eq(beat)
        self._ends(m, beat, running & valid & unit.end)
        return unit, valid, offered

    def _ends(self, m, beat, at_end) -> None:
        """END is met when its waits and all commands are done: told a cycle after it is so.

        `at_end`: `beat` is END, and is for good.
        """
        was_at_end, done = Signal(), Signal(len(EXECUTING_UNITS))
        for place, unit in enumerate(EXECUTING_UNITS):
            name = f"wait_{unit.name.lower()}"
            field = next(field for field in HEADER if field.name == name)
            wait = beat[field.word * 32 + field.low :][: field.width]
            finished = getattr(self, f"finished_{unit.name.lower()}")
            m.d.sync += done[place].eq((finished == self._dispatched[unit]) & (finished >= wait))
        m.d.sync += was_at_end.eq(at_end)
        m.d.comb += self.ended.eq(was_at_end & done.all())

    def _dispatch(self, m, unit, due, offered, passed) -> None:
        number = Signal(NUMBER_BITS)
        queues = [getattr(self, f"queue_{one.name.lower()}") for one in EXECUTING_UNITS]
        m.d.comb += [
            self.error_number.eq(number),
            self.bus_error.eq(due & unit.failed),
            self.unknown_unit.eq(due & unit.unknown),
            Cat(queue.valid for queue in queues).eq(offered),
            passed.eq((offered & Cat(queue.ready for queue in queues)).any()),
        ]
        m.d.comb += [queue.payload.number.eq(number) for queue in queues]
        with m.If(passed):
            m.d.sync += number.eq(number + unit.last)
            for one in EXECUTING_UNITS:
                with m.If(unit.target[one]):
                    m.d.sync += self._dispatched[one].eq(self._dispatched[one] + unit.header)

"""The access side of an engine without queues: commands start in program order, one unit moves all data."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from compiler.config import EngineConfig
from compiler.encoding import Unit
from rtl.access import access_members
from rtl.fetch import EXECUTING_UNITS
from rtl.in_order_fetch import InOrderFetch
from rtl.interfaces import BEAT_BITS, Cause, Error
from rtl.mover import Mover


class InOrderAccess(wiring.Component):
    """A fetcher that waits, a mover and the COMPUTE command under way; one read at a time. Members: `access_members`.

    The next command of any unit starts when its waits are met and those before it have started; a COMPUTE command when
    the one before it has finished as well. So COMPUTE never waits with a command (`blocked_cause` is none).
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(access_members(config))

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = InOrderFetch(self._config)
        m.submodules.mover = mover = Mover(self._config)
        moves = self._commands(m, fetch, mover)
        idle = self._reads(m, fetch, mover)
        self._connect(m, fetch, mover)
        self._first_error(m, fetch, mover, moves)
        m.d.comb += [
            fetch.run.eq(self.run),
            fetch.first.eq(self.first),
            fetch.limit.eq(self.image_limit),
            mover.hold.eq(self.hold),
            self.may_start.eq(1),
            self.blocked_cause.eq(Cause.PROGRAM),
            self.idle.eq(idle & mover.idle),
            self.ended.eq(fetch.ended),
        ]
        return m

    def _commands(self, m, fetch, mover) -> Signal:
        """The command of each unit, from its hand-over until it has finished; returns the number of the mover's."""
        busy, moves = Signal(name="compute_busy"), Signal.like(fetch.number, name="mover_number")
        for component in (self, mover):
            wanted = (fetch.target == Unit.COMPUTE) == (component is self)
            for index in range(len(component.command) // BEAT_BITS):
                with m.If(fetch.write & wanted & (fetch.index == index)):
                    m.d.sync += component.command[index * BEAT_BITS :][:BEAT_BITS].eq(fetch.beat)
            number = self.number if component is self else moves
            with m.If(fetch.complete & wanted):
                m.d.sync += [component.command_valid.eq(1), number.eq(fetch.number)]
                m.d.sync += busy.eq(1) if component is self else []
        with m.If(mover.finished):
            m.d.sync += mover.command_valid.eq(0)
        with m.If(self.command_ready):
            m.d.sync += self.command_valid.eq(0)
        with m.If(self.compute_finished):
            m.d.sync += busy.eq(0)
        for unit in EXECUTING_UNITS:
            counts = self.compute_finished if unit == Unit.COMPUTE else mover.finished & (mover.unit == unit)
            count = Signal(16, name=f"finished_{unit.name.lower()}")
            m.d.sync += count.eq(count + counts)
            free = ~busy if unit == Unit.COMPUTE else ~mover.command_valid
            m.d.comb += [fetch.finished[unit].eq(count), fetch.free[unit].eq(free)]
        m.d.comb += fetch.changed.eq(self.compute_finished | mover.finished)
        return moves

    def _reads(self, m, fetch, mover) -> Signal:
        """One read beat at a time, the mover's first; returns: none is under way."""
        asking, waiting, moving = Signal(), Signal(), Signal()
        request, answer = self.memory.read_request, self.memory.read_data
        free = ~asking & ~waiting
        m.d.comb += [
            mover.request.ready.eq(free),
            fetch.request.ready.eq(free & ~mover.request.valid),
            request.valid.eq(asking),
            request.payload.address.eq(Mux(moving, mover.request.payload.address, fetch.request.payload.address)),
            answer.ready.eq(waiting),
            fetch.beat.eq(answer.payload.data),
            mover.beat.eq(answer.payload.data),
            fetch.beat_error.eq(answer.payload.error),
            mover.beat_error.eq(answer.payload.error),
            fetch.beat_valid.eq(waiting & answer.valid & ~moving & ~self.discard),
            mover.beat_valid.eq(waiting & answer.valid & moving & ~self.discard),
        ]
        with m.If(free):
            m.d.sync += [asking.eq(mover.request.valid | fetch.request.valid), moving.eq(mover.request.valid)]
        with m.Elif(asking & request.ready):
            m.d.sync += [asking.eq(0), waiting.eq(1)]
        with m.Elif(waiting & answer.valid):
            m.d.sync += waiting.eq(0)
        return free

    def _connect(self, m, fetch, mover) -> None:
        for name in ("image_base", "image_limit", "data_base", "data_limit", "store_word"):
            m.d.comb += getattr(mover, name).eq(getattr(self, name))
        for name in ("data", "weight_unit", "weight_enable", "parameter_row", "parameter_unit", "parameter_enable"):
            m.d.comb += getattr(self, name).eq(getattr(mover, name))
        wiring.connect(m, mover.load, wiring.flipped(self.load))
        wiring.connect(m, mover.store, wiring.flipped(self.store))
        wiring.connect(m, mover.write_request, wiring.flipped(self.memory.write_request))
        wiring.connect(m, mover.write_data, wiring.flipped(self.memory.write_data))
        wiring.connect(m, wiring.flipped(self.memory.write_response), mover.write_response)

    def _first_error(self, m, fetch, mover, moves) -> None:
        """Of the errors of this cycle the first in this list."""
        sources = (
            (mover.failed, mover.error, moves),
            (fetch.bus_error, Error.READ_BUS, fetch.number),
            (fetch.ran_out, Error.REGION, fetch.number),
            (fetch.unknown_unit, Error.UNIT, fetch.number),
            (fetch.wide_size, Error.FIELD, fetch.number),
            (fetch.wide_address, Error.REGION, fetch.number),
            (self.compute_illegal, Error.FIELD, self.number),
            (self.compute_overflow, Error.SCRATCHPAD, self.overflow_number),
        )
        for happened, error, command in reversed(sources):
            with m.If(happened):
                m.d.comb += [self.failed.eq(1), self.error.eq(error), self.error_number.eq(command)]

"""The access side of an engine without queues: commands start in program order, one unit moves all data."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from rtl.access import access_members
from rtl.fetch import EXECUTING_UNITS
from rtl.in_order_fetch import TOKEN_BITS, InOrderFetch, region_bits
from rtl.in_order_memories import in_order_ports
from rtl.in_order_scratchpad import load_layout, part_address_bits
from rtl.interfaces import BEAT_BITS, Error
from rtl.mover import Mover
from rtl.weights import memory_ports

REGIONS = ("image_base", "image_size", "data_base", "data_size", "program_offset")


def in_order_members(config: EngineConfig) -> dict:
    """`access_members`, with the regions as the registers have them, the memories in parts of `port_bytes` bytes, and
    without what only queues need."""
    gone = {"image_limit", "data_limit", "first", "blocked_cause", "overflow_number", "store_word"}
    gone |= set(memory_ports(config))
    members = {name: member for name, member in access_members(config).items() if name not in gone}
    return members | in_order_ports(config) | {name: In(32) for name in REGIONS} | {
        "load": Out(stream.Signature(load_layout(config))),
        "store": Out(stream.Signature(part_address_bits(config))),
        "store_part": In(config.port_bytes * 8),
        "data": Out(config.port_bytes * 8),
    }


class InOrderAccess(wiring.Component):
    """A fetcher that waits, a mover and the COMPUTE command under way; one read at a time. Members: `in_order_members`.

    The next command of any unit starts when its waits are met and those before it have started; a COMPUTE command when
    the one before it has finished as well. So COMPUTE never waits with a command. An error is told a cycle after it
    happened; nothing is asked for in that cycle.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(in_order_members(config))

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = InOrderFetch(self._config)
        m.submodules.mover = mover = Mover(self._config)
        moves = self._commands(m, fetch, mover)
        idle = self._reads(m, fetch, mover)
        self._connect(m, fetch, mover)
        self._first_error(m, fetch, mover, moves)
        m.d.comb += [
            fetch.run.eq(self.run & ~self.failed),
            fetch.first.eq(self._units(self.program_offset)),
            fetch.size.eq(self._units(self.image_size)),
            mover.size.eq(self._units(Mux(mover.in_image, self.image_size, self.data_size))),
            mover.hold.eq(self.hold | self.failed),
            self.may_start.eq(1),
            self.idle.eq(idle & mover.idle),
            self.ended.eq(fetch.ended),
        ]
        return m

    def _units(self, value):
        """A register's number of bytes as 16-byte units."""
        return value[4 : self._config.address_bits]

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
            current = Signal(TOKEN_BITS, name=f"current_{unit.name.lower()}", init=1)
            moves_it = mover.command_valid & (mover.unit == unit)
            under_way, free = (busy, ~busy) if unit == Unit.COMPUTE else (moves_it, ~mover.command_valid)
            finished = self.compute_finished if unit == Unit.COMPUTE else mover.finished & moves_it
            m.d.sync += current.eq(current + finished)
            m.d.comb += [
                fetch.under_way[unit].eq(under_way), fetch.current[unit].eq(current), fetch.free[unit].eq(free),
            ]
        m.d.comb += fetch.changed.eq(self.compute_finished | mover.finished)
        return moves

    def _reads(self, m, fetch, mover) -> Signal:
        """One read beat at a time, the mover's first; returns: none is under way.

        The address is the mover's, for its writes too, but while a read of the fetcher asks. Each is made in the cycle
        before it is used: a place does not change then.
        """
        asking, waiting, moving = Signal(), Signal(), Signal()
        request, answer, write = self.memory.read_request, self.memory.read_data, self.memory.write_request
        free, fetches = ~asking & ~waiting, asking & ~moving
        base = Mux(mover.in_image, self.image_base, self.data_base)
        moved = self._address(m, base, mover.request.payload, "moved")
        fetched = self._address(m, self.image_base, fetch.request.payload, "fetched")
        address = Cat(Const(0, 4), Mux(fetches, fetched, moved))
        m.d.comb += [
            mover.request.ready.eq(free),
            fetch.request.ready.eq(free & ~mover.request.valid & ~mover.write_asks),
            request.valid.eq(asking),
            request.payload.address.eq(address),
            write.valid.eq(mover.write_asks & ~fetches),
            write.payload.address.eq(address),
            mover.write_granted.eq(write.ready & ~fetches),
            answer.ready.eq(waiting),
            fetch.beat.eq(answer.payload.data),
            mover.beat.eq(answer.payload.data),
            fetch.beat_error.eq(answer.payload.error),
            mover.beat_error.eq(answer.payload.error),
            fetch.beat_valid.eq(waiting & answer.valid & ~moving & ~self.discard),
            mover.beat_valid.eq(waiting & answer.valid & moving & ~self.discard),
        ]
        with m.If(free):
            taken = fetch.request.valid & fetch.request.ready  # not while a write asks: it would be taken back
            m.d.sync += [asking.eq(mover.request.valid | taken), moving.eq(mover.request.valid)]
        with m.Elif(asking & request.ready):
            m.d.sync += [asking.eq(0), waiting.eq(1)]
        with m.Elif(waiting & answer.valid):
            m.d.sync += waiting.eq(0)
        return free

    def _address(self, m, base, place, name: str) -> Signal:
        """The unit at a place of a region, as it was a cycle ago."""
        address = Signal(region_bits(self._config) + 1, name=name, reset_less=True)
        m.d.sync += address.eq(self._units(base) + place)
        return address

    def _connect(self, m, fetch, mover) -> None:
        m.d.comb += mover.store_part.eq(self.store_part)
        for name in ("data", *in_order_ports(self._config)):
            m.d.comb += getattr(self, name).eq(getattr(mover, name))
        wiring.connect(m, mover.load, wiring.flipped(self.load))
        wiring.connect(m, mover.store, wiring.flipped(self.store))
        wiring.connect(m, mover.write_data, wiring.flipped(self.memory.write_data))
        wiring.connect(m, wiring.flipped(self.memory.write_response), mover.write_response)

    def _first_error(self, m, fetch, mover, moves) -> None:
        """Of the errors of a cycle the first in this list, a cycle later: it comes late in its cycle."""
        sources = (
            (mover.failed, mover.error, moves),
            (fetch.bus_error, Error.READ_BUS, fetch.number),
            (fetch.ran_out, Error.REGION, fetch.number),
            (fetch.unknown_unit, Error.UNIT, fetch.number),
            (fetch.wide_size, Error.FIELD, fetch.number),
            (fetch.wide_address, Error.REGION, fetch.number),
            (self.compute_illegal, Error.FIELD, self.number),
            (self.compute_overflow, Error.SCRATCHPAD, self.number),
        )
        m.d.sync += self.failed.eq(0)
        for happened, error, command in reversed(sources):
            with m.If(happened):
                m.d.sync += [self.failed.eq(1), self.error.eq(error), self.error_number.eq(command)]

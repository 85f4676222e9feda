"""Single bytes of the memory, of the engine's registers and of the board's description, as the link accesses them."""

from enum import IntEnum

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from board.protocol import ADDRESS_BITS, BOARD_BYTES, REGISTER_BYTES, VERSION
from compiler.registers import ADDRESS_BITS as REGISTER_ADDRESS_BITS
from rtl.axi4_lite import axi4_lite_signature
from rtl.interfaces import BEAT_BITS

BEAT_BYTES = BEAT_BITS // 8
NAME_BYTES = 12
CLOCK_UNIT = 10_000  # Hz


class Space(IntEnum):
    """Whose bytes."""

    MEMORY = 0
    REGISTER = 1
    BOARD = 2


class Access(data.Struct):
    """One byte to be read or written."""

    space: unsigned(2)
    address: unsigned(ADDRESS_BITS)
    data: unsigned(8)


#: Seen from who asks: `write` or `read` and `access` hold until `done`, in that cycle `data` and `error` are valid.
#: The bytes of a register are read from the first to the last, and so written; its value is taken with the first.
ByteBus = wiring.Signature(
    {"access": Out(Access), "write": Out(1), "read": Out(1), "done": In(1), "data": In(8), "error": In(1)}
)


def board_bytes(*, memory_bytes: int, clock_hz: int, name: str) -> bytes:
    """What READ_BOARD tells: version, log2 of the memory's bytes, clock in units of 10 kHz (2 bytes), name (ASCII)."""
    label = name.encode("ascii")
    if len(label) > NAME_BYTES:
        raise ValueError(f"board name {name!r} must be at most {NAME_BYTES} characters")
    clock = round(clock_hz / CLOCK_UNIT)
    if not 0 < clock < 1 << 16:
        raise ValueError(f"clock of {clock_hz} Hz must be in 10 kHz..655.35 MHz")
    size = (memory_bytes - 1).bit_length()
    return bytes([VERSION, size]) + clock.to_bytes(2, "little") + label.ljust(NAME_BYTES, b"\0")


class BoardAccess(wiring.Component):
    """Answers from a constant. Latency: 0."""

    def __init__(self, description: bytes):
        if len(description) != BOARD_BYTES:
            raise ValueError(f"a board's description must be {BOARD_BYTES} bytes, not {len(description)}")
        self._description = description
        super().__init__({"bus": In(ByteBus)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.bus.done.eq(self.bus.read | self.bus.write)
        with m.Switch(self.bus.access.address[: (BOARD_BYTES - 1).bit_length()]):
            for place, value in enumerate(self._description):
                with m.Case(place):
                    m.d.comb += self.bus.data.eq(value)
        return m


class RegisterAccess(wiring.Component):
    """Bytes of the engine's registers, through their AXI4-Lite port.

    A byte is written by a bus write of its own, with its strobe. A read of a register's first byte reads the register,
    whose value stays on the bus until the last byte has been taken.

    Latency: that of the bus + 1 cycle. Members: `bus`; `axi`: a manager.
    """

    def __init__(self):
        super().__init__({"bus": In(ByteBus), "axi": Out(axi4_lite_signature(REGISTER_ADDRESS_BITS))})

    def elaborate(self, platform):
        m = Module()
        access, axi = self.bus.access, self.axi
        place = access.address[: (REGISTER_BYTES - 1).bit_length()]
        sent = {}
        for channel, wanted in (("aw", self.bus.write), ("w", self.bus.write), ("ar", self.bus.read)):
            sent[channel] = Signal(name=f"{channel}_sent")
            valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
            m.d.comb += valid.eq(wanted & ~sent[channel])
            with m.If(valid & ready):
                m.d.sync += sent[channel].eq(1)
        m.d.comb += [
            axi.awaddr.eq(access.address), axi.araddr.eq(access.address),
            axi.wdata.eq(access.data.replicate(REGISTER_BYTES)), axi.wstrb.eq(Const(1, REGISTER_BYTES) << place),
            axi.bready.eq(self.bus.write),
            axi.rready.eq(self.bus.read & (place == REGISTER_BYTES - 1)),
            self.bus.done.eq(Mux(self.bus.write, axi.bvalid, self.bus.read & axi.rvalid)),
            self.bus.error.eq(Mux(self.bus.write, axi.bresp, axi.rresp) != 0),
            self.bus.data.eq(axi.rdata.word_select(place, 8)),
        ]
        with m.If(axi.bvalid & axi.bready):
            m.d.sync += [sent["aw"].eq(0), sent["w"].eq(0)]
        with m.If(axi.rvalid & axi.rready):
            m.d.sync += sent["ar"].eq(0)
        return m


class ByteSwitch(wiring.Component):
    """Connects one asker to the answerers of the spaces, without delay.

    Members: `bus`: the asker; `memory`, `register`, `board`: the answerers.
    """

    def __init__(self):
        members = {space.name.lower(): Out(ByteBus) for space in Space}
        super().__init__({"bus": In(ByteBus), **members})

    def elaborate(self, platform):
        m = Module()
        for space in Space:
            port = getattr(self, space.name.lower())
            m.d.comb += port.access.eq(self.bus.access)
            with m.If(self.bus.access.space == space):
                m.d.comb += [
                    port.write.eq(self.bus.write), port.read.eq(self.bus.read), self.bus.done.eq(port.done),
                    self.bus.data.eq(port.data), self.bus.error.eq(port.error),
                ]
        return m

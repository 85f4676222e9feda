"""The board's memory: rows for the engine, bytes for the link, in block RAM or in UP5K's SPRAM as the tools choose."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from board.access import ByteBus
from rtl.interfaces import BEAT_BITS


class BoardMemory(wiring.Component):
    """One port, the engine's while `engine_owns`, else the link's.

    The engine's side is that of `RamAdaptor`. The link's byte at address a is in row a div (width / 8). Addresses
    beyond the memory wrap. A cycle that writes reads nothing, so that one port is enough.

    Latency: reads 1 cycle. Parameters: words: 16-byte words, a power of two in 16..2^20.  width: bits of a row.
    """

    def __init__(self, *, words: int, width: int = BEAT_BITS):
        if words < 16 or words & (words - 1) or words > 1 << 20:
            raise ValueError(f"BoardMemory words = {words!r} must be a power of two in 16..2^20")
        self._width, self._rows = width, words * BEAT_BITS // width
        super().__init__(
            {
                "bus": In(ByteBus), "engine_owns": In(1),
                "address": In(range(self._rows)), "write_data": In(width), "write_enable": In(1),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = Memory(shape=self._width, depth=self._rows, init=[])
        write, read = rows.write_port(granularity=8), rows.read_port()
        size = self._width // 8
        access, place = self.bus.access, self.bus.access.address[: (size - 1).bit_length()]
        address, asked = Signal(range(self._rows)), Signal()
        m.d.comb += [
            address.eq(Mux(self.engine_owns, self.address, access.address[len(place) :])),
            write.addr.eq(address), read.addr.eq(address), read.en.eq(~write.en.any()),
            write.data.eq(Mux(self.engine_owns, self.write_data, access.data.replicate(size))),
            self.read_data.eq(read.data), self.bus.data.eq(read.data.word_select(place, 8)),
            self.bus.done.eq(self.bus.write | (self.bus.read & asked)),
        ]
        with m.If(self.engine_owns):
            m.d.comb += write.en.eq(self.write_enable.replicate(size))
        with m.Elif(self.bus.write):
            m.d.comb += write.en.eq(1 << place)
        m.d.sync += asked.eq(self.bus.read & ~asked)
        return m

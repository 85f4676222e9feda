"""The board's memory: block RAM of 16-byte words for the engine, of bytes for the link."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from board.access import BEAT_BYTES, ByteBus
from rtl.interfaces import BEAT_BITS


class BoardMemory(wiring.Component):
    """One port, the engine's while `engine_owns`, else the link's.

    The engine's side is that of `RamAdaptor`. The link's byte at address a is byte a mod 16 of word a div 16.
    Addresses beyond the memory wrap.

    Latency: reads 1 cycle. Parameters: words: 16-byte words, a power of two in 16..2^20.
    """

    def __init__(self, *, words: int):
        if words < 16 or words & (words - 1) or words > 1 << 20:
            raise ValueError(f"BoardMemory words = {words!r} must be a power of two in 16..2^20")
        self.words = words
        super().__init__(
            {
                "bus": In(ByteBus), "engine_owns": In(1),
                "address": In(range(words)), "write_data": In(BEAT_BITS), "write_enable": In(1),
                "read_data": Out(BEAT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=BEAT_BITS, depth=self.words, init=[])
        write, read = words.write_port(granularity=8), words.read_port()
        place_bits = (BEAT_BYTES - 1).bit_length()
        access, place = self.bus.access, self.bus.access.address[:place_bits]
        address, asked = Signal(range(self.words)), Signal()
        m.d.comb += [
            address.eq(Mux(self.engine_owns, self.address, access.address[place_bits:])),
            write.addr.eq(address), read.addr.eq(address), read.en.eq(1),
            write.data.eq(Mux(self.engine_owns, self.write_data, access.data.replicate(BEAT_BYTES))),
            self.read_data.eq(read.data), self.bus.data.eq(read.data.word_select(place, 8)),
            self.bus.done.eq(self.bus.write | (self.bus.read & asked)),
        ]
        with m.If(self.engine_owns):
            m.d.comb += write.en.eq(self.write_enable.replicate(BEAT_BYTES))
        with m.Elif(self.bus.write):
            m.d.comb += write.en.eq(1 << place)
        m.d.sync += asked.eq(self.bus.read & ~asked)
        return m

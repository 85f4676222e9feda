"""One synchronous RAM port for an engine without queues, which asks for one beat at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from rtl.interfaces import BEAT_BITS
from rtl.ram_adaptor import BEAT_BYTES, ram_members


class OneBeatAdaptor(wiring.Component):
    """Serves requests of one beat from a RAM of `words` 16-byte words at byte address 0, writes before reads.

    As `RamAdaptor`, but the master asks for one beat, takes the answer in the cycle it comes, and asks for the next one
    of that way after it. Beats outside the RAM are answered with an error and write nothing.

    Latency: 128 / width cycles from a read request to its beat, as many from the write's data to its response.

    Parameters and other members: those of `RamAdaptor`.
    """

    def __init__(self, *, words: int, width: int = BEAT_BITS):
        self._words, self._rows = words, BEAT_BITS // width
        super().__init__(ram_members(type(self).__name__, words, width))

    def elaborate(self, platform):
        m = Module()
        read, write = self.memory.read_request, self.memory.write_request
        row, reading, held, goes = Signal(range(self._rows)), Signal(), Signal(), Signal()
        wanted = write.valid & self.memory.write_data.valid
        last = row == self._rows - 1
        address = Mux(reading, read.payload.address, write.payload.address)[BEAT_BYTES.bit_length() - 1 :]
        inside = address < self._words
        m.d.comb += [
            reading.eq(Mux(row == 0, ~wanted, held)),
            goes.eq(Mux(reading, read.valid, wanted)),
            self.address.eq(Cat(row, address) if self._rows > 1 else address),
            self.write_data.eq(self.memory.write_data.payload.data.word_select(row, len(self.write_data))),
            self.write_enable.eq(wanted & ~reading & inside),
            read.ready.eq(reading & last),
            write.ready.eq(wanted & ~reading & last),
            self.memory.write_data.ready.eq(write.ready),
        ]
        if self._rows > 1:
            m.d.sync += held.eq(reading)
            with m.If(goes):
                m.d.sync += row.eq(row + 1)
        self._answer(m, goes & last, reading, inside, row)
        return m

    def _answer(self, m, done, reading, inside, row) -> None:
        """A cycle after the last row; the first row of a read waits in a register."""
        data, response = self.memory.read_data, self.memory.write_response
        first = Signal(BEAT_BITS - len(self.read_data), reset_less=True)
        with m.If(row != 0):
            m.d.sync += first.eq(self.read_data)
        m.d.sync += [
            data.valid.eq(done & reading), response.valid.eq(done & ~reading),
            data.payload.error.eq(~inside), response.payload.error.eq(~inside),
        ]
        m.d.comb += data.payload.data.eq(Cat(first, self.read_data))

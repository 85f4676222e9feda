"""The memory side of the engine as the master of one synchronous RAM port, for boards without AXI."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import BEAT_BITS, Memory, ReadBeat
from rtl.result_fifo import CreditFifo

BEAT_BYTES = BEAT_BITS // 8
READ_PLACES = 4  # read latency 1, FIFO and credit return: enough for one beat per cycle


def ram_members(name: str, words: int, width: int) -> dict:
    """Members of the adaptor called `name`, from the memory side to a RAM of `words` 16-byte words in rows of `width`
    bits. ValueError unless words is a power of two in 2..2^28 and width is 128 or 64."""
    if words < 2 or words & (words - 1) or words > 1 << 28:
        raise ValueError(f"{name} words = {words!r} must be a power of two in 2..2^28")
    if width not in (BEAT_BITS, BEAT_BITS // 2):
        raise ValueError(f"{name} width = {width!r} must be {BEAT_BITS} or {BEAT_BITS // 2}")
    return {
        "memory": In(Memory),
        "address": Out(range(words * BEAT_BITS // width)),
        "write_data": Out(width),
        "write_enable": Out(1),
        "read_data": In(width),
    }


class RamAdaptor(wiring.Component):
    """Serves bursts from a RAM of `words` 16-byte words at byte address 0, reads and writes in turn.

    A write response comes after the last beat has been written, so its data is visible to every later read. Beats
    outside the RAM are answered with an error and write nothing.

    Latency: 2 + 128 / width cycles from a read request to its first beat, 1 from the last write beat to its response.
    Throughput: one beat per 128 / width cycles, reads and writes together.

    Parameters: words: RAM size, a power of two in 2..2^28.  width: bits of a RAM row, 128 or 64.

    Members: `memory` (rtl/interfaces.py); `address` in rows, `write_data`, `write_enable` (whole rows),
    `read_data`: of the address of the cycle before. A word of two rows has its first bytes in the even one.
    """

    def __init__(self, *, words: int, width: int = BEAT_BITS):
        self._words = words
        self._rows = BEAT_BITS // width
        super().__init__(ram_members(type(self).__name__, words, width))

    def elaborate(self, platform):
        m = Module()
        write_goes, read_goes = Signal(), Signal()
        reads, writes = self._burst(m, "read", read_goes), self._burst(m, "write", write_goes)
        m.submodules.beats = beats = CreditFifo(width=ReadBeat.as_shape().size, depth=READ_PLACES)
        may_write = writes["active"] & self.memory.write_data.valid
        may_read = reads["active"] & beats.credit_available
        row, last, reading, word = self._turns(m, may_read, may_write), Signal(), self._reading, Signal(28)
        m.d.comb += [
            last.eq(row == self._rows - 1),
            word.eq(Mux(reading, reads["word"], writes["word"])),
            read_goes.eq(reading & last),
            write_goes.eq(~reading & may_write & last),
            self.memory.write_data.ready.eq(write_goes),
            self.address.eq(Cat(row, word) if self._rows > 1 else word),
            self.write_data.eq(self.memory.write_data.payload.data.word_select(row, len(self.write_data))),
            self.write_enable.eq(~reading & may_write & writes["inside"]),
        ]
        self._answer_reads(m, beats, read_goes, reads["inside"], row)
        self._answer_writes(m, write_goes, writes)
        return m

    def _turns(self, m, may_read, may_write):
        """The row of the word at hand; `_reading`: it is read. A word begun is finished; then the other way may go."""
        reads_next, held, reading = Signal(), Signal(), Signal()
        row = Signal(range(self._rows))
        self._reading = reading
        m.d.comb += reading.eq(Mux(row == 0, may_read & (reads_next | ~may_write), held))
        m.d.sync += held.eq(reading)
        with m.If(row == self._rows - 1):
            m.d.sync += reads_next.eq(~reading)
        with m.If((may_read | may_write) & (self._rows > 1)):
            m.d.sync += row.eq(row + 1)
        return row

    def _burst(self, m, kind, goes) -> dict:
        """The burst being served: its next word, whether that is inside the RAM, whether it is the last."""
        request = getattr(self.memory, f"{kind}_request")
        active, word = Signal(name=f"{kind}_active"), Signal(28, name=f"{kind}_word")
        left, last = Signal(4, name=f"{kind}_left"), Signal(name=f"{kind}_last")
        m.d.comb += [last.eq(left == 0), request.ready.eq(~active | (goes & last))]
        with m.If(request.ready):
            m.d.sync += [
                active.eq(request.valid),
                word.eq(request.payload.address[BEAT_BYTES.bit_length() - 1 :]),
                left.eq(request.payload.length),
            ]
        with m.Elif(goes):
            m.d.sync += [word.eq(word + 1), left.eq(left - 1)]
        return {"active": active, "word": word, "inside": word < self._words, "last": last}

    def _answer_reads(self, m, beats, goes, inside, row) -> None:
        asked, outside, first = Signal(), Signal(), Signal(BEAT_BITS - len(self.read_data))
        m.d.sync += [asked.eq(goes), outside.eq(~inside)]
        beat, answer = Signal(ReadBeat), self.memory.read_data
        with m.If(row != 0):
            m.d.sync += first.eq(self.read_data)
        m.d.comb += [
            beats.take.eq(goes),
            beat.data.eq(Cat(first, self.read_data)),
            beat.error.eq(outside),
            beats.push.eq(asked),
            beats.push_data.eq(beat),
            answer.valid.eq(beats.o.valid),
            answer.payload.as_value().eq(beats.o.payload),
            beats.o.ready.eq(answer.ready),
        ]

    def _answer_writes(self, m, goes, writes) -> None:
        response, failed = self.memory.write_response, Signal()
        ends = goes & writes["last"]
        m.d.sync += [response.valid.eq(ends), response.payload.error.eq(failed | ~writes["inside"])]
        with m.If(goes):
            m.d.sync += failed.eq(Mux(ends, 0, failed | ~writes["inside"]))

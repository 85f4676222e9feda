"""The memory side of the engine as the master of one synchronous RAM port, for boards without AXI."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import BEAT_BITS, Memory, ReadBeat
from rtl.result_fifo import CreditFifo

BEAT_BYTES = BEAT_BITS // 8
READ_PLACES = 4  # read latency 1, FIFO and credit return: enough for one beat per cycle


class RamAdaptor(wiring.Component):
    """Serves bursts from a RAM of `words` 16-byte words at byte address 0, reads and writes in turn.

    A write response comes after the last beat has been written, so its data is visible to every later read. Beats
    outside the RAM are answered with an error and write nothing.

    Latency: 3 cycles from a read request to its first beat, 1 from the last write beat to its response.
    Throughput: one beat per cycle, reads and writes together.

    Parameters: words: RAM size, a power of two in 2..2^28.

    Members: `memory` (rtl/interfaces.py); `address` in words, `write_data`, `write_enable` (whole words),
    `read_data`: of the address of the cycle before.
    """

    def __init__(self, *, words: int):
        if words < 2 or words & (words - 1) or words > 1 << 28:
            raise ValueError(f"RamAdaptor words = {words!r} must be a power of two in 2..2^28")
        self._words = words
        super().__init__(
            {
                "memory": In(Memory),
                "address": Out(range(words)),
                "write_data": Out(BEAT_BITS),
                "write_enable": Out(1),
                "read_data": In(BEAT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        write_goes, read_goes, reads_next = Signal(), Signal(), Signal()
        reads, writes = self._burst(m, "read", read_goes), self._burst(m, "write", write_goes)
        m.submodules.beats = beats = CreditFifo(width=ReadBeat.as_shape().size, depth=READ_PLACES)
        may_write = writes["active"] & self.memory.write_data.valid
        may_read = reads["active"] & beats.credit_available
        m.d.comb += [
            read_goes.eq(may_read & (reads_next | ~may_write)),
            write_goes.eq(may_write & ~read_goes),
            self.memory.write_data.ready.eq(write_goes),
            self.address.eq(Mux(read_goes, reads["word"], writes["word"])),
            self.write_data.eq(self.memory.write_data.payload.data),
            self.write_enable.eq(write_goes & writes["inside"]),
        ]
        m.d.sync += reads_next.eq(~read_goes)
        self._answer_reads(m, beats, read_goes, reads["inside"])
        self._answer_writes(m, write_goes, writes)
        return m

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

    def _answer_reads(self, m, beats, goes, inside) -> None:
        asked, outside = Signal(), Signal()
        m.d.sync += [asked.eq(goes), outside.eq(~inside)]
        beat, answer = Signal(ReadBeat), self.memory.read_data
        m.d.comb += [
            beats.take.eq(goes),
            beat.data.eq(self.read_data),
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

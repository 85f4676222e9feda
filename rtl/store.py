"""STORE: scratchpad rows to external memory, a burst at a time; finished when its write responses are back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import Unit
from rtl import command as cmd
from rtl.delay import delayed
from rtl.interfaces import BEAT_BITS, BURST_BEATS, Request, WriteBeat, WriteResponse
from rtl.queue import Queue
from rtl.scratchpad import ADDRESS_BITS, Scratchpad
from rtl.skid_buffer import SkidBuffer
from rtl.transfer import UNIT_BITS, RowJob, WordWalk, legal_transfer

BUFFER_BEATS = 2 * BURST_BEATS  # a burst is requested only when all its beats are here, so an abort leaves none open
OUTSTANDING = 32

Beat = data.StructLayout({"data": BEAT_BITS, "last": 1})
Burst = data.StructLayout({"unit": UNIT_BITS - 1, "length": 4})
Tag = data.StructLayout({"command_last": 1, "number": 16})
Word = data.StructLayout({"last": 1, "address": ADDRESS_BITS})
Read = data.StructLayout({"valid": 1, "last": 1})
Ended = data.StructLayout({"valid": 1, "unit": UNIT_BITS - 1, "length": 4, "tag": Tag})


class Store(wiring.Component):
    """Reads scratchpad words, gathers them into bursts, writes them.

    Members: `rtl.command.members` and `number`, the command's; `base`, `limit`: of the data region (absolute, 33 bits,
    multiples of 64);
    `read` stream of scratchpad addresses, `word` its answer; `write_request`, `write_data`, `write_response`: the
    memory side; `finished`: pulse per command; errors `illegal`, `overflow`, `outside`, `bus_error` with `error_number`
    / `bus_error_number`; `idle`: no burst is open. Throughput: one word per cycle.
    """

    def __init__(self, *, scratchpad_words: int, queue_memory: str = "distributed"):
        self._words, self._queue_memory = scratchpad_words, queue_memory
        super().__init__(
            {
                **cmd.members(Unit.STORE),
                "number": In(cmd.NUMBER_BITS),
                "hold": In(1),
                "base": In(32),
                "limit": In(33),
                "read": Out(stream.Signature(ADDRESS_BITS)),
                "word": In(BEAT_BITS),
                "write_request": Out(stream.Signature(Request)),
                "write_data": Out(stream.Signature(WriteBeat)),
                "write_response": In(stream.Signature(WriteResponse, always_ready=True)),
                "finished": Out(1),
                "overflow": Out(1),
                "outside": Out(1),
                "illegal": Out(1),
                "error_number": Out(cmd.NUMBER_BITS),
                "bus_error": Out(1),
                "bus_error_number": Out(cmd.NUMBER_BITS),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = WordWalk()
        command = cmd.fields(Unit.STORE, self.command)
        legal = Signal()
        m.d.sync += legal.eq(legal_transfer(command))
        m.d.comb += [
            walk.i.payload[name].eq(value) for name, value in RowJob.from_command(m, command, self.number).items()
        ]
        m.d.comb += [
            walk.i.valid.eq(self.command_valid & legal & self.may_start & ~self.hold),
            self.illegal.eq(self.command_valid & ~legal),
            self.command_ready.eq(walk.i.valid & walk.i.ready),
        ]
        self._bursts(m, walk, self._external_address(m, walk, command))
        return m

    def _external_address(self, m, walk, command):
        """Where the current word goes, in units of 16 bytes: on and on within a block, a stride between blocks."""
        address = Signal(UNIT_BITS, reset_less=True)
        block = Signal(UNIT_BITS, reset_less=True)  # where the current block begins
        stride = Signal(UNIT_BITS - 1, reset_less=True)
        with m.If(self.command_ready):
            first = self.base[4:] + command.address[4:]
            m.d.sync += [address.eq(first), block.eq(first), stride.eq(command.external_block_stride[4:])]
        with m.Elif(walk.step):
            m.d.sync += address.eq(address + 1)
            with m.If(walk.last_in_block):
                m.d.sync += [address.eq(block + stride), block.eq(block + stride)]
        return address

    def _queue(self, width: int, depth: int) -> Queue:
        return Queue(width=width, depth=depth, memory=self._queue_memory, never_full=True)

    def _bursts(self, m, walk, address) -> None:
        m.submodules.beats = beats = self._queue(Beat.size, BUFFER_BEATS)
        m.submodules.requests = requests = self._queue(Burst.size, BUFFER_BEATS)
        m.submodules.tags = tags = self._queue(Tag.size, OUTSTANDING)
        m.submodules.words = words = SkidBuffer(Word)
        used = Signal(range(BUFFER_BEATS + 1))  # words asked for, on their way and in the buffer
        burst_last = (address[:4] == 15) | walk.last_in_row
        outside = self._check(m, walk, address)
        read = self._read(m, walk, words, burst_last, outside)
        burst = self._burst(m, walk, address, burst_last)
        self._ask(m, walk, burst, (used < BUFFER_BEATS) & words.i.ready, requests, tags)
        arrives = delayed(m, read, Scratchpad.answer_latency, name="arrives")
        m.d.comb += [beats.w_data.eq(Cat(self.word, arrives.last)), beats.w_en.eq(arrives.valid)]
        m.d.sync += used.eq(used + walk.step - (self.write_data.valid & self.write_data.ready))
        whole = arrives.valid & arrives.last
        self._request(m, whole, requests)
        self._send(m, whole, beats)
        self._answers(m, tags)

    def _check(self, m, walk, address):
        """Whether the current word lies outside scratchpad or region: it is not read, and none behind it."""
        overflow, outside = walk.address >= self._words, address >= self.limit[4:]
        with m.If(walk.step):
            m.d.sync += [self.overflow.eq(overflow), self.outside.eq(outside), self.error_number.eq(walk.number)]
        return overflow | outside

    def _read(self, m, walk, words, burst_last, outside):
        """Words leave the walk for the scratchpad; returns which one is read in this cycle."""
        offered = words.o.payload
        asked = Signal(Read)  # of the scratchpad, which reads it in the next cycle in which it is ready
        read = Signal(Read)
        m.d.comb += [
            words.i.payload.last.eq(burst_last),
            words.i.payload.address.eq(walk.address),
            words.i.valid.eq(walk.step & ~outside),
            self.read.payload.eq(offered.address),
            self.read.valid.eq(words.o.valid),
            words.o.ready.eq(self.read.ready),
            read.valid.eq(asked.valid & self.read.ready),
            read.last.eq(asked.last),
        ]
        with m.If(self.read.ready):
            m.d.sync += [asked.valid.eq(words.o.valid), asked.last.eq(offered.last)]
        return read

    def _burst(self, m, walk, address, burst_last):
        """The burst that ends with the word which left the walk in the cycle before, if one does."""
        start = Signal(UNIT_BITS - 1, reset_less=True)
        length = Signal(4)  # words of the burst before this one
        burst = Signal(Ended)
        with m.If(walk.step):
            m.d.sync += length.eq(Mux(burst_last, 0, length + 1))
            with m.If(length == 0):
                m.d.sync += start.eq(address)
        m.d.sync += [
            burst.valid.eq(walk.step & burst_last),
            burst.unit.eq(Mux(length == 0, address, start)),
            burst.length.eq(length),
            burst.tag.command_last.eq(walk.last),
            burst.tag.number.eq(walk.number),
        ]
        return burst

    def _ask(self, m, walk, burst, room, requests, tags) -> None:
        """A word further where there is room for it and for its burst's response; what is known of whole bursts."""
        wrong = self.overflow | self.outside
        open_bursts = Signal(range(OUTSTANDING + 1))
        responses_room = open_bursts < OUTSTANDING - 1  # and for `burst`
        begun = burst.valid & ~wrong
        m.d.comb += [
            walk.step.eq(walk.valid & room & responses_room & ~self.hold & ~wrong),
            requests.w_data.eq(Cat(burst.unit, burst.length)),
            requests.w_en.eq(begun),
            tags.w_data.eq(burst.tag.as_value()),
            tags.w_en.eq(begun),
            self.idle.eq((open_bursts == 0) & ~begun),
        ]
        m.d.sync += open_bursts.eq(open_bursts + begun - self.write_response.valid)

    def _request(self, m, whole, requests) -> None:
        """Requests of the bursts whose last beat is in the buffer."""
        request = data.View(Burst, requests.r_data)
        due = Signal(range(BUFFER_BEATS + 1))
        requested = self.write_request.valid & self.write_request.ready
        m.d.sync += due.eq(due + whole - requested)
        m.d.comb += [
            self.write_request.payload.address.eq(request.unit << 4),
            self.write_request.payload.length.eq(request.length),
            self.write_request.valid.eq(due != 0),
            requests.r_en.eq(requested),
        ]

    def _send(self, m, whole, beats) -> None:
        """Beats of the bursts whose last beat is in the buffer: of one, and one behind it, it is known in registers."""
        beat = Signal(Beat, reset_less=True)
        there = Signal()
        kept = Signal(range(BUFFER_BEATS + 1))  # whole bursts that may not leave yet
        some = Signal()  # there is one; not told in the cycle behind one that may
        comes = Signal()  # the burst behind the one that leaves may
        leaves = Signal()  # the burst may to which the next beat belongs
        taken = self.write_data.valid & self.write_data.ready
        ends = taken & beat.last
        moves, enters = Signal(), Signal()
        m.d.comb += [
            beats.r_en.eq(~there | taken),
            self.write_data.payload.eq(beat),
            self.write_data.valid.eq(there & leaves),
            enters.eq(some & ~comes),
            moves.eq((some | comes) & (~leaves | ends)),
        ]
        with m.If(beats.r_en):
            m.d.sync += [beat.as_value().eq(beats.r_data), there.eq(beats.r_rdy)]
        m.d.sync += [
            kept.eq(kept + whole - enters),
            some.eq(whole | ((kept != 0) & ~enters)),
            comes.eq((some | comes) & ~moves),
            leaves.eq(moves | (leaves & ~ends)),
        ]

    def _answers(self, m, tags) -> None:
        """A response belongs to the command of the oldest burst that is open."""
        tag = Signal(Tag, reset_less=True)
        tagged = Signal()
        answered = self.write_response.valid
        m.d.comb += tags.r_en.eq(~tagged | answered)
        with m.If(tags.r_en):
            m.d.sync += [tag.eq(tags.r_data), tagged.eq(tags.r_rdy)]
        m.d.comb += [
            self.finished.eq(answered & tag.command_last),
            self.bus_error.eq(answered & self.write_response.payload.error),
            self.bus_error_number.eq(tag.number),
        ]

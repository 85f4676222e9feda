"""STORE: scratchpad rows to external memory, a burst at a time; finished when its write responses are back."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import Unit
from rtl import command as cmd
from rtl.delay import delayed
from rtl.interfaces import BEAT_BITS, BURST_BEATS, Request, WriteBeat, WriteResponse
from rtl.queue import Queue
from rtl.scratchpad import ADDRESS_BITS, Scratchpad
from rtl.transfer import RowJob, WordWalk, legal_transfer

BUFFER_BEATS = 2 * BURST_BEATS  # a burst is requested only when all its beats are here, so an abort leaves none open
OUTSTANDING = 32

Beat = data.StructLayout({"data": BEAT_BITS, "last": 1})
Burst = data.StructLayout({"address": 32, "length": 4})
Tag = data.StructLayout({"command_last": 1, "number": 16})
Stage = data.StructLayout({"valid": 1, "last": 1, "address": 32, "length": 4, "tag": Tag})


class Store(wiring.Component):
    """Reads scratchpad words, gathers them into bursts, writes them.

    Members: `rtl.command.members` and `number`, the command's; `base`, `limit`: of the data region (absolute, 33 bits);
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
            walk.i.payload[name].eq(value) for name, value in RowJob.from_command(command, self.number).items()
        ]
        m.d.comb += [
            walk.i.valid.eq(self.command_valid & legal & self.may_start & ~self.hold),
            self.illegal.eq(self.command_valid & ~legal),
            self.command_ready.eq(walk.i.valid & walk.i.ready),
        ]
        self._bursts(m, walk, self._external_address(m, walk, command))
        return m

    def _external_address(self, m, walk, command):
        """The external byte address of the current word: contiguous within a block, `external_block_stride` between."""
        address = Signal(33)
        block = Signal(33)  # where the current block begins
        stride = Signal(32)
        with m.If(self.command_ready):
            first = self.base + command.address
            m.d.sync += [address.eq(first), block.eq(first), stride.eq(command.external_block_stride)]
        with m.Elif(walk.step):
            m.d.sync += address.eq(address + 16)
            with m.If(walk.last_in_block):
                m.d.sync += [address.eq(block + stride), block.eq(block + stride)]
        return address

    def _queue(self, width: int, depth: int) -> Queue:
        return Queue(width=width, depth=depth, memory=self._queue_memory)

    def _bursts(self, m, walk, address) -> None:
        m.submodules.beats = beats = self._queue(Beat.size, BUFFER_BEATS)
        m.submodules.requests = requests = self._queue(Burst.size, BUFFER_BEATS)
        m.submodules.tags = tags = self._queue(Tag.size, OUTSTANDING)
        used = Signal(range(BUFFER_BEATS + 1))  # words asked for, on their way and in the buffer
        asked, read = self._ask(m, walk, address, used < BUFFER_BEATS)
        stage = delayed(m, read, Scratchpad.answer_latency, name="stage")
        burst_complete = stage.valid & stage.last
        self._buffer(m, stage, burst_complete, beats, requests, tags)
        taken = self.write_data.valid & self.write_data.ready
        m.d.sync += used.eq(used + walk.step - taken)
        self._send(m, burst_complete, beats, requests)
        self._answers(m, tags)

    def _ask(self, m, walk, address, room):
        """A word further where there is room for it and for its burst's response.

        Returns the word that the scratchpad was asked for and what is read in this cycle: the same, or nothing.
        """
        asked = Signal(Stage)
        read = Signal(Stage)
        wrong = self.overflow | self.outside  # so is the word asked for: it is not read, and none behind it
        open_bursts = Signal(range(OUTSTANDING + 1))  # whose last word was read
        responses_room = open_bursts < OUTSTANDING - 1  # and for a word asked for
        m.d.comb += [
            self.read.payload.eq(walk.address),
            self.read.valid.eq(walk.valid & room & responses_room & ~self.hold & ~wrong),
            walk.step.eq(self.read.valid & self.read.ready),
        ]
        self._check(m, walk, address)
        word = self._word(m, walk, address)
        with m.If(self.read.ready & ~wrong):
            m.d.sync += asked.eq(word)
        m.d.comb += [read.eq(asked), read.valid.eq(asked.valid & self.read.ready & ~wrong)]
        m.d.sync += open_bursts.eq(open_bursts + (read.valid & read.last) - self.write_response.valid)
        m.d.comb += self.idle.eq((open_bursts == 0) & (~asked.valid | wrong))
        return asked, read

    def _check(self, m, walk, address) -> None:
        """Whether the word asked for lies outside scratchpad or region."""
        end = Signal(signed(34))  # the last address of a word inside
        m.d.sync += end.eq(self.limit - 16)
        with m.If(walk.step):
            m.d.sync += [
                self.overflow.eq(walk.address >= self._words),
                self.outside.eq(address > end),
                self.error_number.eq(walk.number),
            ]

    def _word(self, m, walk, address):
        """What is known of the word that is asked for; `length` counts the burst's words before it."""
        burst_start = Signal(32)
        length = Signal(4)
        burst_last = (address[4:8] == 15) | walk.last_in_row
        with m.If(walk.step):
            m.d.sync += length.eq(Mux(burst_last, 0, length + 1))
            with m.If(length == 0):
                m.d.sync += burst_start.eq(address)
        stepped = Signal(Stage)
        m.d.comb += [
            stepped.valid.eq(walk.step),
            stepped.last.eq(burst_last),
            stepped.address.eq(Mux(length == 0, address, burst_start)),
            stepped.length.eq(length),
            stepped.tag.command_last.eq(walk.last),
            stepped.tag.number.eq(walk.number),
        ]
        return stepped

    def _buffer(self, m, stage, burst_complete, beats, requests, tags) -> None:
        """Every word goes into the buffer; its burst is requested, and its answer awaited, with the last one."""
        m.d.comb += [
            beats.w_data.eq(Cat(self.word, stage.last)),
            beats.w_en.eq(stage.valid),
            requests.w_data.eq(Cat(stage.address, stage.length)),
            requests.w_en.eq(burst_complete),
            tags.w_data.eq(stage.tag.as_value()),
            tags.w_en.eq(burst_complete),
        ]

    def _send(self, m, burst_complete, beats, requests) -> None:
        """Requests, and the beats of bursts whose last beat is in the buffer."""
        request = data.View(Burst, requests.r_data)
        whole_bursts = Signal(range(BUFFER_BEATS + 1))
        taken = self.write_data.valid & self.write_data.ready
        sent_last = Signal()  # with the beat before, a whole burst
        m.d.sync += [
            sent_last.eq(taken & self.write_data.payload.last),
            whole_bursts.eq(whole_bursts + burst_complete - sent_last),
        ]
        m.d.comb += [
            self.write_request.payload.address.eq(request.address),
            self.write_request.payload.length.eq(request.length),
            self.write_request.valid.eq(requests.r_rdy),
            requests.r_en.eq(self.write_request.ready),
            self.write_data.payload.as_value().eq(beats.r_data),
            self.write_data.valid.eq(beats.r_rdy & (whole_bursts > sent_last)),
            beats.r_en.eq(taken),
        ]

    def _answers(self, m, tags) -> None:
        """A response belongs to the command of the oldest burst that is open."""
        tag = Signal(Tag)
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

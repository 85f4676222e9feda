"""LOAD: external activations into the scratchpad, requests running ahead of the data."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import Unit
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS
from rtl.queue import Queue
from rtl.scratchpad import LoadWrite
from rtl.skid_buffer import SkidBuffer
from rtl.transfer import UNIT_BITS, BurstRequest, BurstSplitter, RowJob, WordWalk, legal_transfer

JOBS_AHEAD = 4  # commands whose requests may run ahead of the one whose data are written

#: What is written, and whether it is the last of its command.
Word = data.StructLayout({"write": LoadWrite, "last": 1})


class Load(wiring.Component):
    """Reads rows and writes them as scratchpad words.

    Members: `rtl.command.members` and `number`, the command's; `base`, `limit`: of the data region (absolute,
    limit 33 bits); `request` stream of bursts;
    `beat` stream of 16 bytes, in request order; `write` stream of LoadWrite; `finished`: pulse per command, after its
    last write; `illegal`: a field is out of range; `overflow`: the scratchpad address is too large,
    `error_number` names the command.
    Latency: 1 cycle from beat to write; throughput: one word per cycle, `unpack` one pixel per cycle.
    """

    def __init__(self, *, scratchpad_words: int, queue_memory: str = "distributed"):
        self._words, self._queue_memory = scratchpad_words, queue_memory
        super().__init__(
            {
                **cmd.members(Unit.LOAD),
                "number": In(cmd.NUMBER_BITS),
                "base": In(32),
                "limit": In(33),
                "request": Out(stream.Signature(BurstRequest)),
                "beat": In(stream.Signature(BEAT_BITS)),
                "write": Out(stream.Signature(LoadWrite)),
                "finished": Out(1),
                "illegal": Out(1),
                "overflow": Out(1),
                "error_number": Out(cmd.NUMBER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter()
        m.submodules.walk = walk = WordWalk()
        m.submodules.jobs = jobs = Queue(
            width=RowJob.as_shape().size, depth=JOBS_AHEAD, memory=self._queue_memory
        )
        wiring.connect(m, splitter.o, wiring.flipped(self.request))
        self._start(m, splitter, jobs)
        following = Signal(RowJob, reset_less=True)  # the job behind the one that is walked
        follows = Signal()
        m.d.comb += [
            walk.i.payload.eq(following),
            walk.i.valid.eq(follows),
            jobs.r_en.eq(~follows | walk.i.ready),
        ]
        with m.If(jobs.r_en):
            m.d.sync += [following.as_value().eq(jobs.r_data), follows.eq(jobs.r_rdy)]
        self._write_words(m, walk)
        return m

    def _start(self, m, splitter, jobs) -> None:
        """Hand a command whose waits are met to both walks: runs of bytes outside, rows of words inside."""
        command = cmd.fields(Unit.LOAD, self.command)
        start = Signal()
        job = Signal(RowJob)
        run = splitter.i.payload
        m.d.comb += [job[name].eq(value) for name, value in RowJob.from_command(m, command, self.number).items()]
        # The runs of one block follow each other without a gap, so a block is `rows` runs of `width` words.
        legal = Signal()
        row_units = Signal(16, reset_less=True)
        m.d.sync += [
            legal.eq(legal_transfer(command)),
            row_units.eq(Mux(command.unpack, (command.width + 3) >> 2, command.width)),
        ]
        blocks_left = Signal(16, reset_less=True)
        last_block = Signal()
        block_unit = Signal(UNIT_BITS, reset_less=True)  # of the block's external address
        walking = Signal()
        m.d.comb += [
            self.illegal.eq(self.command_valid & ~legal),
            start.eq(self.command_valid & legal & self.may_start & jobs.w_rdy & ~walking),
            jobs.w_data.eq(job.as_value()),
            jobs.w_en.eq(start),
        ]
        with m.If(start):
            first = self.base[4:] + command.address[4:]
            m.d.sync += [
                walking.eq(1), blocks_left.eq(command.blocks), last_block.eq(command.blocks == 1), block_unit.eq(first)
            ]
        m.d.comb += [
            splitter.i.valid.eq(walking),
            splitter.limit.eq(self.limit),
            run.address.eq(block_unit << 4),
            run.stride.eq(row_units << 4),
            run.units.eq(row_units),
            run.count.eq(command.rows),
            run.number.eq(self.number),
        ]
        with m.If(walking & splitter.i.ready):
            m.d.comb += self.command_ready.eq(last_block)
            m.d.sync += [
                blocks_left.eq(blocks_left - 1),
                last_block.eq(blocks_left == 2),
                block_unit.eq(block_unit + command.external_block_stride[4:]),
                walking.eq(~last_block),
            ]

    def _write_words(self, m, walk) -> None:
        """One beat is one word, or with `unpack` the four channels of four pixels.

        Behind a word outside the scratchpad beats are taken and nothing is written.
        """
        pixel = self.beat.payload.word_select(walk.quarter, 32)
        in_range = walk.address < self._words
        m.submodules.words = words = SkidBuffer(Word)
        word = words.i.payload
        take = Signal()
        m.d.comb += [
            word.write.address.eq(walk.address),
            word.write.data.eq(Mux(walk.unpack, pixel, self.beat.payload)),
            word.last.eq(walk.last),
            words.i.valid.eq(take & in_range & ~self.overflow),
            take.eq(walk.valid & words.i.ready & self.beat.valid),
            walk.step.eq(take),
            self.beat.ready.eq(walk.valid & words.i.ready & walk.last_in_beat),
            self.write.payload.eq(words.o.payload.write),
            self.write.valid.eq(words.o.valid),
            words.o.ready.eq(self.write.ready),
        ]
        with m.If(take & ~self.overflow):
            m.d.sync += [self.overflow.eq(~in_range), self.error_number.eq(walk.number)]
        m.d.sync += self.finished.eq(self.write.valid & self.write.ready & words.o.payload.last)

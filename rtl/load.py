"""LOAD: external activations into the scratchpad, requests running ahead of the data."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.encoding import Unit
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS
from rtl.queue import Queue
from rtl.scratchpad import LoadWrite
from rtl.transfer import UNIT_BITS, BurstRequest, BurstSplitter, RowJob, WordWalk, legal_transfer

JOBS_AHEAD = 4  # commands whose requests may run ahead of the one whose data are written


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
        following = Signal(RowJob)  # the job behind the one that is walked
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
        row_units = Signal(16)
        m.d.sync += [
            legal.eq(legal_transfer(command)),
            row_units.eq(Mux(command.unpack, (command.width + 3) >> 2, command.width)),
        ]
        block = Signal(16)
        block_unit = Signal(UNIT_BITS)  # of the block's external address
        walking = Signal()
        m.d.comb += [
            self.illegal.eq(self.command_valid & ~legal),
            start.eq(self.command_valid & legal & self.may_start & jobs.w_rdy & ~walking),
            jobs.w_data.eq(job.as_value()),
            jobs.w_en.eq(start),
        ]
        with m.If(start):
            first = self.base[4:] + command.address[4:]
            m.d.sync += [walking.eq(1), block.eq(0), block_unit.eq(first)]
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
            m.d.sync += [block.eq(block + 1), block_unit.eq(block_unit + command.external_block_stride[4:])]
            with m.If(block + 1 == command.blocks):
                m.d.comb += self.command_ready.eq(1)
                m.d.sync += walking.eq(0)

    def _write_words(self, m, walk) -> None:
        """One beat is one word, or with `unpack` the four channels of four pixels."""
        pixel = self.beat.payload.word_select(walk.quarter, 32)
        in_range = walk.address < self._words
        word = Signal(LoadWrite)
        full = Signal()
        take = Signal()
        can_take = Signal()
        m.d.comb += [
            word.address.eq(walk.address),
            word.data.eq(Mux(walk.unpack, pixel, self.beat.payload)),
            can_take.eq(walk.valid & ~full & ~self.overflow),
            take.eq(can_take & self.beat.valid),
            walk.step.eq(take),
            self.beat.ready.eq(can_take & (~walk.unpack | (walk.quarter == 3) | walk.last_in_row)),
        ]
        with m.If(take):
            m.d.sync += [self.overflow.eq(~in_range), self.error_number.eq(walk.number)]
        self._offer(m, Cat(word, walk.last), take, in_range, full)

    def _offer(self, m, word, take, in_range, full) -> None:
        """Words leave from a register; one that meets a write that has to wait is kept beside it (`full`).

        Of those that are taken only a word in range is written.
        """
        kept = Signal(len(word))
        last = Signal()
        following = Mux(full, kept, word)
        with m.If(~self.write.valid | self.write.ready):
            m.d.sync += [Cat(self.write.payload, last).eq(following), full.eq(0)]
            m.d.sync += self.write.valid.eq(full | (take & in_range))
        with m.Elif(take):
            m.d.sync += [kept.eq(word), full.eq(in_range)]
        m.d.sync += self.finished.eq(self.write.valid & self.write.ready & last)

# amaranth: UnusedElaboratable=no
"""LOAD: every beat becomes one word, or one per pixel in it, in order, held; every command is walked once."""

from amaranth.hdl import Assert, Assume, Cat, Mux, Signal
from amaranth.lib.wiring import In

from compiler.encoding import Unit, length_units
from rtl.command import fields
from rtl.interfaces import BEAT_BITS
from rtl.load import JOBS_AHEAD
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.skid_buffer import item_in
from rtl.prove.streams import StreamHarness, given, holds, previous, stays
from rtl.scratchpad import ADDRESS_BITS
from rtl.transfer import RowJob, legal_transfer

COMMAND_BITS = length_units(Unit.LOAD) * BEAT_BITS
SCRATCHPAD_WORDS = 2048


class LoadHarness(StreamHarness):
    """Free commands, beats and readiness; a command and a beat are held until they are taken."""

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.Load(scratchpad_words=SCRATCHPAD_WORDS)
        self._free = {
            "command": In(COMMAND_BITS), "may_start": In(1), "number": In(16), "base": In(32), "limit": In(33),
        }
        ends = {"request_ready": In(1), "beat_valid": In(1), "beat": In(BEAT_BITS), "write_ready": In(1)}
        super().__init__({**self._free, **ends, "command_valid": In(1), "chosen": In(2)})

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in self._free]
        m.d.comb += [
            dut.command_valid.eq(self.command_valid), dut.request.ready.eq(self.request_ready),
            dut.beat.valid.eq(self.beat_valid), dut.beat.payload.eq(self.beat), dut.write.ready.eq(self.write_ready),
        ]
        for name in ("command", "number"):
            value = getattr(self, name)
            holds(m, Assume, self.started, self.command_valid, dut.command_ready, value, f"given_{name}")
        stays(m, self.started, self.limit, "limit")
        was = fields(Unit.LOAD, given(m, self.command_valid, self.command))
        m.d.comb += Assert(self._signals["legal"] == legal_transfer(was))
        holds(m, Assume, self.started, self.beat_valid, dut.beat.ready, self.beat, "beat")
        holds(m, Assert, self.started, dut.write.valid, dut.write.ready, dut.write.payload.as_value(), "write")
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.as_value(), "request")
        self._words(m, dut, module.submodules.walk, module.submodules.words)
        self._commands(m, dut, module.submodules.jobs, module.submodules.walk)
        self._asked(m, dut, module.submodules.splitter.i)
        return m

    def _words(self, m, dut, walk, words) -> None:
        """`pixel`: words written from the beat that is offered."""
        read, pixel = self._signals["take"], Signal(2)
        taken = dut.beat.valid & dut.beat.ready
        whole = Mux(walk.unpack, self.beat.word_select(pixel, 32), self.beat)[:BEAT_BITS]
        with m.If(read):
            m.d.sync += pixel.eq(Mux(taken, 0, pixel + 1))
            m.d.comb += Assert(taken == (~walk.unpack | (pixel == 3) | walk.last_in_row))
        written = dut.write.valid & dut.write.ready
        in_range = walk.address < SCRATCHPAD_WORDS
        word = Follow(
            m, entered=read & in_range & ~dut.overflow, left=written,
            item=Cat(walk.address[:ADDRESS_BITS], whole, walk.last), chosen=self.chosen[1], room=2, name="word",
        )
        m.d.comb += [
            Assert(word.inside == dut.write.valid + words.full),
            Assert(dut.write.valid | ~words.full),
            Assert(dut.write.payload.as_value() == words.o.payload.write.as_value()),
            Assert(~word.watched | (word.kept == item_in(words, word.ahead))),
            Assert(dut.finished == previous(m, written & words.o.payload.last, "finished")),
            Assert(~taken | read),
            Assert(~walk.valid | (walk.last_in_beat == (~walk.unpack | (walk.quarter == 3) | walk.last_in_row))),
            Assert(pixel == Mux(walk.valid & walk.unpack, walk.quarter, 0)),
            Assert(~walk.valid | ~self.beat_valid | read | words.full),  # never stuck
            Assert(dut.overflow == previous(m, dut.overflow | (read & ~in_range), "overflow")),  # from then on
        ]

    def _commands(self, m, dut, jobs, walk) -> None:
        """`begun`: the command that is offered was handed to both walks, and its requests are not all out."""
        handed, begun = Signal(), Signal()
        m.d.comb += handed.eq(jobs.w_en & jobs.w_rdy)
        with m.If(handed):
            m.d.sync += begun.eq(1)
        with m.Elif(dut.command_ready):
            m.d.sync += begun.eq(0)
        job = Follow(
            m, entered=handed, left=walk.step & walk.last, item=jobs.w_data, chosen=self.chosen[0],
            room=JOBS_AHEAD + 2, name="job",
        )
        jobs.is_well_formed(m)
        follows, following = self._signals["follows"], self._signals["following"]
        kept, waiting = RowJob(job.kept), jobs.entry(m, job.ahead - walk.valid - follows)
        m.d.comb += [
            Assert(~jobs.w_en | jobs.w_rdy),
            Assert(begun == self._signals["walking"]),
            Assert(~begun | self.command_valid),
            Assert(~handed | ~begun),
            Assert(~dut.command_ready | begun),
            Assert(job.inside == jobs.level + walk.valid + follows),
        ]
        with m.If(job.watched & walk.valid & (job.ahead == 0)):
            m.d.comb += Assert((walk.number == kept.number) & (walk.unpack == kept.unpack))
        with m.Elif(job.watched & follows & (job.ahead == walk.valid)):
            m.d.comb += Assert(following.as_value() == job.kept)
        with m.Elif(job.watched):
            m.d.comb += Assert(waiting == job.kept)

    def _asked(self, m, dut, run) -> None:
        """Every block of the command is handed to the splitter once; `asked` counts them."""
        asked, handed, blocks = Signal(16), run.valid & run.ready, fields(Unit.LOAD, self.command).blocks
        m.d.comb += [
            Assert(dut.command_ready == (handed & (asked + 1 == blocks))),
            Assert(~self._signals["walking"] | ((self._signals["blocks_left"] == blocks - asked) & (asked < blocks))),
            Assert(~self._signals["walking"] | (self._signals["last_block"] == (self._signals["blocks_left"] == 1))),
            Assert(self._signals["walking"] | (asked == 0)),
        ]
        with m.If(handed):
            m.d.sync += asked.eq(Mux(dut.command_ready, 0, asked + 1))


PROOFS = (
    Proof(
        name="load", module="rtl.load", harness=lambda space: LoadHarness(space), depth=2,
        claim="every beat is written once, whole or pixel by pixel, in order, held; every command is walked once",
        bugs=(
            ("take.eq(walk.valid & words.i.ready & self.beat.valid)", "take.eq(walk.valid & self.beat.valid)"),
            ("take & in_range & ~self.overflow", "take & in_range"),
            ("take & in_range & ~self.overflow", "take & ~self.overflow"),
            ("with m.If(take & ~self.overflow):", "with m.If(take):"),
            ("last_block.eq(blocks_left == 2)", "last_block.eq(blocks_left == 1)"),
            ("words.o.ready.eq(self.write.ready)", "words.o.ready.eq(1)"),
            ("words.i.ready & walk.last_in_beat", "words.i.ready"),
            ("jobs.w_rdy & ~walking", "~walking"),
            ("jobs.w_rdy & ~walking", "jobs.w_rdy"),
            ("jobs.r_en.eq(~follows | walk.i.ready)", "jobs.r_en.eq(1)"),
            ("with m.If(walking & splitter.i.ready):", "with m.If(walking):"),
        ),
    ),
)

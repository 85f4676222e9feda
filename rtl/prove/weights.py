# amaranth: UnusedElaboratable=no
"""WEIGHTS: every beat is written to one memory, once; every command takes as many as it says."""

from amaranth.hdl import Assert, Cat, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In

from compiler.config import PRESETS
from compiler.encoding import Unit, length_units
from rtl.command import fields
from rtl.interfaces import BEAT_BITS
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, given, holds, previous, stays
from rtl.weights import JOBS_AHEAD


class Job(data.Struct):
    """What the unit keeps of a command."""

    row: unsigned(16)
    parameters: unsigned(1)
    length: unsigned(20)


class WeightsHarness(StreamHarness):
    """Free commands and beats; a command that is not legal is never started."""

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.Weights(PRESETS["small"])
        self._free = {
            "command": In(length_units(Unit.WEIGHTS) * BEAT_BITS), "command_valid": In(1), "may_start": In(1),
            "number": In(16), "base": In(32), "limit": In(33),
        }
        ends = {"request_ready": In(1), "beat_valid": In(1), "beat": In(BEAT_BITS)}
        super().__init__({**self._free, **ends, "chosen": In(1)})

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in self._free]
        m.d.comb += [dut.request.ready.eq(self.request_ready), dut.beat.valid.eq(self.beat_valid)]
        m.d.comb += dut.beat.payload.eq(self.beat)
        stays(m, self.started, self.limit, "limit")
        was = fields(Unit.WEIGHTS, given(m, self.command_valid, self.command))
        m.d.comb += Assert(self._signals["legal"] == ((was.length != 0) & (was.address[:4] == 0)))
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.as_value(), "request")
        jobs, run = module.submodules.jobs, module.submodules.splitter.i
        begun = dut.command_valid & dut.command_ready
        signals = self._signals
        busy, follows = signals["busy"], signals["follows"]
        job = Follow(
            m, entered=begun, left=signals["take"] & signals["ends"], item=jobs.w_data, chosen=self.chosen,
            room=JOBS_AHEAD + 2, name="job",
        )
        jobs.is_well_formed(m)
        m.d.comb += [
            Assert(jobs.w_en == begun),
            Assert((run.valid & run.ready) == begun),  # as many units are asked for as are written
            Assert(~begun | ((run.payload.units == Job(jobs.w_data).length) & (run.payload.count == 1))),
            Assert(~begun | jobs.w_rdy),
            Assert(~begun | ~dut.illegal),
            Assert(job.inside == jobs.level + follows + busy),
        ]
        waiting = jobs.entry(m, job.ahead - busy - follows)
        with m.If(job.watched & follows & (job.ahead == busy)):
            m.d.comb += Assert(signals["following"].as_value() == job.kept)
        with m.Elif(job.watched & ~(busy & (job.ahead == 0))):
            m.d.comb += Assert(waiting == job.kept)
        self._beats(m, dut, job)
        return m

    def _beats(self, m, dut, job) -> None:
        """`written`: beats of the followed command that are in its memory."""
        kept, written, turn = Job(job.kept), Signal(20), Signal()
        taken, left = dut.beat.valid & dut.beat.ready, self._signals["left"]
        busy, ends, parameters = (self._signals[name] for name in ("busy", "ends", "parameters"))
        was_taken = previous(m, Cat(taken & ~parameters, taken & parameters, taken & ends), "taken")
        m.d.comb += [
            turn.eq(job.watched & (job.ahead == 0)),
            Assert(~self.started | (Cat(dut.weight_enable, dut.parameter_enable, dut.finished) == was_taken)),
            Assert(~self.started | ~was_taken[:2].any() | (dut.data == previous(m, self.beat, "beat"))),
            Assert(~(turn & busy) | ((left == kept.length - written) & (ends == (left == 1)))),
            Assert(~(turn & busy) | (parameters == kept.parameters)),
            Assert(~turn | (written < kept.length)),
            Assert(~(turn & ~busy) | (written == 0)),
            Assert(turn | (written == 0)),
            Assert(~job.watched | (kept.length != 0)),
        ]
        with m.If(turn & taken):
            m.d.sync += written.eq(written + 1)
            m.d.comb += Assert(ends == (written + 1 == kept.length))
            with m.If(job.leaves):
                m.d.sync += written.eq(0)


PROOFS = (
    Proof(
        name="weights", module="rtl.weights", harness=lambda space: WeightsHarness(space), depth=2,
        claim="every beat is written once, to the memory of its command; every command takes its length, in order",
        bugs=(
            ("take.eq(busy & self.beat.valid)", "take.eq(self.beat.valid)"),
            ("jobs.r_en.eq(~follows | begins)", "jobs.r_en.eq(1)"),
            ("self.may_start & jobs.w_rdy)", "self.may_start)"),
            ("start.eq(go & splitter.i.ready)", "start.eq(go)"),
            ("ends.eq(left == 2)", "ends.eq(left == 1)"),
        ),
    ),
)

# amaranth: UnusedElaboratable=no
"""The burst splitter: all units of all runs, once, in order, in bursts that are held and cross no 256-byte boundary."""

from amaranth.hdl import Assert, Assume, Mux, Signal
from amaranth.lib.wiring import In

from rtl.interfaces import BURST_BEATS
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds, stays
from rtl.transfer import BurstRequest, Contiguous

BURST_BYTES = 16 * BURST_BEATS


class SplitterHarness(StreamHarness):
    """Walks the units of the job in hand beside the splitter; `due` is the address of the next one.

    A burst that is not inside the region is never taken, as by the arbiter.
    """

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.BurstSplitter()
        super().__init__({"valid": In(1), "job": In(Contiguous), "ready": In(1), "limit": In(33)})

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = dut.elaborate(platform)
        m.d.comb += [dut.i.valid.eq(self.valid), dut.i.payload.eq(self.job), dut.o.ready.eq(self.ready)]
        m.d.comb += [dut.limit.eq(self.limit), Assume(~self.ready | dut.o.payload.inside)]
        stays(m, self.started, self.limit, "limit")
        legal = (self.job.units != 0) & (self.job.count != 0) & (self.job.address[:4] == 0) & (self.job.stride[:4] == 0)
        m.d.comb += Assume(~self.valid | legal)
        holds(m, Assert, self.started, dut.o.valid, dut.o.ready, dut.o.payload.as_value(), "o")
        job, busy, due, run = Signal(Contiguous), Signal(), Signal(33), Signal(33)
        units, runs = Signal(32), Signal(16)  # still to ask for: in this run, and runs with this one
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [
                busy.eq(1), job.eq(self.job), units.eq(self.job.units), runs.eq(self.job.count),
                due.eq(self.job.address), run.eq(self.job.address),
            ]
        offered, burst = Signal(), Signal(BurstRequest)  # what has come out of the walk and not been taken
        with m.If(busy & ~offered):
            m.d.sync += offered.eq(1)
            self._burst(m, burst, job, busy, due, run, units, runs)
        with m.Elif(self.ready):
            m.d.sync += offered.eq(0)
        m.d.comb += [Assert(dut.i.ready == ~busy), Assert(dut.o.valid == offered)]
        m.d.comb += Assert(~offered | (dut.o.payload.as_value() == burst.as_value()))
        with m.If(busy):
            self._belongs(m, job, due, run, units, runs)
        return m

    def _burst(self, m, burst, job, busy, due, run, units, runs) -> None:
        room, beats = Signal(range(BURST_BEATS + 1)), Signal(range(BURST_BEATS + 1))
        m.d.comb += [room.eq((BURST_BYTES - due[:8]) >> 4), beats.eq(Mux(units < room, units, room))]
        m.d.sync += [
            burst.address.eq(due),
            burst.number.eq(job.number),
            burst.length.eq(beats - 1),
            burst.inside.eq(due + 16 * beats <= self.limit),
            due.eq(due + 16 * beats),
            units.eq(units - beats),
        ]
        with m.If(beats == units):
            m.d.sync += [due.eq(run + job.stride), run.eq(run + job.stride), units.eq(job.units), runs.eq(runs - 1)]
            m.d.sync += busy.eq(runs != 1)

    def _belongs(self, m, job, due, run, units, runs) -> None:
        """What the splitter keeps is what the walk keeps."""
        pairs = {
            "address": due[4:], "next_run": (run + job.stride)[4:33], "ends": units <= (BURST_BYTES - due[:8]) >> 4,
            "units": units, "remaining": runs,
            "stride": job.stride[4:], "number": job.number, "run_units": job.units,
        }
        m.d.comb += [Assert(self._signals[name] == value) for name, value in pairs.items()]
        o = self._dut.o
        left = self._signals["left"] == self.limit[4:] - due[4:]
        m.d.comb += Assert(left | (o.valid & ~o.payload.inside))  # a burst outside is the last one looked at
        m.d.comb += Assert((units != 0) & (runs != 0) & (job.units != 0) & (due[:4] == 0) & (job.stride[:4] == 0))
        m.d.comb += Assert(run[:4] == 0)


PROOFS = (
    Proof(
        name="burst_splitter", module="rtl.transfer", harness=lambda space: SplitterHarness(space), depth=2,
        claim="every unit of every run is in one burst, in order, held, and no burst crosses 256 bytes",
        bugs=(
            ("busy & ~self.o.valid", "busy"),
            ("to_boundary.eq(BURST_BEATS - address[:4])", "to_boundary.eq(BURST_BEATS)"),
            ("again & (remaining != 1)", "again & (remaining != 0)"),
            ("self.i.ready.eq(~busy)", "self.i.ready.eq(1)"),
            ("(left >= units) | (left >= to_boundary)", "left >= 1"),
            ("left.eq(left - to_boundary)", "left.eq(left - BURST_BEATS)"),
            ("units <= BURST_BEATS + to_boundary", "units <= BURST_BEATS"),
        ),
    ),
)

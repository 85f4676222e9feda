"""Start, end, error and time-out of a program."""

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import Control, Error


class ProgramControl(wiring.Component):
    """IDLE -> RUN -> (END) or (error: DRAIN) -> IDLE.

    Members: `control`; `moved`: something moves on the memory's side; `failed`, `error`, `error_number`: an error of
    this cycle; `ended`: the program is over; `idle`: the memory owes nothing; `run`: a program runs; `hold`: ask for
    nothing more; `discard`: drop what still comes; `clear`: forget everything under way, in the cycle after start,
    end and reset; `running`: from start to done.

    Parameters: without_timeout: `control.timeout` is not used.
    """

    control: Out(Control)
    moved: In(1)
    failed: In(1)
    error: In(4)
    error_number: In(16)
    ended: In(1)
    idle: In(1)
    run: Out(1)
    hold: Out(1)
    discard: Out(1)
    clear: Out(1, init=1)
    running: Out(1)

    def __init__(self, *, without_timeout: bool = False):
        self._without_timeout = without_timeout
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        control, running = self.control, self.running
        stuck = self._timeout(m)
        m.d.comb += control.busy.eq(running)
        m.d.sync += self.clear.eq(0)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += self.hold.eq(1)
                with m.If(control.start):
                    m.d.sync += [self.clear.eq(1), running.eq(1)]
                    m.d.sync += [control.error.eq(Error.NONE), control.error_command.eq(0)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.run.eq(~self.clear)
                with m.If(control.soft_reset):
                    m.d.sync += control.error.eq(Error.ABORTED)
                    m.next = "DRAIN"
                with m.Elif(self.failed):
                    m.d.sync += [control.error.eq(self.error), control.error_command.eq(self.error_number)]
                    m.next = "DRAIN"
                if not self._without_timeout:
                    with m.Elif(stuck):
                        m.d.sync += control.error.eq(Error.TIMEOUT)
                        m.next = "DRAIN"
                with m.Elif(self.ended):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.hold.eq(1)
                with m.If(stuck & (control.error == Error.NONE)):
                    m.d.sync += control.error.eq(Error.TIMEOUT)
                with m.If(self.idle | stuck):
                    m.d.comb += control.done.eq(1)
                    m.d.sync += [self.clear.eq(1), running.eq(0)]
                    m.next = "IDLE"
        m.d.comb += self.discard.eq(fsm.ongoing("DRAIN") | self.clear)
        return m

    def _timeout(self, m) -> Value:
        """High for a cycle when the bus owes something and nothing has moved on it for `timeout` cycles and two."""
        if self._without_timeout:
            return Const(0)
        waiting, stuck = Signal(32), Signal()
        rests = Signal()  # the bus moved or owed nothing in the cycle before
        m.d.sync += rests.eq(self.moved | self.idle)
        with m.If(rests | self.clear | stuck):
            m.d.sync += waiting.eq(0)
        with m.Else():
            m.d.sync += waiting.eq(waiting + 1)
        m.d.sync += stuck.eq((self.control.timeout != 0) & (waiting >= self.control.timeout) & ~stuck & ~self.clear)
        return stuck

"""The sequencer with its row planner: the next row, also of the next command, is prepared while one runs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from rtl import command as cmd
from rtl.interfaces import Cause
from rtl.microop import CONTEXTS, micro_op
from rtl.rows import RowPlanner
from rtl.sequencer import Sequencer


class PlannedWalk(wiring.Component):
    """Rows and commands follow each other without gaps once planned.

    Members: `rtl.command.members`; `blocked_cause`: why a command could not start; `room`: a result may be issued;
    `context_free`: a new command may start; `issue`: this cycle's micro-operation; `takes_room`: it makes a result;
    `residual_address`, `wants_residual`: of that result; `starts_command` with `context`: `command` becomes the next
    context's; `cause`, `layer`: of the cycle before; `illegal`: a field is out of range.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                **cmd.members(Unit.COMPUTE),
                "blocked_cause": In(4),
                "room": In(1),
                "context_free": In(1),
                "issue": Out(micro_op(config)),
                "takes_room": Out(1),
                "wants_residual": Out(1),
                "residual_address": Out(16),
                "starts_command": Out(1),
                "context": Out(range(CONTEXTS)),
                "cause": Out(4, init=Cause.PROGRAM),
                "layer": Out(16),
                "illegal": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.planner = planner = RowPlanner(self._config)
        m.submodules.sequencer = sequencer = Sequencer(self._config)
        for name in ("command", "command_valid", "may_start", "blocked_cause", "context_free"):
            m.d.comb += getattr(planner, name).eq(getattr(self, name))
        for name in ("command_ready", "illegal", "starts_command", "context"):
            m.d.comb += getattr(self, name).eq(getattr(planner, name))
        for name in ("issue", "takes_room", "wants_residual", "residual_address"):
            m.d.comb += getattr(self, name).eq(getattr(sequencer, name))
        for name in ("plan", "plan_command", "shape"):
            m.d.comb += getattr(sequencer, name).eq(getattr(planner, name))
        m.d.comb += [
            sequencer.room.eq(self.room),
            sequencer.plan_valid.eq(planner.valid),
            planner.take.eq(sequencer.take),
        ]
        self._cause(m, planner, sequencer)
        return m

    def _cause(self, m, planner, sequencer) -> None:
        """Why the walk does nothing becomes the cause of a cycle when its place would be issued, a cycle later."""
        idle, idle_layer, place_layer = Signal(4, name="idle_cause"), Signal(16), Signal(16, name="place_layer")
        m.d.comb += [
            idle_layer.eq(sequencer.layer),
            idle.eq(Mux(planner.valid, Cause.REQUANTIZER, planner.cause)),
        ]
        with m.If(~sequencer.active & planner.valid):
            m.d.comb += idle_layer.eq(cmd.fields(Unit.COMPUTE, planner.plan_command).layer)
        with m.Elif(~sequencer.active & self.command_valid):
            m.d.comb += idle_layer.eq(cmd.fields(Unit.COMPUTE, self.command).layer)
        waited = Signal(4, init=Cause.PROGRAM, name="waited_cause")
        m.d.sync += waited.eq(idle)
        with m.If(self.room | ~sequencer.waits):
            m.d.sync += place_layer.eq(idle_layer)
        m.d.sync += [self.cause.eq(waited), self.layer.eq(place_layer)]
        with m.If(sequencer.issue.valid):
            m.d.sync += self.cause.eq(Mux(sequencer.issue.compute, Cause.ACTIVE, Cause.FILL))
        with m.Elif(sequencer.waits):
            m.d.sync += self.cause.eq(Cause.REQUANTIZER)

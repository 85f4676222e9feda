"""The sequencer with its row planner: the next row, also of the next command, is prepared while one runs."""

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from rtl import command as cmd
from rtl.interfaces import Cause
from rtl.microop import CONTEXTS, micro_op
from rtl.rows import COMMAND_BITS, RowPlanner
from rtl.sequencer import Sequencer


def walk_members(config: EngineConfig) -> dict:
    """What every walk has.

    `rtl.command.members`; `blocked_cause`: why a command could not start; `room`: a result may be issued;
    `context_free`: a new command may start; `issue`: this cycle's micro-operation; `takes_room`: it makes a result;
    `residual_address`, `wants_residual`: of that result; `starts_command` with `context`: `plan_command` becomes the
    next context's; `active`: a micro-operation waits for room or is issued; `cause`, `layer`: of a cycle without one;
    `illegal`: a field is out of range.
    """
    return {
        **cmd.members(Unit.COMPUTE),
        "blocked_cause": In(4),
        "room": In(1),
        "context_free": In(1),
        "issue": Out(micro_op(config)),
        "takes_room": Out(1),
        "wants_residual": Out(1),
        "residual_address": Out(16),
        "plan_command": Out(COMMAND_BITS),
        "starts_command": Out(1),
        "context": Out(range(CONTEXTS)),
        "active": Out(1),
        "cause": Out(4),
        "layer": Out(16),
        "illegal": Out(1),
    }


class PlannedWalk(wiring.Component):
    """Rows and commands follow each other without gaps once planned. Members: `walk_members`."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(walk_members(config))

    def elaborate(self, platform):
        m = Module()
        m.submodules.planner = planner = RowPlanner(self._config)
        m.submodules.sequencer = sequencer = Sequencer(self._config)
        for name in ("command", "command_valid", "may_start", "blocked_cause"):
            m.d.comb += getattr(planner, name).eq(getattr(self, name))
        for name in ("command_ready", "illegal", "plan_command"):
            m.d.comb += getattr(self, name).eq(getattr(planner, name))
        for name in ("room", "context_free"):
            m.d.comb += getattr(sequencer, name).eq(getattr(self, name))
        issued = ("issue", "takes_room", "wants_residual", "residual_address", "starts_command", "context", "active")
        for name in (*issued, "layer"):
            m.d.comb += getattr(self, name).eq(getattr(sequencer, name))
        m.d.comb += [
            planner.take.eq(sequencer.take),
            sequencer.plan.eq(planner.plan),
            sequencer.plan_command.eq(planner.plan_command),
            sequencer.plan_valid.eq(planner.valid),
            self.cause.eq(Mux(planner.valid, Cause.REQUANTIZER, planner.cause)),
        ]
        return m

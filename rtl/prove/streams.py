"""What harnesses of stream stages share: what is offered is held until it is taken."""

from amaranth.hdl import Assume, Module, Signal
from amaranth.lib import wiring

from rtl.prove.proof import harness_module


def previous(m: Module, value, name: str) -> Signal:
    """`value` one cycle ago."""
    register = Signal(value.shape(), name=f"{name}_before", reset_less=True)
    m.d.sync += register.eq(value)
    return register


def holds(m: Module, prop, started, valid, ready, payload, name: str) -> None:
    """`prop` (Assert or Assume): what was offered and not taken is offered again, unchanged."""
    was_valid, was_ready = previous(m, valid, f"{name}_valid"), previous(m, ready, f"{name}_ready")
    was = previous(m, payload, f"{name}_payload")
    with m.If(started & was_valid & ~was_ready):
        m.d.comb += prop(valid & (payload == was))


def stays(m: Module, started, value, name: str) -> None:
    """Assume that `value` is the same in every cycle."""
    m.d.comb += Assume(~started | (value == previous(m, value, name)))


def given(m: Module, valid, command, name: str = "command") -> Signal:
    """Assume that a command is there a cycle before it is valid; what it was a cycle ago."""
    was = Signal(command.shape(), name=f"{name}_given")
    m.d.sync += was.eq(command)
    m.d.comb += Assume(~valid | (command == was))
    return was


class StreamHarness(wiring.Component):
    """Common part: `started`, high from the second cycle on, when "one cycle ago" means something."""

    def __init__(self, members: dict):
        super().__init__(members)

    def begin(self) -> Module:
        m = harness_module()
        self.started = Signal()
        m.d.sync += self.started.eq(1)
        return m

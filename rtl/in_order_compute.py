"""COMPUTE of an engine without queues: walk, operands, array and results, one command at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encoding import Mode, Unit
from compiler.pipeline import InOrder
from rtl import command as cmd
from rtl.array import MacArray
from rtl.compute_ports import back_members, trace_members
from rtl.delay import delay_line
from rtl.in_order_operands import InOrderOperands, fine_bits
from rtl.in_order_results import InOrderResults
from rtl.in_order_scratchpad import part_address_bits
from rtl.in_order_walk import InOrderWalk
from rtl.interfaces import Cause

ADDRESS, WORD, BYTES, SUM, RESULT = InOrder.ADDRESS, InOrder.WORD, InOrder.BYTES, InOrder.SUM, InOrder.RESULT


class InOrderCompute(wiring.Component):
    """The compute unit of an engine without queues, without its memories' write sides.

    Members: `rtl.command.members`; scratchpad side: `row_address`, `row_enable`, `part`, `result`, `result_valid`;
    memory side: `weight_row`, `weights`, `parameter_row`, `bias`, `shift` (both memories 1 cycle); `finished`: pulse
    per command, which stays until then; `cause`, `cause_layer`: of this cycle; errors `illegal` and `overflow`.
    What counts operations, weight rows and parameter rows stands at the stage that needs it, not at the walk.
    """

    def __init__(self, config: EngineConfig, *, trace: bool):
        self._config, self._trace = config, trace
        members = {
            **cmd.members(Unit.COMPUTE),
            "row_address": Out(part_address_bits(config)),
            "row_enable": Out(1),
            "part": In(config.port_bytes * 8),
            **back_members(config),
        }
        super().__init__(members | trace_members(config) if trace else members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walk = self._walk = walk = InOrderWalk(config)
        m.submodules.operands = operands = InOrderOperands(config)
        m.submodules.array = array = MacArray(config)
        m.submodules.results = results = InOrderResults(config, trace=self._trace)
        self._c = cmd.fields(Unit.COMPUTE, self.command, config)
        for name in ("command", "command_valid", "may_start"):
            m.d.comb += getattr(walk, name).eq(getattr(self, name))
        m.d.comb += [self.command_ready.eq(walk.command_ready), self.illegal.eq(walk.illegal)]
        self._go = delay_line(m, walk.go, SUM, name="go")
        self._last = delay_line(m, walk.go & walk.last, RESULT, name="last")
        self._group_ends = delay_line(m, walk.group_ends, SUM, name="group_ends")
        outside = self._read(m)
        operand = self._operands(m, operands)
        self._weights(m)
        self._accumulate(m, array, operands)
        self._results(m, results, array, operand, outside)
        self._causes(m)
        if self._trace:
            m.d.comb += self.trace_layer.eq(self._c.layer)
            for name in ("acc", "shifted", "product"):
                m.d.comb += getattr(self, f"trace_{name}").as_value().eq(getattr(results, f"trace_{name}").as_value())
        return m

    def _read(self, m) -> Signal:
        """The part of an operation or of a residual operand; returns: it lies outside the scratchpad."""
        walk, address, outside = self._walk, Signal.like(self._walk.address), Signal()
        self._piece = delay_line(m, walk.piece, WORD, name="piece")
        coarse = self._piece[ADDRESS][fine_bits(self._config) :]
        m.d.sync += [address.eq(walk.address), self.row_enable.eq((walk.go & walk.inside) | walk.residual)]
        m.d.comb += [
            self.row_address.eq(Cat(coarse, address)),
            outside.eq(self.row_enable & (address >= self._config.scratchpad_words)),
        ]
        return outside

    def _operands(self, m, operands) -> Signal:
        """The operands of the array; returns the residual operand of the result to come."""
        walk, tap = self._walk, Signal(range(SEQUENTIAL_TAPS))
        read = delay_line(m, self.row_enable, WORD - ADDRESS, name="read")
        residual = delay_line(m, walk.residual, BYTES, name="residual")
        operand = Signal(len(operands.lane_bytes), reset_less=True)
        m.d.comb += [
            operands.part.eq(self.part),
            operands.inside.eq(read[-1]),
            operands.piece.eq(self._piece[WORD]),
            operands.sequential.eq(self._c.mode == Mode.SEQUENTIAL),
            operands.zero_point.eq(self._c.input_zero_point),
            operands.tap.eq(tap),
        ]
        with m.If(self._go[BYTES]):
            m.d.sync += tap.eq(Mux(self._last[BYTES], 0, tap + 1))
        with m.If(residual[BYTES]):
            m.d.sync += operand.eq(operands.lane_bytes)
        self._tap = tap
        return operand

    def _weights(self, m) -> None:
        """The weight row at BYTES: through a group's rows for every result, then to the next group's."""
        c = self._c
        first, following = Signal.like(self.weight_row), Signal.like(self.weight_row)
        steps = (c.mode != Mode.SEQUENTIAL) | (self._tap == SEQUENTIAL_TAPS - 1)
        m.d.comb += following.eq(self.weight_row + ~c.hold_weights)
        with m.If(self._group_ends[BYTES]):
            m.d.sync += [self.weight_row.eq(following), first.eq(following)]
        with m.Elif(self._last[BYTES]):
            m.d.sync += self.weight_row.eq(first)
        with m.Elif(self._go[BYTES] & steps):
            m.d.sync += self.weight_row.eq(following)
        with m.If(self._walk.starts):
            m.d.sync += [self.weight_row.eq(c.weight_row), first.eq(c.weight_row)]

    def _accumulate(self, m, array, operands) -> None:
        """Sums begin with the bias, or with what a partial command left."""
        fresh = Signal(init=1)
        m.d.comb += [
            array.x.eq(operands.x),
            array.w.as_value().eq(self.weights),
            array.accumulate.eq(self._go[SUM]),
            array.first.eq(fresh & ~self._c.continues),
            array.bias.as_value().eq(self.bias.as_value()),
        ]
        with m.If(self._go[SUM]):
            m.d.sync += fresh.eq(self._last[SUM])
        with m.If(self._group_ends[SUM]):
            m.d.sync += self.parameter_row.eq(self.parameter_row + 1)
        with m.If(self._walk.starts):
            m.d.sync += self.parameter_row.eq(self._c.parameter_row)

    def _results(self, m, results, array, operand, outside) -> None:
        walk = self._walk
        m.d.comb += [
            results.issued.eq(walk.go & walk.last),
            results.place.eq(walk.place),
            results.push.eq(self._last[RESULT]),
            results.acc.as_value().eq(array.acc.as_value()),
            results.shift.eq(self.shift),
            results.operand.eq(operand),
            results.command.eq(self.command),
            self.result.eq(results.result),
            self.result_valid.eq(results.result_valid),
            self.finished.eq(results.finished),
            self.overflow.eq(outside | results.overflow),
        ]

    def _causes(self, m) -> None:
        walk = self._walk
        m.d.comb += self.cause_layer.eq(self._c.layer)
        with m.If(walk.go):
            m.d.comb += self.cause.eq(Cause.ACTIVE)
        with m.Elif(walk.active):
            m.d.comb += self.cause.eq(Cause.REQUANTIZER)
        with m.Else():
            m.d.comb += self.cause.eq(Cause.PROGRAM)

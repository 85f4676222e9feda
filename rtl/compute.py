"""COMPUTE: walk, operand unit, array and results, wired as one pipeline."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.encoding import Unit
from compiler.pipeline import ADDRESS, FEED, MULTIPLY, WORDS, pipeline
from rtl import command as cmd
from rtl.array import MacArray
from rtl.bank import SUB_BITS
from rtl.compute_ports import back_members, trace_members
from rtl.delay import delay_line, delayed
from rtl.microop import CONTEXTS, RIGHT, further_pixels
from rtl.operands import Operands
from rtl.planned_walk import PlannedWalk
from rtl.results import Results
from rtl.scratchpad import ADDRESS_BITS, ResidualRead, parts_layout, row_members
from rtl.weights import ParameterMemory, WeightMemory


class Compute(wiring.Component):
    """The compute unit without its memories' write sides.

    Members: `rtl.command.members` and `number`, the command's; `blocked_cause`; scratchpad side: `row_address`,
    `row_enable`, `group_sub`, `word`, `part`, `residual`, `residual_part`, `result`, `result_valid`; memory side:
    `weight_row`, `weights`, `parameter_row`, `bias`, `shift`; `finished`: pulse per command; `cause`, `cause_layer`: of
    this cycle; errors `illegal` and `overflow`.
    Latency: `compiler.pipeline.pipeline(config).written` cycles from the last micro-operation to the written result.
    """

    def __init__(self, config: EngineConfig, *, trace: bool):
        self._config = config
        self._trace = trace
        members = {
            **cmd.members(Unit.COMPUTE),
            "number": In(cmd.NUMBER_BITS),
            "blocked_cause": In(4),
            "row_address": Out(data.ArrayLayout(ADDRESS_BITS, config.row_ports)),
            "row_enable": Out(config.row_ports),
            "group_sub": Out(SUB_BITS),
            **row_members(config, In),
            "residual": Out(stream.Signature(ResidualRead)),
            "residual_part": In(parts_layout(config)),
            **back_members(config),
            "overflow_number": Out(cmd.NUMBER_BITS),
        }
        super().__init__(members | trace_members(config) if trace else members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walk = walk = PlannedWalk(config)
        m.submodules.operands = operands = Operands(config)
        m.submodules.array = array = MacArray(config)
        m.submodules.results = results = Results(config, trace=self._trace)
        self._front(m, walk, results)
        stages = pipeline(config)
        at = self._stages(m, walk.issue, stages.result)
        self._overflow(m, walk, results, self._addresses(m, at[1], at[ADDRESS]), at[ADDRESS].result.context)
        accumulates = Signal()
        m.d.sync += accumulates.eq(at[stages.sum - 1].valid & at[stages.sum - 1].compute)
        m.d.comb += [
            self.group_sub.eq(at[ADDRESS].group_sub),
            *(getattr(operands, name).eq(getattr(self, name)) for name in row_members(config, In)),
            operands.at_words.eq(at[WORDS]),
            operands.at_feed.eq(at[FEED]),
            self.weight_row.eq(at[MULTIPLY - WeightMemory.read_latency].weight_row),
            self.parameter_row.eq(at[stages.sum - ParameterMemory.read_latency].parameter_row),
            array.x.eq(operands.x),
            array.w.as_value().eq(self.weights),
            array.accumulate.eq(accumulates),
            array.first.eq(at[stages.sum].first),
            array.bias.as_value().eq(self.bias.as_value()),
        ]
        if config.pixels > 1:
            m.d.comb += [operands.first.eq(self._first_parities(m)), operands.before_words.eq(at[WORDS - 1])]
        shift = Signal.like(self.shift, name="shift_at_result", reset_less=True)
        push = Signal()
        m.d.sync += [shift.eq(self.shift), push.eq(at[stages.sum].valid & at[stages.sum].last)]
        m.d.comb += [
            results.push.eq(push),
            results.acc.eq(array.acc),
            results.shift.eq(shift),
            results.tag.eq(at[stages.result].result),
        ]
        self._write_side(m, results)
        return m

    def _stages(self, m, issue, last: int) -> list:
        """The micro-operation at stages 0 to `last`; a reset makes it invalid and leaves the rest."""
        valid = delay_line(m, issue.valid, last, name="op_valid")
        stages = delay_line(m, issue, last, name="op", reset_less=True)
        for stage in range(1, last + 1):
            whole = Signal.like(issue, name=f"stage_{stage}")
            m.d.comb += [whole.eq(stages[stage]), whole.valid.eq(valid[stage])]
            stages[stage] = whole
        return stages

    def _front(self, m, walk, results) -> None:
        for name in ("command", "command_valid", "may_start", "blocked_cause"):
            m.d.comb += getattr(walk, name).eq(getattr(self, name))
        for name in ("command_ready", "illegal", "cause"):
            m.d.comb += getattr(self, name).eq(getattr(walk, name))
        m.d.comb += [
            walk.room.eq(results.room),
            walk.context_free.eq(results.context_free),
            results.command.eq(self.command),
            results.residual_sub.eq(walk.issue.result.sub),
            self.cause_layer.eq(walk.layer),
        ]
        for name in ("takes_room", "wants_residual", "residual_address", "starts_command", "context"):
            m.d.comb += getattr(results, name).eq(getattr(walk, name))

    def _overflow(self, m, walk, results, address_wrong, address_context) -> None:
        """An address outside the memory, of an input, a residual operand or a result, is told of two cycles later."""
        numbers = Array(Signal(cmd.NUMBER_BITS, name=f"number_{i}", reset_less=True) for i in range(CONTEXTS))
        with m.If(walk.starts_command):
            m.d.sync += numbers[(walk.context + 1)[: (CONTEXTS - 1).bit_length()]].eq(self.number)
        residual_wrong, residual_context = self._residual_overflow(m, walk)
        guilty, wrong = Signal(range(CONTEXTS), name="guilty"), Signal(name="wrong")
        m.d.sync += [
            wrong.eq(address_wrong | residual_wrong | results.overflow),
            guilty.eq(
                Mux(residual_wrong, residual_context, Mux(address_wrong, address_context, results.overflow_context))
            ),
        ]
        m.d.sync += [self.overflow.eq(wrong), self.overflow_number.eq(numbers[guilty])]

    def _addresses(self, m, at_sum, at_address):
        """Row addresses, registered for stage ADDRESS; returns whether a word that counts lies outside the memory."""
        config = self._config
        wrong = Signal()
        for j in range(config.row_ports):
            columns = at_address.right_valid if config.double_feeds and j >= RIGHT else at_address.column_valid
            register = Signal(ADDRESS_BITS, name=f"row_address_{j}", reset_less=True)
            m.d.sync += register.eq(at_sum.base_x + at_sum.offset[j])
            m.d.comb += [
                self.row_address[j].eq(register),
                self.row_enable[j].eq(at_address.valid & at_address.row_used[j] & at_address.row_valid[j]),
            ]
            for i in range(config.pixels):
                counts = self.row_enable[j] & columns[i]
                with m.If(counts & ((register + i)[:ADDRESS_BITS] >= config.scratchpad_words)):
                    m.d.comb += wrong.eq(1)
        return wrong

    def _first_parities(self, m):
        """The parity of each row's first word, a cycle before stage WORDS."""
        parity_bits = (self._config.pixels - 1).bit_length()
        parities = Cat(address[:parity_bits] for address in self.row_address)
        return delayed(m, parities, WORDS - 1 - ADDRESS, name="first_parities", reset_less=True)

    def _residual_overflow(self, m, walk):
        """(a residual operand that was wanted lies outside the memory, its context), a cycle after it was issued."""
        further = further_pixels(walk.issue.result.pixel_valid)
        wrong, context = Signal(name="residual_overflow"), Signal(range(CONTEXTS), name="residual_context")
        outside = walk.residual_address + further >= self._config.scratchpad_words
        m.d.sync += [
            wrong.eq(walk.takes_room & walk.wants_residual & outside),
            context.eq(walk.issue.result.context),
        ]
        return wrong, context

    def _write_side(self, m, results) -> None:
        wiring.connect(m, results.residual, wiring.flipped(self.residual))
        m.d.comb += [
            results.residual_part.eq(self.residual_part),
            self.result.eq(results.result),
            self.result_valid.eq(results.result_valid),
            self.finished.eq(results.finished),
        ]
        if self._trace:
            m.d.comb += self.trace_layer.eq(results.layer)
            for name in ("acc", "shifted", "product"):
                m.d.comb += getattr(self, f"trace_{name}").as_value().eq(getattr(results, f"trace_{name}").as_value())

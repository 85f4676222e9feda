"""The sequencer: turns planned rows into one micro-operation per cycle, as long as there is room for results."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encoding import Mode, Unit
from rtl import command as cmd
from rtl.kernel_walk import KernelWalk
from rtl.microop import CONTEXTS, micro_op
from rtl.rows import COMMAND_BITS, row_plan
from rtl.window_walk import WindowSteps, WindowWalk


class Sequencer(wiring.Component):
    """Walks columns and kernel positions of a row (docs/engine.md, "COMPUTE").

    Members: `plan`, `plan_command`, `plan_valid`, `take` from the planner; `room`: a result may be issued;
    `context_free`: a new command may start; `issue`: this cycle's micro-operation; `takes_room`: it makes a result;
    `residual_address`, `wants_residual`: of that result; `starts_command` with `context`: `plan_command` becomes
    current. `layer`: of the
    current command. Throughput: one micro-operation per cycle, without gaps between rows and commands once planned.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "plan": In(row_plan(config)),
                "plan_command": In(COMMAND_BITS),
                "plan_valid": In(1),
                "take": Out(1),
                "room": In(1),
                "context_free": In(1),
                "issue": Out(micro_op(config)),
                "takes_room": Out(1),
                "wants_residual": Out(1),
                "residual_address": Out(16),
                "starts_command": Out(1),
                "context": Out(range(CONTEXTS)),
                "active": Out(1),
                "layer": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = Signal(COMMAND_BITS)
        self._row = Signal(row_plan(self._config))
        self._c = cmd.fields(Unit.COMPUTE, bits)
        self._planned = cmd.fields(Unit.COMPUTE, self.plan_command)
        self._go, self._inner_last, self._x_last = Signal(), Signal(), Signal(name="x_last")
        self._handover(m, bits)
        self._columns(m)
        self._weights(m)
        self._constant_parts(m)
        return m

    def _handover(self, m, bits) -> None:
        """The next row follows the last cycle of this one; with its first row, a command becomes current."""
        row_ends = Signal()
        m.d.comb += [
            self.layer.eq(self._c.layer),
            self._go.eq(self.active & self.room),
            row_ends.eq(self._go & self._inner_last & self._x_last),
            self.take.eq(
                self.plan_valid & (~self.active | row_ends) & (~self.plan.first_of_command | self.context_free)
            ),
            self.starts_command.eq(self.take & self.plan.first_of_command),
            self.issue.valid.eq(self._go),
            self.takes_room.eq(self._go & self.issue.last),
        ]
        with m.If(self.take):
            m.d.sync += [self._row.eq(self.plan), bits.eq(self.plan_command), self.active.eq(1)]
            with m.If(self.plan.first_of_command):
                m.d.sync += self.context.eq(self.context + 1)
        with m.Elif(row_ends):
            m.d.sync += self.active.eq(0)

    def _columns(self, m) -> None:
        """Output columns, and in each the kernel positions (array fed by words) or feeds and passes (by the window)."""
        config, c = self._config, self._c
        self._steps = WindowSteps(config)
        windowed, pixels = Signal(), config.pixels
        self._windowed, self._pair, self._wide = windowed, Signal(), Signal(name="wide")
        self._double = Signal(name="double")
        self._x_out, self._column = Signal(16), Signal(signed(18))
        self._columns_per_step = self._step_width(m)
        m.d.comb += [
            self._windowed.eq(c.mode[0] & Const(config.window_kernel > 1)),
            self._x_last.eq(self._x_out + self._columns_per_step >= c.output_width),
        ]
        self._results(m)
        kernel, window = KernelWalk(config, c), WindowWalk(self._steps, c)
        kernel.add(m, self._go & ~self._windowed, self._row, self.take, self.plan)
        window.add(m, self._go & self._windowed, self.take, self._planned)
        self._position(m, kernel, window)
        self._input_rows(m, kernel, window)
        self._advance(m, window, pixels)

    def _step_width(self, m):
        """Output columns of a step; sets `_pair` (stride 1) and `_wide` (a window of stride 2 makes several)."""
        config, c = self._config, self._c
        if config.pixels == 1:
            return Const(1)
        m.d.comb += [self._wide.eq(self._windowed & self._steps.wide(c)), self._pair.eq(c.stride_x == 1)]
        return Mux(self._pair, config.pixels, Mux(self._wide, 2, 1))

    def _results(self, m) -> None:
        """Where the step's results and their residual operands lie, and which of its columns exist."""
        row, c, x_out, result = self._row, self._c, self._x_out, self.issue.result
        exists = [(self._columns_per_step > i) & (c.output_width > x_out + i) for i in range(self._config.pixels)]
        m.d.comb += [
            self.issue.wide.eq(self._wide),
            result.address.eq(row.output + x_out),
            self.residual_address.eq(row.residual + x_out),
            self.wants_residual.eq(c.residual),
            result.pixel_valid.eq(Cat(exists)),
            result.command_last.eq(row.last_of_command & self._x_last & self._inner_last),
        ]

    def _position(self, m, kernel: KernelWalk, window: WindowWalk) -> None:
        """What the array does in this cycle, and the input column that it does it with."""
        row, c, issue, windowed = self._row, self._c, self.issue, self._windowed
        left = Signal(signed(18))
        depthwise = (c.mode == Mode.WINDOW) | (c.mode == Mode.SEQUENTIAL)
        m.d.comb += [
            self._inner_last.eq(Mux(windowed, window.last, kernel.last)),
            left.eq(self._column + Mux(windowed, 0, kernel.kx)),
            issue.feed.eq(windowed & window.feed),
            issue.compute.eq(~windowed | window.compute),
            issue.first.eq(Mux(windowed, window.first, kernel.fresh) & ~c.continues),
            issue.last.eq(self._inner_last),
            issue.base_x.eq(c.input_base + kernel.block + Mux(depthwise, row.input_block, 0) + left),
            issue.vector_sub.eq(kernel.sub),
            issue.tap.eq(kernel.tap),
            issue.pass_number.eq(window.pass_number),
            issue.late.eq(window.late),
        ]
        for pixel in range(self._config.pixels):
            at = left + pixel
            m.d.comb += issue.column_valid[pixel].eq((at >= 0) & (at < c.input_width))
        if self._config.double_feeds:
            self._right_half(m, left)

    def _right_half(self, m, left) -> None:
        """The columns of rows 3 .. 5: those further right of a double feed, else those of the other rows."""
        c, issue, pixels = self._c, self.issue, self._config.pixels
        m.d.comb += [
            self._double.eq(self._steps.double(c)),
            issue.at_edge.eq(self._double & (left <= 0)),
        ]
        for pixel in range(pixels):
            at = left + pixels + pixel
            inside = (at >= 0) & (at < c.input_width)
            m.d.comb += issue.right_valid[pixel].eq(Mux(self._double, inside, issue.column_valid[pixel]))

    def _input_rows(self, m, kernel: KernelWalk, window: WindowWalk) -> None:
        """Slot offsets of the rows that are read: all of a window, or the kernel position's."""
        row, issue, windowed = self._row, self.issue, self._windowed
        smaller = Mux(self._double, 0b111111, 0b00111) if self._config.double_feeds else 0b00111
        window_rows = Mux(window.feed, Mux(self._steps.grid5(self._c), 0b11111, smaller), 0)
        m.d.comb += [
            issue.offset.eq(row.offset),
            issue.row_valid.eq(row.valid),
            issue.row_used.eq(Mux(windowed, window_rows, 1)),
        ]
        with m.If(~windowed):
            m.d.comb += [issue.offset[0].eq(kernel.offset), issue.row_valid[0].eq(kernel.row_valid)]

    def _advance(self, m, window: WindowWalk, pixels: int) -> None:
        """Input and output column of the next cycle."""
        c, column, x_out = self._c, self._column, self._x_out
        with m.If(self._go):
            with m.If(self._windowed):
                with m.If(window.feed):
                    width = Mux(self._double, 2 * pixels, pixels) if self._config.double_feeds else pixels
                    m.d.sync += column.eq(column + width)
            with m.Elif(self._inner_last):
                m.d.sync += column.eq(column + Mux(self._pair, pixels, c.stride_x))
            with m.If(self._inner_last):
                m.d.sync += x_out.eq(x_out + self._columns_per_step)
        with m.If(self.take):
            m.d.sync += [x_out.eq(0), column.eq(self._steps.first_left(self._planned))]

    def _weights(self, m) -> None:
        """The weight row: advances through a group's rows for every step, and to the next group's at its first row."""
        c, issue = self._c, self.issue
        weight, group_start, group_end = Signal(16), Signal(16), Signal(16)
        advance = Mux(c.mode == Mode.SEQUENTIAL, issue.tap == SEQUENTIAL_TAPS - 1, issue.compute)
        following = weight + 1
        m.d.comb += issue.weight_row.eq(weight)
        with m.If(self._go & ~c.hold_weights):
            with m.If(self._inner_last):
                m.d.sync += [weight.eq(group_start), group_end.eq(following)]
            with m.Elif(advance):
                m.d.sync += weight.eq(following)
        next_start = Signal(16)
        m.d.comb += next_start.eq(Mux(self._go & self._inner_last, following, group_end))
        with m.If(self.take):
            with m.If(self.plan.first_of_command):
                m.d.sync += [weight.eq(self._planned.weight_row), group_start.eq(self._planned.weight_row)]
            with m.Elif(self.plan.first_of_group & ~c.hold_weights):
                m.d.sync += [weight.eq(next_start), group_start.eq(next_start)]
            with m.Else():
                m.d.sync += weight.eq(group_start)

    def _constant_parts(self, m) -> None:
        """What follows from row and command alone."""
        row, c, issue = self._row, self._c, self.issue
        m.d.comb += [
            issue.group_sub.eq(Mux(c.mode == Mode.GATHER, 0, row.sub)),
            issue.zero_point.eq(c.input_zero_point),
            issue.mode.eq(c.mode),
            issue.grid5.eq(self._steps.grid5(c)),
            issue.parameter_row.eq(row.parameter_row),
            issue.result.sub.eq(row.sub),
            issue.result.context.eq(self.context),
            issue.result.residual.eq(c.residual),
            issue.result.partial.eq(c.partial),
        ]

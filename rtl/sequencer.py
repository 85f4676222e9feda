"""The sequencer: turns planned rows into one micro-operation per cycle, as long as there is room for results."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode, Unit
from rtl import command as cmd
from rtl.microop import CONTEXTS, micro_op
from rtl.ring import next_offset
from rtl.rows import COMMAND_BITS, row_plan


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
        config = self._config
        self._row = row = Signal(row_plan(config))
        bits = Signal(COMMAND_BITS)
        self._c = c = cmd.fields(Unit.COMPUTE, bits)
        m.d.comb += self.layer.eq(c.layer)

        go, inner_last, x_last = Signal(), Signal(), Signal()
        row_ends = Signal()
        m.d.comb += [
            go.eq(self.active & self.room),
            row_ends.eq(go & inner_last & x_last),
            self.take.eq(
                self.plan_valid & (~self.active | row_ends) & (~self.plan.first_of_command | self.context_free)
            ),
            self.starts_command.eq(self.take & self.plan.first_of_command),
            self.issue.valid.eq(go),
            self.takes_room.eq(go & self.issue.last),
        ]
        with m.If(self.take):
            m.d.sync += [row.eq(self.plan), bits.eq(self.plan_command), self.active.eq(1)]
            with m.If(self.plan.first_of_command):
                m.d.sync += self.context.eq(self.context + 1)
        with m.Elif(row_ends):
            m.d.sync += self.active.eq(0)

        self._columns(m, go, inner_last, x_last)
        self._weights(m, go, inner_last)
        self._constant_parts(m)
        return m

    def _grid5(self, command):
        """Whether the window of a WINDOW or GATHER command is 5 x 5."""
        return (command.grid == 5) if self._config.window_kernel == 5 else Const(0)

    def _constant_parts(self, m) -> None:
        """What follows from row and command alone."""
        row, c, issue = self._row, self._c, self.issue
        m.d.comb += [
            issue.group_sub.eq(Mux(c.mode == Mode.GATHER, 0, row.sub)),
            issue.zero_point.eq(c.input_zero_point),
            issue.mode.eq(c.mode),
            issue.grid5.eq(self._grid5(c)),
            issue.parameter_row.eq(row.parameter_row),
            issue.result.sub.eq(row.sub),
            issue.result.context.eq(self.context),
            issue.result.residual.eq(c.residual),
            issue.result.partial.eq(c.partial),
        ]

    def _columns(self, m, go, inner_last, x_last) -> None:
        """Output columns, and in each the kernel positions (array fed by words) or feeds and passes (by the window)."""
        config, row, c, issue = self._config, self._row, self._c, self.issue
        windowed, pixels = Signal(), config.pixels
        pair, wide = Signal(), Signal()
        x_out, column = Signal(16), Signal(signed(18))
        columns = self._columns_per_step(m, windowed, pair, wide)
        m.d.comb += [
            windowed.eq(c.mode[0] & Const(config.window_kernel > 1)),
            x_last.eq(x_out + columns >= c.output_width),
        ]
        m.d.comb += [
            issue.wide.eq(wide),
            issue.result.address.eq(row.output + x_out),
            self.residual_address.eq(row.residual + x_out),
            self.wants_residual.eq(c.residual),
            issue.result.pixel_valid.eq(Cat((columns > i) & (c.output_width > x_out + i) for i in range(pixels))),
            issue.result.command_last.eq(row.last_of_command & x_last & inner_last),
        ]
        kernel = self._kernel_walk(m, go & ~windowed, c)
        window = self._window_walk(m, go & windowed, c)
        left = Signal(signed(18))
        depthwise = (c.mode == Mode.WINDOW) | (c.mode == Mode.SEQUENTIAL)
        m.d.comb += [
            inner_last.eq(Mux(windowed, window["last"], kernel["last"])),
            left.eq(column + Mux(windowed, 0, kernel["kx"])),
            issue.feed.eq(windowed & window["feed"]),
            issue.compute.eq(~windowed | window["compute"]),
            issue.first.eq(Mux(windowed, window["first"], kernel["first"]) & ~c.continues),
            issue.last.eq(inner_last),
            issue.base_x.eq(c.input_base + kernel["block"] + Mux(depthwise, row.input_block, 0) + left),
            issue.vector_sub.eq(kernel["sub"]),
            issue.tap.eq(kernel["tap"]),
            issue.pass_number.eq(window["pass"]),
            issue.late.eq(window["late"]),
        ]
        for pixel in range(config.pixels):
            at = left + pixel
            m.d.comb += issue.column_valid[pixel].eq((at >= 0) & (at < c.input_width))
        window_rows = Mux(window["feed"], Mux(self._grid5(c), 0b11111, 0b00111), 0)
        m.d.comb += [
            issue.offset.eq(row.offset),
            issue.row_valid.eq(row.valid),
            issue.row_used.eq(Mux(windowed, window_rows, 1)),
        ]
        with m.If(~windowed):
            m.d.comb += [issue.offset[0].eq(kernel["offset"]), issue.row_valid[0].eq(kernel["row_valid"])]
        with m.If(go):
            with m.If(windowed):
                with m.If(window["feed"]):
                    m.d.sync += column.eq(column + config.pixels)
            with m.Elif(inner_last):
                m.d.sync += column.eq(column + Mux(pair, config.pixels, c.stride_x))
            with m.If(inner_last):
                m.d.sync += x_out.eq(x_out + columns)
        with m.If(self.take):
            planned = cmd.fields(Unit.COMPUTE, self.plan_command)
            m.d.sync += [x_out.eq(0), column.eq(planned.first_column)]

    def _columns_per_step(self, m, windowed, pair, wide):
        """Output columns of a step; sets `pair` (stride 1) and `wide` (a window of stride 2 makes several)."""
        config, c = self._config, self._c
        if config.pixels == 1:
            return Const(1)
        m.d.comb += [wide.eq(windowed & self._wide(c)), pair.eq(c.stride_x == 1)]
        return Mux(pair, config.pixels, Mux(wide, 2, 1))

    def _wide(self, command):
        """Whether a window of stride 2 makes two output columns per step (docs/engine.md, "Window steps")."""
        config = self._config
        every = config.pixels == 4 or config.taps == 16
        some = (command.grid == 3) & Const(config.window_kernel == 5)
        return (command.stride_x == 2) & (Const(config.window_kernel == 5 or config.pixels == 4) if every else some)

    def _kernel_walk(self, m, go, c) -> dict:
        """(ky, kx, vector) for DENSE, (ky, kx) for SEQUENTIAL."""
        config, row = self._config, self._row
        vectors_per_word = WORD_BYTES // config.taps
        kx, ky, v, sub, block = Signal(16), Signal(16), Signal(16), Signal(2), Signal(16)
        offset, image_row = Signal(16), Signal(signed(18))
        tap = Signal(4)
        fresh = Signal(init=1)
        v_last = (c.mode == Mode.SEQUENTIAL) | (v + 1 == c.vectors)
        kx_last, ky_last = kx + 1 == c.kernel_width, ky + 1 == c.kernel_height
        last = Signal()
        m.d.comb += last.eq(v_last & kx_last & ky_last)
        with m.If(go):
            m.d.sync += [fresh.eq(0), v.eq(v + 1), sub.eq(sub + 1), tap.eq(Mux(tap == config.taps - 1, 0, tap + 1))]
            with m.If(sub == vectors_per_word - 1):
                m.d.sync += [sub.eq(0), block.eq(block + c.input_block_stride)]
            with m.If(v_last):
                m.d.sync += [v.eq(0), sub.eq(0), block.eq(0), kx.eq(kx + 1)]
                with m.If(kx_last):
                    m.d.sync += [
                        kx.eq(0),
                        ky.eq(ky + 1),
                        image_row.eq(image_row + 1),
                        offset.eq(next_offset(offset, c.input_pitch, c.input_extent)),
                    ]
            with m.If(last):
                m.d.sync += [fresh.eq(1), ky.eq(0), tap.eq(0), offset.eq(row.offset[0]), image_row.eq(row.image_row)]
        with m.If(self.take):
            m.d.sync += [offset.eq(self.plan.offset[0]), image_row.eq(self.plan.image_row)]
        row_valid = (image_row >= 0) & (image_row < c.input_height)
        return {
            "last": last,
            "kx": kx,
            "block": block,
            "sub": sub,
            "tap": tap,
            "offset": offset,
            "row_valid": row_valid,
            "first": fresh,
        }

    def _window_walk(self, m, go, c) -> dict:
        """n0 feeds at the row's start, then per step `feeds` feeds and `passes` passes, one cycle shared.

        A wide step of GATHER or a 5 x 5 window, of several passes, overlaps more: its last pass shares a cycle with the
        next step's first feed.
        """
        config = self._config
        step = Signal(signed(7))  # negative: extra feeds at the start of a row
        feeds = Signal(2)
        last = Signal()

        def overlaps(command):
            early = (command.mode == Mode.GATHER) | self._grid5(command)
            return self._wide(command) & early & (command.passes > 1) & Const(config.pixels == 2)

        def before_first_step(command):
            """n0, from the table in docs/engine.md."""
            if config.pixels == 1:
                return command.grid - command.stride_x
            if config.pixels == 4:
                return 1
            return Mux(overlaps(command) | self._grid5(command), 2, 1)

        if config.pixels == 1:
            m.d.comb += feeds.eq(c.stride_x)
        else:
            m.d.comb += feeds.eq(Mux(self._wide(c) & ~overlaps(c) & Const(config.pixels == 2), 2, 1))
        pass_number = step - feeds + 1
        compute = pass_number >= 0
        late = Signal()
        m.d.comb += [last.eq(pass_number + 1 == c.passes), late.eq(overlaps(c) & last)]
        with m.If(go):
            m.d.sync += step.eq(Mux(last, 0, step + 1))
        with m.If(self.take):
            m.d.sync += step.eq(-before_first_step(cmd.fields(Unit.COMPUTE, self.plan_command)))
        return {
            "last": last,
            "feed": (step < feeds) | late,
            "late": late,
            "compute": compute,
            "pass": pass_number[:4],
            "first": compute & (pass_number == 0),
        }

    def _weights(self, m, go, inner_last) -> None:
        """The weight row: advances through a group's rows for every step, and to the next group's at its first row."""
        config, c, issue = self._config, self._c, self.issue
        weight, group_start, group_end = Signal(16), Signal(16), Signal(16)
        advance = Mux(c.mode == Mode.SEQUENTIAL, issue.tap == config.taps - 1, issue.compute)
        following = weight + 1
        m.d.comb += issue.weight_row.eq(weight)
        with m.If(go & ~c.hold_weights):
            with m.If(inner_last):
                m.d.sync += [weight.eq(group_start), group_end.eq(following)]
            with m.Elif(advance):
                m.d.sync += weight.eq(following)
        planned = cmd.fields(Unit.COMPUTE, self.plan_command)
        next_start = Signal(16)
        ends_now = go & inner_last
        m.d.comb += next_start.eq(Mux(ends_now, following, group_end))
        with m.If(self.take):
            with m.If(self.plan.first_of_command):
                m.d.sync += [weight.eq(planned.weight_row), group_start.eq(planned.weight_row)]
            with m.Elif(self.plan.first_of_group & ~c.hold_weights):
                m.d.sync += [weight.eq(next_start), group_start.eq(next_start)]
            with m.Else():
                m.d.sync += weight.eq(group_start)

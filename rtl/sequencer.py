"""The sequencer: turns planned rows into one micro-operation per cycle, as long as there is room for results."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encoding import Unit
from rtl import command as cmd
from rtl.kernel_walk import KernelWalk, two_more
from rtl.microop import micro_op
from rtl.place import Place
from rtl.row_plan import STEP_SHAPE, row_plan
from rtl.rows import COMMAND_BITS
from rtl.window_walk import WindowWalk


class Sequencer(wiring.Component):
    """Walks columns and kernel positions of a row (docs/engine.md, "COMPUTE").

    The walk, and behind it, a cycle later, the micro-operation of its place (rtl.place.Place). Both stand still while
    there is no room.

    Members: `plan`, `plan_command`, `shape`, `plan_valid`, `take` from the planner; `room`: a result may be issued;
    `issue`: this cycle's micro-operation; `takes_room`: it makes a result; `residual_address`, `wants_residual`: of
    that result; `waits`: a micro-operation is there; `active`: the walk is in a row; `layer`: of the current command.
    Throughput: one micro-operation per cycle, without gaps between rows and commands once planned.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "plan": In(row_plan(config)),
                "plan_command": In(COMMAND_BITS),
                "shape": In(STEP_SHAPE),
                "plan_valid": In(1),
                "take": Out(1),
                "room": In(1),
                "issue": Out(micro_op(config)),
                "takes_room": Out(1),
                "wants_residual": Out(1),
                "residual_address": Out(16),
                "waits": Out(1),
                "active": Out(1),
                "layer": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        bits = Signal(COMMAND_BITS, reset_less=True)
        self._row = Signal(row_plan(config), name="current_row", reset_less=True)
        self._s = Signal(STEP_SHAPE, name="current_shape", reset_less=True)
        self._c = cmd.fields(Unit.COMPUTE, bits)
        self._planned = cmd.fields(Unit.COMPUTE, self.plan_command)
        self._last_slot = Signal(16, name="last_slot", reset_less=True)  # offset of the last slot of the input's ring
        self._go, self._x_last = Signal(name="go"), Signal(name="x_last")
        self._handover(m, bits)
        self._kernel = kernel = KernelWalk(config, self._c, self._s, self._row)
        self._window = window = WindowWalk(self._s, self._c, kernel.last_vector)
        ring = (self._c.input_pitch, self._last_slot)
        last_is_next = Mux(self._s.windowed, window.last_is_next, kernel.last_is_next)
        kernel.add(m, self._go, self.take, self.shape, last_is_next, ring)
        window.add(m, self._go, self.take, self.shape)
        self._columns(m)
        self._weights(m)
        m.submodules.place = place = Place(config)
        m.d.comb += [
            *(place.next[name].eq(value) for name, value in self._place().items()),
            place.next_valid.eq(self.active),
            place.room.eq(self.room),
        ]
        for name in ("issue", "takes_room", "wants_residual", "residual_address", "waits"):
            m.d.comb += getattr(self, name).eq(getattr(place, name))
        return m

    def _handover(self, m, bits) -> None:
        """The next row follows the last cycle of this one; with its first row, a command becomes current."""
        ends = Signal(name="row_ends")
        m.d.comb += [
            self._go.eq(self.active & self.room),
            self.take.eq(self.plan_valid & self.room & (~self.active | ends)),
        ]
        self._ends = ends
        with m.If(self.take):
            m.d.sync += [
                self._row.eq(self.plan),
                bits.eq(self.plan_command),
                self.layer.eq(self._planned.layer),
                self._s.eq(self.shape),
                self.active.eq(1),
                self._last_slot.eq(self._planned.input_extent - self._planned.input_pitch),
            ]
        with m.Elif(self.room & ends):
            m.d.sync += self.active.eq(0)

    def _columns(self, m) -> None:
        """Output columns, and in each the kernel positions (array fed by words) or feeds and passes (by the window)."""
        config, c, shape, last = self._config, self._c, self._s, self._kernel.last
        x_out, column = Signal(16, name="x_out", reset_less=True), Signal(signed(18), name="column", reset_less=True)
        self._x_out, self._column = x_out, column
        step, moves = self._step(), Mux(shape.windowed, self._window.feed, last)
        m.d.comb += self._ends.eq(last & self._x_last)
        with m.If(self.take):
            m.d.sync += [x_out.eq(0), column.eq(self.shape.left), self._x_last.eq(self.shape.one_step)]
        with m.Elif(self._go):
            with m.If(moves):
                m.d.sync += column.eq(column + self._input_step())
            with m.If(last):
                m.d.sync += x_out.eq(x_out + step)
                if config.pixels == 1:
                    m.d.sync += self._x_last.eq(two_more(x_out, c.output_width))
                else:
                    m.d.sync += self._x_last.eq(x_out + (step << 1) >= c.output_width)

    def _step(self):
        """Output columns of a step."""
        pixels = self._config.pixels
        return Const(1) if pixels == 1 else Mux(self._pair, pixels, Mux(self._s.wide, 2, 1))

    @property
    def _pair(self):
        """Whether a step without a window makes all pixels."""
        return self._c.stride_x == 1

    def _input_step(self):
        """Input columns from feed to feed or step to step."""
        pixels, shape = self._config.pixels, self._s
        fed = Mux(shape.double, 2 * pixels, pixels) if self._config.double_feeds else pixels
        return Mux(shape.windowed, fed, Mux(self._pair, pixels, self._c.stride_x))

    def _place(self) -> dict:
        """Where the walk is, by field of rtl.place.place_layout."""
        row, c, shape, kernel, window = self._row, self._c, self._s, self._kernel, self._window
        step = self._step()
        exists = [(step > i) & (c.output_width > self._x_out + i) for i in range(self._config.pixels)]
        walk = {
            "feed": shape.windowed & window.feed,
            "compute": ~shape.windowed | window.compute,
            "first": Mux(shape.windowed, window.first, kernel.fresh) & ~c.continues,
            "last": kernel.last,
            "late": window.late,
            "pass_number": window.pass_number,
            "vector_sub": kernel.sub,
            "tap": kernel.tap,
            "weight_row": self._weight,
            "left": self._column + kernel.kx,
            "input": row.input + kernel.block,
            "image_row": row.image_row + kernel.ky,
            "kernel_offset": kernel.offset,
            "residual_address": row.residual + self._x_out,
            "address": row.output + self._x_out,
            "pixel_valid": Cat(exists),
            "command_last": row.last_of_command & self._ends,
        }
        return walk | self._constant_parts()

    def _constant_parts(self) -> dict:
        """What follows from row and command alone."""
        row, c, shape = self._row, self._c, self._s
        return {
            **{name: getattr(shape, name) for name in ("windowed", "grid5", "wide", "double")},
            **{name: getattr(c, name) for name in ("mode", "input_height", "input_width", "residual")},
            "partial": c.partial,
            "zero_point": c.input_zero_point,
            **{name: getattr(row, name) for name in ("offset", "valid", "parameter_row", "sub", "context")},
        }

    def _weights(self, m) -> None:
        """The weight row: advances through a group's rows for every step, and to the next group's at its first row.

        After a row's last step it is the one after the group's rows.
        """
        c, kernel, plan = self._c, self._kernel, self.plan
        weight = Signal(range(self._config.weight_rows), name="weight", reset_less=True)
        group_start = Signal.like(weight, name="group_start")
        self._weight = weight
        following = (weight + self.active)[: len(weight)]
        advance = Mux(self._s.sequential, kernel.tap == SEQUENTIAL_TAPS - 1, ~self._s.windowed | self._window.compute)
        next_group = plan.first_of_group & ~c.hold_weights
        with m.If(self.take):
            start = Mux(plan.first_of_command, self._planned.weight_row, following)
            with m.If(plan.first_of_command | next_group):
                m.d.sync += [weight.eq(start), group_start.eq(start)]
            with m.Else():
                m.d.sync += weight.eq(group_start)
        with m.Elif(self._go & ~c.hold_weights):
            with m.If(kernel.last & ~self._x_last):
                m.d.sync += weight.eq(group_start)
            with m.Elif(kernel.last | advance):
                m.d.sync += weight.eq(following)

"""The sequencer of an engine without queues: one COMPUTE command at a time, straight from its fields."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode, Unit
from rtl import command as cmd
from rtl.interfaces import Cause
from rtl.legal_compute import legal_compute
from rtl.planned_walk import walk_members
from rtl.ring import next_offset


class InOrderWalk(wiring.Component):
    """Walks groups, rows, columns and kernel positions of DENSE and SEQUENTIAL commands (docs/engine.md, "COMPUTE").

    Members: as `PlannedWalk`. The command stays until its last result is written, so nothing of it is copied and every
    result is of the same context. Throughput: one micro-operation per cycle, 2 or 3 cycles more for each row.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(walk_members(config))

    def elaborate(self, platform):
        m = Module()
        self._c = c = cmd.fields(Unit.COMPUTE, self.command, self._config)
        self._go, self._last, self._x_last = Signal(), Signal(), Signal()  # of a micro-operation; a result's last
        self._row_ends, self._group_ends, self._ends = Signal(), Signal(), Signal()
        self._start, self._turn, self._enter = Signal(), Signal(), Signal()
        self._sequential = c.mode == Mode.SEQUENTIAL
        legal = Signal()
        m.d.comb += [
            legal.eq(legal_compute(c, self._config)),
            self.illegal.eq(self.command_valid & ~legal),
            self._row_ends.eq(self._go & self._last & self._x_last),
            self.command_ready.eq(self._row_ends & self._ends),
            self.starts_command.eq(self._start),
            self.plan_command.eq(self.command),
            self.layer.eq(c.layer),
            self.cause.eq(Mux(self.active, Cause.REQUANTIZER, Cause.PROGRAM)),
        ]
        self._states(m, legal)
        self._outputs(m)
        self._inputs(m)
        self._weights(m)
        self._steady_parts(m)
        return m

    def _states(self, m, legal) -> None:
        """IDLE; TURN once or twice to the next row's first slot; ENTER it; RUN through its columns."""
        c, turned = self._c, Signal()
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.command_valid & legal):
                    m.d.comb += self._start.eq(1)
                    m.next = "ENTER"
            with m.State("ENTER"):
                m.d.comb += self._enter.eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [self.active.eq(1), self._go.eq(self.room)]
                with m.If(self._row_ends):
                    m.next = "TURN"
                    with m.If(self._group_ends):
                        m.next = "ENTER"
                    with m.If(self._ends):
                        m.next = "IDLE"
            with m.State("TURN"):
                m.d.comb += self._turn.eq(1)
                m.d.sync += turned.eq(~turned & c.stride_y[1])
                with m.If(turned | ~c.stride_y[1]):
                    m.next = "ENTER"

    def _outputs(self, m) -> None:
        """Output column, row, lane group and block, those of the residual operand with them."""
        config, c, issue, bits = self._config, self._c, self.issue, self._config.size_bits
        x, row, group = Signal(bits), Signal(bits), Signal(bits)
        self._sub, self._block_ends = Signal(3), Signal()
        output, output_slot = Signal(bits), Signal(bits)
        residual, residual_slot = Signal(bits), Signal(bits)
        m.d.comb += [
            self._x_last.eq(x + 1 == c.output_width),
            self._group_ends.eq(row + 1 == c.output_rows),
            self._ends.eq(self._group_ends & (group + 1 == c.groups)),
            self._block_ends.eq(self._sub == WORD_BYTES // config.lanes - 1),
            issue.parameter_row.eq(c.parameter_row + group),
            issue.result.sub.eq(self._sub),
            issue.result.address.eq(output + output_slot + x),
            self.residual_address.eq(residual + residual_slot + x),
            issue.result.command_last.eq(self._ends & self._x_last & self._last),
        ]
        regions = ((output, output_slot, "output"), (residual, residual_slot, "residual"))
        with m.If(self._start):
            m.d.sync += [x.eq(0), row.eq(0), group.eq(0), self._sub.eq(c.first_group)]
            for block, slot, name in regions:
                m.d.sync += [block.eq(getattr(c, f"{name}_base")), slot.eq(getattr(c, f"{name}_row_offset"))]
        with m.If(self._go & self._last):
            m.d.sync += x.eq(x + 1)
        with m.If(self._row_ends):
            m.d.sync += [x.eq(0), row.eq(row + 1)]
            for _, slot, name in regions:
                m.d.sync += slot.eq(next_offset(slot, getattr(c, f"{name}_pitch"), getattr(c, f"{name}_extent")))
            with m.If(self._group_ends):
                m.d.sync += [row.eq(0), group.eq(group + 1), self._sub.eq(Mux(self._block_ends, 0, self._sub + 1))]
                for block, slot, name in regions:
                    m.d.sync += slot.eq(getattr(c, f"{name}_row_offset"))
                    with m.If(self._block_ends):
                        m.d.sync += block.eq(block + getattr(c, f"{name}_block_stride"))

    def _inputs(self, m) -> None:
        """Kernel row, kernel column and vector of a result, and the word that they lie in."""
        config, c, issue, bits = self._config, self._c, self.issue, self._config.size_bits
        ky, kx, v = Signal(bits), Signal(bits), Signal(bits)
        column, image_row = Signal(signed(bits + 1)), Signal(signed(bits + 1))  # of kernel position (0, 0)
        row_slot, slot, block, depth = Signal(bits), Signal(bits), Signal(bits), Signal(bits)
        part = Signal(2)  # vector of the word
        fresh = Signal(init=1)
        v_last = self._sequential | (v + 1 == c.vectors)
        kx_last, ky_last = kx + 1 == c.kernel_width, ky + 1 == c.kernel_height
        left, above = Signal(signed(bits + 2)), Signal(signed(bits + 2))
        following = next_offset(Mux(self._turn, row_slot, slot), c.input_pitch, c.input_extent)
        m.d.comb += [
            self._last.eq(v_last & kx_last & ky_last),
            left.eq(column + kx),
            above.eq(image_row + ky),
            issue.column_valid.eq((left >= 0) & (left < c.input_width)),
            issue.row_valid.eq((above >= 0) & (above < c.input_height)),
            issue.base_x.eq(block + depth + left),
            issue.offset[0].eq(slot),
            issue.vector_sub.eq(part),
            issue.first.eq(fresh & ~c.continues),
        ]
        with m.If(self._go):
            m.d.sync += [fresh.eq(self._last), v.eq(v + 1), part.eq(part + 1)]
            with m.If(part == WORD_BYTES // config.taps - 1):
                m.d.sync += [part.eq(0), depth.eq(depth + c.input_block_stride)]
            with m.If(v_last):
                m.d.sync += [v.eq(0), part.eq(0), depth.eq(0), kx.eq(kx + 1)]
                with m.If(kx_last):
                    m.d.sync += [kx.eq(0), ky.eq(ky + 1), slot.eq(following)]
            with m.If(self._last):
                m.d.sync += [ky.eq(0), slot.eq(row_slot), column.eq(column + c.stride_x)]
        with m.If(self._turn):
            m.d.sync += [row_slot.eq(following), image_row.eq(image_row + 1)]
        with m.If(self._enter):
            m.d.sync += [slot.eq(row_slot), column.eq(c.first_column)]
        with m.If(self._start | (self._row_ends & self._group_ends)):
            m.d.sync += [row_slot.eq(c.input_row_offset), image_row.eq(c.first_row)]
        with m.If(self._start):
            m.d.sync += block.eq(c.input_base)
        with m.Elif(self._row_ends & self._group_ends & self._block_ends & self._sequential):
            m.d.sync += block.eq(block + c.input_block_stride)

    def _weights(self, m) -> None:
        """The weight row: through a group's rows for every result, then to the next group's."""
        config, c, issue = self._config, self._c, self.issue
        weight, first = Signal(range(config.weight_rows)), Signal(range(config.weight_rows))
        tap = Signal(range(config.taps))
        following = weight + 1
        m.d.comb += [issue.weight_row.eq(weight), issue.tap.eq(tap)]
        with m.If(self._go):
            m.d.sync += tap.eq(Mux(self._last, 0, tap + 1))
            with m.If(self._last & self._x_last & self._group_ends):
                m.d.sync += [weight.eq(Mux(c.hold_weights, weight, following))]
                m.d.sync += first.eq(Mux(c.hold_weights, weight, following))
            with m.Elif(self._last):
                m.d.sync += weight.eq(first)
            with m.Elif(~c.hold_weights & (~self._sequential | (tap == config.taps - 1))):
                m.d.sync += weight.eq(following)
        with m.If(self._start):
            m.d.sync += [weight.eq(c.weight_row), first.eq(c.weight_row)]

    def _steady_parts(self, m) -> None:
        """What follows from the command alone."""
        c, issue = self._c, self.issue
        m.d.comb += [
            issue.valid.eq(self._go),
            issue.compute.eq(1),
            issue.last.eq(self._last),
            issue.row_used.eq(1),
            issue.group_sub.eq(self._sub),
            issue.zero_point.eq(c.input_zero_point),
            issue.mode.eq(c.mode),
            issue.result.pixel_valid.eq(1),
            issue.result.residual.eq(c.residual),
            issue.result.partial.eq(c.partial),
            self.takes_room.eq(self._go & self._last),
            self.wants_residual.eq(c.residual),
        ]

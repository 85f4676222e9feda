"""The row planner: takes COMPUTE commands whose waits are met and prepares their rows, one ahead of the sequencer."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS, Cause
from rtl.legal_compute import legal_compute
from rtl.microop import RIGHT
from rtl.ring import next_offset
from rtl.window_walk import WindowSteps

COMMAND_BITS = length_units(Unit.COMPUTE) * BEAT_BITS


def row_plan(config: EngineConfig) -> data.StructLayout:
    """One output row of one lane group, ready to be sequenced.

    offset[j], valid[j]: slot offset of input row j and whether it lies in the image; of a double feed's right half from
    j = 3 on; image_row: that of row 0;
    input_block: block offset of depthwise input; output, residual: word address of column 0; sub: lane group within the
    word; parameter_row; flags: first row of the command / of its group, last row of the command.
    """
    return data.StructLayout(
        {
            "offset": data.ArrayLayout(16, config.row_ports),
            "valid": config.row_ports,
            "image_row": signed(17),
            "input_block": 16,
            "output": 16,
            "residual": 16,
            "sub": 3,
            "parameter_row": 16,
            "first_of_command": 1,
            "first_of_group": 1,
            "last_of_command": 1,
        }
    )


class RowPlanner(wiring.Component):
    """Walks groups and rows of a command.

    Members: `rtl.command.members`; `blocked_cause`: why a command could not start, passed through to `cause`; `plan`,
    `plan_command`, `valid`, `take`: the handover; `illegal`: a field is out of range.
    Throughput: a row every max(3, grid) + 1 cycles.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                **cmd.members(Unit.COMPUTE),
                "blocked_cause": In(4),
                "plan": Out(row_plan(config)),
                "plan_command": Out(COMMAND_BITS),
                "valid": Out(1),
                "take": In(1),
                "cause": Out(4),
                "layer": Out(16),
                "illegal": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._c = c = cmd.fields(Unit.COMPUTE, self.command)
        self._slot = Signal(16, name="slot")  # slot offset of the input row being prepared
        self._index = Signal(range(max(self._config.window_kernel, 3) + 1), name="index")  # of that row in the plan
        self._group, self._row = Signal(16), Signal(16, name="row")
        self._image_row = Signal(signed(17), name="image_row")  # of the plan's first input row
        self._current_row = Signal(signed(18), name="current_row")  # the image row being prepared
        self._output_offset, self._residual_offset = Signal(16), Signal(16, name="residual_offset")
        self._output_block, self._residual_block = Signal(16), Signal(16, name="residual_block")
        legal = Signal()
        m.d.comb += [
            legal.eq(legal_compute(c, self._config)),
            self.illegal.eq(self.command_valid & ~legal),
            self.plan_command.eq(self.command),
            self.layer.eq(c.layer),
        ]
        self._states(m, legal)
        return m

    def _states(self, m, legal) -> None:
        """IDLE until a command may start; PREPARE a row's input rows, one per cycle; READY until it is taken."""
        start = Signal()
        m.d.comb += [
            start.eq(self.command_valid & legal & self.may_start),
            self._current_row.eq(self._image_row + self._index),
        ]
        self._plan(m)
        blocked = self.command_valid & legal & ~self.may_start
        m.d.comb += self.cause.eq(Mux(blocked, self.blocked_cause, Cause.PROGRAM))
        with m.FSM():
            with m.State("IDLE"):
                self._first_row_of_command(m)
                with m.If(start):
                    m.next = "PREPARE"
            with m.State("PREPARE"):
                self._prepare_input_row(m)
                with m.If(self._index + 1 == self._input_rows()):
                    m.next = "READY"
            with m.State("READY"):
                m.d.comb += self.valid.eq(1)
                with m.If(self.take):
                    self._next_row(m)
                    with m.If(self.plan.last_of_command):
                        m.d.comb += self.command_ready.eq(1)
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "PREPARE"

    def _plan(self, m) -> None:
        """What the plan says beside its input rows."""
        plan, c, group, row = self.plan, self._c, self._group, self._row
        m.d.comb += [
            plan.image_row.eq(self._image_row),
            plan.output.eq(c.output_base + self._output_block + self._output_offset),
            plan.residual.eq(c.residual_base + self._residual_block + self._residual_offset),
            plan.first_of_command.eq((group == 0) & (row == 0)),
            plan.first_of_group.eq(row == 0),
            plan.last_of_command.eq((group + 1 == c.groups) & (row + 1 == c.output_rows)),
            plan.parameter_row.eq(c.parameter_row + group),
        ]

    def _input_rows(self):
        """Input rows to prepare: the window's; without one, enough to find the next output row's first."""
        if self._config.window_kernel != 5:
            return 3
        return Mux((self._c.mode[0] == 1) & (self._c.grid == 5), 5, 3)

    def _prepare_input_row(self, m) -> None:
        c, plan, slot, index, current_row = self._c, self.plan, self._slot, self._index, self._current_row
        inside = (current_row >= 0) & (current_row < c.input_height)
        for j in range(self._config.window_kernel):
            with m.If(index == j):
                m.d.sync += [plan.offset[j].eq(slot), plan.valid[j].eq(inside)]
        if self._config.double_feeds:
            self._right_half(m, inside)
        m.d.sync += index.eq(index + 1)
        with m.If(~Const(self._alone) | (index < c.stride_y)):
            m.d.sync += slot.eq(next_offset(slot, c.input_pitch, c.input_extent))

    def _right_half(self, m, inside) -> None:
        """Where a double feed reads its two further columns of the row being prepared."""
        with m.If(WindowSteps(self._config).double(self._c)):
            for j in range(RIGHT):
                with m.If(self._index == j):
                    further = self._slot + self._config.pixels
                    m.d.sync += [self.plan.offset[RIGHT + j].eq(further), self.plan.valid[RIGHT + j].eq(inside)]

    @property
    def _alone(self) -> bool:
        """No window: only the row itself and the next output row's are walked."""
        return self._config.window_kernel == 1

    def _first_row_of_command(self, m) -> None:
        self._first_input_row(m)
        m.d.sync += [self._index.eq(0), self._group.eq(0), self._row.eq(0)]
        self._first_output_row(m)
        m.d.sync += [
            self._output_block.eq(0),
            self._residual_block.eq(0),
            self.plan.input_block.eq(0),
            self.plan.sub.eq(self._c.first_group),
        ]

    def _first_input_row(self, m) -> None:
        """That of a lane group."""
        m.d.sync += [self._slot.eq(self._c.input_row_offset), self._image_row.eq(self._c.first_row)]

    def _first_output_row(self, m) -> None:
        """That of a lane group, and of its residual operand."""
        m.d.sync += [
            self._output_offset.eq(self._c.output_row_offset),
            self._residual_offset.eq(self._c.residual_row_offset),
        ]

    def _next_row(self, m) -> None:
        """The next row of the lane group, after the last one the next group's first."""
        c, row, output, residual = self._c, self._row, self._output_offset, self._residual_offset
        m.d.sync += [
            self._index.eq(0),
            row.eq(row + 1),
            self._image_row.eq(self._image_row + c.stride_y),
            output.eq(next_offset(output, c.output_pitch, c.output_extent)),
            residual.eq(next_offset(residual, c.residual_pitch, c.residual_extent)),
        ]
        if not self._alone:
            m.d.sync += self._slot.eq(Mux(c.stride_y == 2, self.plan.offset[2], self.plan.offset[1]))
        with m.If(row + 1 == c.output_rows):
            m.d.sync += [row.eq(0), self._group.eq(self._group + 1)]
            self._first_input_row(m)
            self._first_output_row(m)
            self._next_sub(m)

    def _next_sub(self, m) -> None:
        """The next lane group within the word, after the last one the next channel block's first."""
        c, plan = self._c, self.plan
        m.d.sync += plan.sub.eq(plan.sub + 1)
        with m.If(plan.sub == WORD_BYTES // self._config.lanes - 1):
            m.d.sync += [
                plan.sub.eq(0),
                plan.input_block.eq(plan.input_block + c.input_block_stride),
                self._output_block.eq(self._output_block + c.output_block_stride),
                self._residual_block.eq(self._residual_block + c.residual_block_stride),
            ]

"""The row planner: takes COMPUTE commands whose waits are met and prepares their rows, one ahead of the sequencer."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS, Cause
from rtl.legal_compute import legal_compute
from rtl.ring import next_offset

COMMAND_BITS = length_units(Unit.COMPUTE) * BEAT_BITS


def row_plan(config: EngineConfig) -> data.StructLayout:
    """One output row of one lane group, ready to be sequenced.

    offset[j], valid[j]: slot offset of input row j and whether it lies in the image; image_row: that of row 0;
    input_block: block offset of depthwise input; output, residual: word address of column 0; sub: lane group within the
    word; parameter_row; flags: first row of the command / of its group, last row of the command.
    """
    return data.StructLayout(
        {
            "offset": data.ArrayLayout(16, config.window_kernel),
            "valid": config.window_kernel,
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
        command = cmd.fields(Unit.COMPUTE, self.command)
        legal = Signal()
        m.d.comb += [
            legal.eq(legal_compute(command, self._config)),
            self.illegal.eq(self.command_valid & ~legal),
            self.plan_command.eq(self.command),
            self.layer.eq(command.layer),
        ]
        self._walk(m, command, legal)
        return m

    def _walk(self, m, c, legal) -> None:
        config = self._config
        rows = config.window_kernel
        last_sub = WORD_BYTES // config.lanes - 1
        plan = self.plan
        slot = Signal(16)  # slot offset of the row being prepared
        index = Signal(range(max(rows, 3) + 1))
        group, row = Signal(16), Signal(16)
        image_row = Signal(signed(17))
        output_offset, residual_offset = Signal(16), Signal(16)
        output_block, residual_block = Signal(16), Signal(16)
        alone = rows == 1  # no window: only the row itself and the next output row's are walked
        needed = Mux((c.mode[0] == 1) & (c.grid == 5), 5, 3) if rows == 5 else 3
        current_row = Signal(signed(18))

        start = Signal()
        m.d.comb += [
            start.eq(self.command_valid & legal & self.may_start),
            current_row.eq(image_row + index),
            plan.image_row.eq(image_row),
            plan.output.eq(c.output_base + output_block + output_offset),
            plan.residual.eq(c.residual_base + residual_block + residual_offset),
            plan.first_of_command.eq((group == 0) & (row == 0)),
            plan.first_of_group.eq(row == 0),
            plan.last_of_command.eq((group + 1 == c.groups) & (row + 1 == c.output_rows)),
            plan.parameter_row.eq(c.parameter_row + group),
            self.cause.eq(Mux(self.command_valid & legal & ~self.may_start, self.blocked_cause, Cause.PROGRAM)),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [
                    slot.eq(c.input_row_offset),
                    image_row.eq(c.first_row),
                    index.eq(0),
                    group.eq(0),
                    row.eq(0),
                    output_offset.eq(c.output_row_offset),
                    residual_offset.eq(c.residual_row_offset),
                    output_block.eq(0),
                    residual_block.eq(0),
                    plan.input_block.eq(0),
                    plan.sub.eq(c.first_group),
                ]
                with m.If(start):
                    m.next = "PREPARE"
            with m.State("PREPARE"):
                for j in range(rows):
                    with m.If(index == j):
                        m.d.sync += [
                            plan.offset[j].eq(slot),
                            plan.valid[j].eq((current_row >= 0) & (current_row < c.input_height)),
                        ]
                m.d.sync += index.eq(index + 1)
                with m.If(~Const(alone) | (index < c.stride_y)):
                    m.d.sync += slot.eq(next_offset(slot, c.input_pitch, c.input_extent))
                with m.If(index + 1 == needed):
                    m.next = "READY"
            with m.State("READY"):
                m.d.comb += self.valid.eq(1)
                with m.If(self.take):
                    m.d.sync += [
                        index.eq(0),
                        row.eq(row + 1),
                        image_row.eq(image_row + c.stride_y),
                        output_offset.eq(next_offset(output_offset, c.output_pitch, c.output_extent)),
                        residual_offset.eq(next_offset(residual_offset, c.residual_pitch, c.residual_extent)),
                    ]
                    if not alone:
                        m.d.sync += slot.eq(Mux(c.stride_y == 2, plan.offset[2], plan.offset[1]))
                    with m.If(row + 1 == c.output_rows):
                        m.d.sync += [
                            row.eq(0),
                            group.eq(group + 1),
                            slot.eq(c.input_row_offset),
                            image_row.eq(c.first_row),
                            output_offset.eq(c.output_row_offset),
                            residual_offset.eq(c.residual_row_offset),
                            plan.sub.eq(plan.sub + 1),
                        ]
                        with m.If(plan.sub == last_sub):
                            m.d.sync += [
                                plan.sub.eq(0),
                                plan.input_block.eq(plan.input_block + c.input_block_stride),
                                output_block.eq(output_block + c.output_block_stride),
                                residual_block.eq(residual_block + c.residual_block_stride),
                            ]
                    with m.If(plan.last_of_command):
                        m.d.comb += self.command_ready.eq(1)
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "PREPARE"

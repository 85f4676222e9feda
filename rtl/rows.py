"""The row planner: takes COMPUTE commands whose waits are met and prepares their rows, two ahead of the sequencer."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Unit, length_units
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS, Cause
from rtl.legal_compute import LegalCompute
from rtl.microop import CONTEXTS, RIGHT
from rtl.ring import following_offset
from rtl.row_plan import STEP_SHAPE, row_plan, step_shape
from rtl.window_walk import WindowSteps

COMMAND_BITS = length_units(Unit.COMPUTE) * BEAT_BITS


class RowPlanner(wiring.Component):
    """Walks groups and rows of a command.

    A row that is prepared moves to `plan`, and the command is consumed as its last row does, so that the planner sees
    no more of the sequencer than that `plan` is free again, a cycle later.

    Members: `rtl.command.members`; `blocked_cause`: why a command could not start, passed through to `cause`;
    `context_free`: a new command may start; `starts_command` with `context`: the command becomes the next context's;
    `plan` with `plan_command` and `shape`, `valid`, `take`: the handover; `layer`: of the row in `plan`; `illegal`: a
    field is out of range.
    Throughput: a row every max(3, grid) + 1 cycles. Latency: that, 1 cycle to look at the command's fields and 1 to
    move.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                **cmd.members(Unit.COMPUTE),
                "blocked_cause": In(4),
                "context_free": In(1),
                "starts_command": Out(1),
                "context": Out(range(CONTEXTS)),
                "plan": Out(row_plan(config)),
                "plan_command": Out(COMMAND_BITS),
                "shape": Out(STEP_SHAPE),
                "valid": Out(1),
                "take": In(1),
                "cause": Out(4),
                "illegal": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        self._c = c = cmd.fields(Unit.COMPUTE, self.command)
        self._prepared = Signal(row_plan(config), reset_less=True)
        self._index = Signal(range(max(config.window_kernel, 3)), name="index")  # of the input row being prepared
        self._idle, self._move, self._restart = Signal(name="idle"), Signal(name="move"), Signal(name="restart")
        self._slot = Signal(16, name="slot", reset_less=True)  # slot offset of that input row
        self._last_slot = Signal(16, name="last_slot", reset_less=True)  # that of the ring's last slot
        self._next_group = Signal(name="next_group")  # the row that moved in the cycle before was its group's last
        self._rows_end, self._groups_end = Signal(name="rows_end"), Signal(name="groups_end")
        m.submodules.legal = legal = LegalCompute(config)
        m.d.comb += [
            legal.command.eq(self.command),
            legal.valid.eq(self.command_valid & ~self.command_ready),
            self.illegal.eq(legal.refused),
            self._restart.eq(self._idle | self._rows_end),
        ]
        self._states(m, legal)
        self._handover(m)
        self._groups(m)
        self._input_rows(m)
        self._blocks(m)
        for name in ("output", "residual"):
            self._result_rows(m, name)
        m.d.sync += self._prepared.parameter_row.eq(c.parameter_row + self._group)
        return m

    def _states(self, m, legal) -> None:
        """IDLE until a command may start; PREPARE a row's input rows, one per cycle; READY until it moves on.

        Whether a command is legal is known in the first cycle of PREPARE.
        """
        window5 = WindowSteps(self._config).grid5(self._c) & self._c.mode[0]
        prepared, c = self._prepared, self._c
        m.d.comb += self.cause.eq(Mux(self._idle & legal.seen & ~self.may_start, self.blocked_cause, Cause.PROGRAM))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self._idle.eq(1)
                with m.If(legal.seen & self.may_start & ~legal.refused):
                    m.next = "PREPARE"
            with m.State("PREPARE"):
                self._prepare_input_row(m)
                with m.If(legal.refused):
                    m.next = "IDLE"
                with m.Elif(self._index == Mux(window5, 4, 2)):
                    m.next = "READY"
            with m.State("READY"):
                free = ~prepared.first_of_command | self.context_free
                m.d.comb += self._move.eq(~self.valid & free)
                with m.If(~free):
                    m.d.comb += self.cause.eq(Cause.REQUANTIZER)
                with m.If(self._move):
                    m.next = "PREPARE"
                    with m.If(prepared.last_of_command):
                        m.d.comb += self.command_ready.eq(1)
                        m.next = "IDLE"
        m.d.comb += prepared.last_of_command.eq(self._rows_end & self._groups_end)
        with m.If(self._idle | self._move):
            m.d.sync += [
                self._index.eq(0),
                prepared.image_row.eq(Mux(self._restart, c.first_row, prepared.image_row + c.stride_y)),
                prepared.first_of_command.eq(self._idle),
                prepared.first_of_group.eq(self._restart),
            ]

    def _handover(self, m) -> None:
        """A prepared row moves, with what the sequencer needs of its command; with the first one starts a context."""
        first = self._prepared.first_of_command
        m.d.comb += [
            self.starts_command.eq(self._move & first),
            self._prepared.context.eq(self.context + first),
        ]
        plan, plan_command, shape = (
            Signal.like(getattr(self, name), name=f"held_{name}", reset_less=True)
            for name in ("plan", "plan_command", "shape")
        )
        m.d.comb += [self.plan.eq(plan), self.plan_command.eq(plan_command), self.shape.eq(shape)]
        with m.If(self._move):
            m.d.sync += [
                self.valid.eq(1),
                plan.eq(self._prepared),
                plan_command.eq(self.command),
                self.context.eq(self._prepared.context),
                *(shape[name].eq(value) for name, value in step_shape(self._c, self._config).items()),
            ]
        with m.Elif(self.take):
            m.d.sync += self.valid.eq(0)

    def _groups(self, m) -> None:
        """Counts rows and lane groups; what ends with a row is known three cycles after the row before has moved."""
        c = self._c
        row, group = (Signal(16, name=name, reset_less=True) for name in ("row", "group"))
        self._group = group
        m.d.sync += [
            self._next_group.eq(self._move & self._rows_end),
            self._rows_end.eq(row == c.output_rows),
            self._groups_end.eq(group + 1 == c.groups),
        ]
        with m.If(self._idle | self._move):
            m.d.sync += row.eq(Mux(self._restart, 1, row + 1))
        with m.If(self._idle):
            m.d.sync += group.eq(0)
        with m.Elif(self._next_group):
            m.d.sync += group.eq(group + 1)

    def _input_rows(self, m) -> None:
        """The slots of the input rows; `next_slot` is that of the next output row's first."""
        c = self._c
        next_slot = Signal(16, name="next_slot", reset_less=True)
        m.d.sync += self._last_slot.eq(c.input_extent - c.input_pitch)
        with m.If(self._idle | (self._index == c.stride_y)):
            m.d.sync += next_slot.eq(Mux(self._restart, c.input_row_offset, self._slot))
        with m.If(self._idle | self._move):
            m.d.sync += self._slot.eq(next_slot)

    def _prepare_input_row(self, m) -> None:
        c, prepared, slot, index = self._c, self._prepared, self._slot, self._index
        current_row = Signal(signed(18), name="current_row")
        m.d.comb += current_row.eq(prepared.image_row + index)
        inside = (current_row >= 0) & (current_row < c.input_height)
        for j in range(self._config.window_kernel):
            with m.If(index == j):
                m.d.sync += [prepared.offset[j].eq(slot), prepared.valid[j].eq(inside)]
        if self._config.double_feeds:
            self._right_half(m, inside)
        m.d.sync += [index.eq(index + 1), slot.eq(following_offset(slot, c.input_pitch, self._last_slot))]

    def _right_half(self, m, inside) -> None:
        """Where a double feed reads its two further columns of the row being prepared."""
        prepared = self._prepared
        with m.If(WindowSteps(self._config).double(self._c)):
            for j in range(RIGHT):
                with m.If(self._index == j):
                    further = self._slot + self._config.pixels
                    m.d.sync += [prepared.offset[RIGHT + j].eq(further), prepared.valid[RIGHT + j].eq(inside)]

    def _blocks(self, m) -> None:
        """Block offsets: the next lane group within the word, after the last one the next channel block's first."""
        c, sub = self._c, self._prepared.sub
        self._block_ends = Signal(name="block_ends")
        m.d.comb += self._block_ends.eq(self._next_group & (sub == WORD_BYTES // self._config.lanes - 1))
        with m.If(self._idle):
            m.d.sync += sub.eq(c.first_group)
        with m.Elif(self._block_ends):
            m.d.sync += sub.eq(0)
        with m.Elif(self._next_group):
            m.d.sync += sub.eq(sub + 1)
        follows_output = c.mode[0] ^ c.mode[1]  # WINDOW and SEQUENTIAL
        block = self._block(m, "input", follows_output)
        m.d.sync += self._prepared.input.eq(c.input_base + block)

    def _block(self, m, name: str, moves=1):
        """The block offset of input, output or residual operand."""
        block = Signal(16, name=f"{name}_block", reset_less=True)
        with m.If(self._idle):
            m.d.sync += block.eq(0)
        with m.Elif(self._block_ends & moves):
            m.d.sync += block.eq(block + getattr(self._c, f"{name}_block_stride"))
        return block

    def _result_rows(self, m, name: str) -> None:
        """Word address of an output row or a residual operand's, complete four cycles after the row before moved."""
        pitch, extent, base, first = (
            getattr(self._c, f"{name}_{field}") for field in ("pitch", "extent", "base", "row_offset")
        )
        offset, following, start = (
            Signal(16, name=f"{name}_{part}", reset_less=True) for part in ("offset", "following", "start")
        )
        wraps = Signal(name=f"{name}_wraps", reset_less=True)
        m.d.sync += [
            following.eq(offset + pitch),
            wraps.eq(following == extent),
            start.eq(base + self._block(m, name)),
            self._prepared[name].eq(start + offset),
        ]
        with m.If(self._idle | self._move):
            m.d.sync += offset.eq(Mux(self._restart, first, Mux(wraps, 0, following)))

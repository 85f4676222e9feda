"""The sequencer of an engine without queues: one COMPUTE command at a time, straight from its fields."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode, Unit
from rtl import command as cmd
from rtl.in_order_operands import pieces
from rtl.in_order_results import place_layout
from rtl.legal_compute import legal_compute
from rtl.ring import next_offset


def pause(config: EngineConfig) -> int:
    """Cycles between the last operation of a result and the next operation: the result leaves the accumulators, and
    the scratchpad reads the residual operand."""
    return max(config.lanes // config.requant_lanes, 2) - 1


class InOrderWalk(wiring.Component):
    """Walks groups, rows, columns and kernel positions of DENSE and SEQUENTIAL commands (docs/engine.md, "COMPUTE").

    Members: `rtl.command.members`; `go`: an operation of the array, `last` of a result, `group_ends`: and of a lane
    group; `address`: the word to be read, for the operation if it is `inside` the image, or, with `residual`, the
    residual operand of the result before; `piece`: where in the word (rtl.in_order_operands); `place`: of the result
    that ends; `starts`: pulse of a command; `active`: an operation waits or goes; `illegal`: a field is out of range.
    The command stays until its last result is written, so nothing of it is copied.
    Throughput: an operation per cycle, `pause` cycles more for each result, 2 or 3 for each row.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                **cmd.members(Unit.COMPUTE),
                "go": Out(1),
                "last": Out(1),
                "group_ends": Out(1),
                "address": Out(config.size_bits + 2),
                "inside": Out(1),
                "residual": Out(1),
                "piece": Out(range(pieces(config))),
                "place": Out(place_layout(config)),
                "starts": Out(1),
                "active": Out(1),
                "illegal": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._c = c = cmd.fields(Unit.COMPUTE, self.command, self._config)
        self._x_last = Signal()  # of a result: the last one of its row
        self._row_ends, self._rows_end, self._ends = Signal(), Signal(), Signal()
        self._turn, self._enter, self._residual = Signal(), Signal(), Signal(self._config.size_bits + 2)
        self._sequential = c.mode == Mode.SEQUENTIAL
        legal = Signal()
        m.d.comb += [
            legal.eq(legal_compute(c, self._config)),
            self.illegal.eq(self.command_valid & ~legal),
            self._row_ends.eq(self.go & self.last & self._x_last),
            self.group_ends.eq(self._row_ends & self._rows_end),
            self.command_ready.eq(self._row_ends & self._ends),
        ]
        free = self._pauses(m)
        self._states(m, legal, free)
        self._outputs(m)
        self._inputs(m)
        return m

    def _pauses(self, m) -> Signal:
        """Whether an operation may go; in the first cycle after a result's last one the residual operand is read."""
        wait = Signal(range(pause(self._config) + 1))
        m.d.comb += self.residual.eq((wait == pause(self._config)) & self._c.residual)
        with m.If(self.go & self.last):
            m.d.sync += wait.eq(pause(self._config))
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        return wait == 0

    def _states(self, m, legal, free) -> None:
        """IDLE; TURN once or twice to the next row's first slot; ENTER it; RUN through its columns."""
        c, turned = self._c, Signal()
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.command_valid & legal):
                    m.d.comb += self.starts.eq(1)
                    m.next = "ENTER"
            with m.State("ENTER"):
                m.d.comb += self._enter.eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [self.active.eq(1), self.go.eq(free)]
                with m.If(self._row_ends):
                    m.next = "TURN"
                    with m.If(self._rows_end):
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
        config, c, place, bits = self._config, self._c, self.place, self._config.size_bits
        x, row, group = Signal(bits), Signal(bits), Signal(bits)
        self._sub, self._residual_sub, self._block_ends = Signal(3), Signal(3), Signal()
        output, output_slot = Signal(bits), Signal(bits)
        residual, residual_slot = Signal(bits), Signal(bits)
        m.d.comb += [
            self._x_last.eq(x + 1 == c.output_width),
            self._rows_end.eq(row + 1 == c.output_rows),
            self._ends.eq(self._rows_end & (group + 1 == c.groups)),
            self._block_ends.eq(self._sub == WORD_BYTES // config.lanes - 1),
            place.sub.eq(self._sub),
            place.address.eq(output + output_slot + x),
            place.command_last.eq(self._ends & self._x_last),
        ]
        regions = ((output, output_slot, "output"), (residual, residual_slot, "residual"))
        with m.If(self.starts):
            m.d.sync += [x.eq(0), row.eq(0), group.eq(0), self._sub.eq(c.first_group)]
            for block, slot, name in regions:
                m.d.sync += [block.eq(getattr(c, f"{name}_base")), slot.eq(getattr(c, f"{name}_row_offset"))]
        with m.If(self.go & self.last):
            m.d.sync += [x.eq(x + 1), self._residual.eq(residual + residual_slot + x), self._residual_sub.eq(self._sub)]
        with m.If(self._row_ends):
            m.d.sync += [x.eq(0), row.eq(row + 1)]
            for _, slot, name in regions:
                m.d.sync += slot.eq(next_offset(slot, getattr(c, f"{name}_pitch"), getattr(c, f"{name}_extent")))
            with m.If(self._rows_end):
                m.d.sync += [row.eq(0), group.eq(group + 1), self._sub.eq(Mux(self._block_ends, 0, self._sub + 1))]
                for block, slot, name in regions:
                    m.d.sync += slot.eq(getattr(c, f"{name}_row_offset"))
                    with m.If(self._block_ends):
                        m.d.sync += block.eq(block + getattr(c, f"{name}_block_stride"))

    def _inputs(self, m) -> None:
        """Kernel row, kernel column and vector of a result, and the word that they lie in."""
        config, c, bits = self._config, self._c, self._config.size_bits
        ky, kx, v = Signal(bits), Signal(bits), Signal(bits)
        column, image_row = Signal(signed(bits + 1)), Signal(signed(bits + 1))  # of kernel position (0, 0)
        row_slot, slot, block, depth = Signal(bits), Signal(bits), Signal(bits), Signal(bits)
        part = Signal(2)  # vector of the word
        word = Signal(bits)
        v_last = self._sequential | (v + 1 == c.vectors)
        kx_last, ky_last = kx + 1 == c.kernel_width, ky + 1 == c.kernel_height
        left, above = Signal(signed(bits + 2)), Signal(signed(bits + 2))
        following = next_offset(Mux(self._turn, row_slot, slot), c.input_pitch, c.input_extent)
        m.d.comb += [
            self.last.eq(v_last & kx_last & ky_last),
            left.eq(column + kx),
            above.eq(image_row + ky),
            self.inside.eq((left >= 0) & (left < c.input_width) & (above >= 0) & (above < c.input_height)),
            word.eq(block + depth + left),
            self.address.eq(Mux(self.residual, self._residual, word + slot)),
            self.piece.eq(self._piece(part)),
        ]
        with m.If(self.go):
            m.d.sync += [v.eq(v + 1), part.eq(part + 1)]
            with m.If(part == WORD_BYTES // config.taps - 1):
                m.d.sync += [part.eq(0), depth.eq(depth + c.input_block_stride)]
            with m.If(v_last):
                m.d.sync += [v.eq(0), part.eq(0), depth.eq(0), kx.eq(kx + 1)]
                with m.If(kx_last):
                    m.d.sync += [kx.eq(0), ky.eq(ky + 1), slot.eq(following)]
            with m.If(self.last):
                m.d.sync += [ky.eq(0), slot.eq(row_slot), column.eq(column + c.stride_x)]
        with m.If(self._turn):
            m.d.sync += [row_slot.eq(following), image_row.eq(image_row + 1)]
        with m.If(self._enter):
            m.d.sync += [slot.eq(row_slot), column.eq(c.first_column)]
        with m.If(self.starts | (self.group_ends)):
            m.d.sync += [row_slot.eq(c.input_row_offset), image_row.eq(c.first_row)]
        with m.If(self.starts):
            m.d.sync += block.eq(c.input_base)
        with m.Elif(self.group_ends & self._block_ends & self._sequential):
            m.d.sync += block.eq(block + c.input_block_stride)

    def _piece(self, vector):
        """Where the operands begin in their word, in pieces; vector: of the word, for DENSE."""
        config = self._config
        narrow = min(config.lanes, config.taps)
        lanes, taps = ((size // narrow - 1).bit_length() for size in (config.lanes, config.taps))
        group = Mux(self.residual, self._residual_sub, self._sub)
        by_lanes = self._sequential | self.residual
        return Mux(by_lanes, Cat(Const(0, lanes), group), Cat(Const(0, taps), vector))

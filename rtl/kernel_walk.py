"""The kernel positions of one output step of a DENSE or SEQUENTIAL command, one after the other."""

from amaranth.hdl import Signal, signed

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from rtl.ring import next_offset


class KernelWalk:
    """(ky, kx, vector) of a DENSE step, the vector innermost; (ky, kx) of a SEQUENTIAL one.

    Signals of the current position: `kx`; `block`, `sub`: block offset and vector within the word; `tap`: its number
    modulo SEQUENTIAL_TAPS; `offset`, `row_valid`: slot offset of its input row, whether that lies in the image;
    `fresh`, `last`: first, last of the step. Throughput: a position per cycle, without gaps between steps.
    """

    def __init__(self, config: EngineConfig, command):
        self._config, self._command = config, command
        self.kx, self._ky, self._v, self.sub, self.block = Signal(16), Signal(16), Signal(16), Signal(2), Signal(16)
        self.offset, self._image_row = Signal(16), Signal(signed(18), name="image_row")
        self.tap = Signal(range(SEQUENTIAL_TAPS))
        self.fresh = Signal(init=1)
        self.last = Signal()
        self._v_last = (command.mode == Mode.SEQUENTIAL) | (self._v + 1 == command.vectors)
        self._kx_last = self.kx + 1 == command.kernel_width
        self._ky_last = self._ky + 1 == command.kernel_height
        self.row_valid = (self._image_row >= 0) & (self._image_row < command.input_height)

    def add(self, m, go, row, take, plan) -> None:
        """A position further with `go`, within `row`; `take`: `plan` is the next row."""
        m.d.comb += self.last.eq(self._v_last & self._kx_last & self._ky_last)
        with m.If(go):
            self._next_vector(m)
            with m.If(self._v_last):
                self._next_column(m)
                with m.If(self._kx_last):
                    self._next_row(m)
            with m.If(self.last):
                self._next_step(m, row)
        with m.If(take):
            m.d.sync += [self.offset.eq(plan.offset[0]), self._image_row.eq(plan.image_row)]

    def _next_vector(self, m) -> None:
        last_sub = WORD_BYTES // self._config.taps - 1
        m.d.sync += [
            self.fresh.eq(0),
            self._v.eq(self._v + 1),
            self.sub.eq(self.sub + 1),
            self.tap.eq(self.tap + 1),
        ]
        with m.If(self.sub == last_sub):
            m.d.sync += [self.sub.eq(0), self.block.eq(self.block + self._command.input_block_stride)]

    def _next_column(self, m) -> None:
        m.d.sync += [self._v.eq(0), self.sub.eq(0), self.block.eq(0), self.kx.eq(self.kx + 1)]

    def _next_row(self, m) -> None:
        c = self._command
        m.d.sync += [
            self.kx.eq(0),
            self._ky.eq(self._ky + 1),
            self._image_row.eq(self._image_row + 1),
            self.offset.eq(next_offset(self.offset, c.input_pitch, c.input_extent)),
        ]

    def _next_step(self, m, row) -> None:
        m.d.sync += [
            self.fresh.eq(1),
            self._ky.eq(0),
            self.tap.eq(0),
            self.offset.eq(row.offset[0]),
            self._image_row.eq(row.image_row),
        ]

"""The kernel positions of one output step of a DENSE or SEQUENTIAL command, one after the other."""

from amaranth.hdl import Mux, Signal

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from rtl.ring import following_offset


class KernelWalk:
    """(ky, kx, vector) of a DENSE step, the vector innermost; (ky, kx) of a SEQUENTIAL one.

    Signals of the current position: `kx`, `ky`; `block`, `sub`: block offset and vector within the word; `tap`: its
    number modulo SEQUENTIAL_TAPS; `offset`: slot offset of its input row; `fresh`, `last`: first, last of the step;
    `last_vector`: of the innermost loop, which a windowed command has in place of the vectors; `last_is_next`: the
    vector after this one is the last. Every condition that ends a loop is a register, set as its counter moves.
    Throughput: a position per cycle, without gaps between steps.
    """

    def __init__(self, config: EngineConfig, command, shape, row):
        self._config, self._command, self._shape = config, command, shape
        self.kx, self.ky, self.block = (Signal(16, name=name, reset_less=True) for name in ("kx", "ky", "block"))
        self.sub, self.tap = Signal(2, name="sub"), Signal(range(SEQUENTIAL_TAPS), name="tap")
        self.fresh, self.last = Signal(name="fresh"), Signal(name="step_last")
        self.last_vector, self._last_column = Signal(name="last_vector"), Signal(name="last_column")
        self._last_row, self._top = Signal(name="last_row"), Signal(name="top")
        self._vector = Signal(16, init=2, name="vector", reset_less=True)  # number of the vector + 2
        self._offset = Signal(16, name="kernel_offset", reset_less=True)  # of a row below the first
        self.last_is_next = self._vector == command.vectors
        self.offset = Mux(self._top, row.offset[0], self._offset)

    def add(self, m, go, take, planned, last_is_next, ring) -> None:
        """A position further with `go`; `take`: the next row begins, `planned` is its shape.

        last_is_next: of the innermost loop of vectors or passes; ring: (pitch, offset of the last slot).
        """
        shape, command = self._shape, self._command
        m.d.comb += self.last.eq(self.last_vector & self._last_column & self._last_row)
        with m.If(go):
            m.d.sync += [
                self.fresh.eq(self.last),
                self.last_vector.eq(Mux(self.last_vector, shape.one_pass, last_is_next)),
            ]
            self._next_vector(m)
            with m.If(self.last_vector):
                last = Mux(self._last_column, shape.one_column, two_more(self.kx, command.kernel_width))
                m.d.sync += [self.kx.eq(self.kx + 1), self._last_column.eq(last), *self._first_vector()]
                with m.If(self._last_column):
                    self._next_row(m, ring)
            with m.If(self.last):
                m.d.sync += [self.ky.eq(0), self.tap.eq(0), self._top.eq(1)]
        with m.If(take):
            m.d.sync += [
                *self._first_vector(),
                *(counter.eq(0) for counter in (self.kx, self.ky, self.tap)),
                self.fresh.eq(1),
                self._top.eq(1),
                self.last_vector.eq(planned.starts_last),
                self._last_column.eq(planned.one_column),
                self._last_row.eq(planned.one_row),
            ]

    def _first_vector(self) -> list:
        return [self._vector.eq(2), self.sub.eq(0), self.block.eq(0)]

    def _next_vector(self, m) -> None:
        m.d.sync += [self._vector.eq(self._vector + 1), self.sub.eq(self.sub + 1), self.tap.eq(self.tap + 1)]
        with m.If(~self._shape.windowed & (self.sub == WORD_BYTES // self._config.taps - 1)):
            m.d.sync += [self.sub.eq(0), self.block.eq(self.block + self._command.input_block_stride)]

    def _next_row(self, m, ring) -> None:
        height = self._command.kernel_height
        m.d.sync += [
            self.kx.eq(0),
            self.ky.eq(self.ky + 1),
            self._top.eq(0),
            self._last_row.eq(Mux(self._last_row, self._shape.one_row, two_more(self.ky, height))),
            self._offset.eq(following_offset(self.offset, *ring)),
        ]


def two_more(number, limit):
    """Whether number + 2 == limit, without a carry chain: the carries that the limit asks for are those that arise."""
    asked = number ^ limit ^ 2
    arise = (number & (asked | 2))[: len(limit) - 1] << 1
    return asked == arise

"""The operand unit: masks padding, slides the windows, and gives every multiplier of the array its activation."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from rtl.microop import RIGHT, micro_op
from rtl.scratchpad import WORD_BITS, lane_bytes, row_parts

GATHER_CHANNELS = 4


class Operands(wiring.Component):
    """From scratchpad words to array operands in three cycles, without flow control.

    Members: `row[j][i]`, `part[j][i]`: words, and the lanes' bytes of the rows behind them (rtl/scratchpad.py);
    `at_words`, `at_feed`, `at_operands`: the micro-operation at those stages; `x[pixel][lane][tap]`: operands,
    registered (stage MULTIPLY).
    """

    latency = 3

    def __init__(self, config: EngineConfig):
        self._config = config
        pixels = config.pixels
        lane_taps = data.ArrayLayout(data.ArrayLayout(8, config.taps), config.lanes)
        super().__init__(
            {
                "row": In(data.ArrayLayout(data.ArrayLayout(WORD_BITS, pixels), config.word_ports)),
                **row_parts(config, In),
                "at_words": In(micro_op(config)),
                "at_feed": In(micro_op(config)),
                "at_operands": In(micro_op(config)),
                "x": Out(data.ArrayLayout(lane_taps, pixels)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        columns, vectors = self._masked(m)
        window = self._window(m, columns) if self._config.window_kernel > 1 else []
        bytes_of_row0, vector = self._delayed(m, columns, vectors)
        self._select(m, window, bytes_of_row0, vector)
        return m

    def _masked(self, m):
        """Stage FEED: the lanes' bytes of every row, and row 0's tap vector; zero point outside the image."""
        config, op = self._config, self.at_words
        lane_bits, tap_bits = config.lanes * 8, config.taps * 8
        columns, vectors = [], []
        for i in range(config.pixels):
            column = []
            for j in range(config.row_ports):
                valid = op.right_valid if config.double_feeds and j >= RIGHT else op.column_valid
                inside = op.row_valid[j] & valid[i]
                if j < config.word_ports:
                    part = lane_bytes(self.row[j][i], op.group_sub, config.lanes)
                else:
                    part = self.part[j - config.word_ports][i]
                register = Signal(lane_bits, name=f"column_{i}_{j}", reset_less=True)
                m.d.sync += register.eq(Mux(inside, part, Cat(*[op.zero_point] * config.lanes)))
                column.append(register)
            columns.append(column)
            inside = op.row_valid[0] & op.column_valid[i]
            part = self.row[0][i].word_select(op.vector_sub[: (WORD_BYTES // config.taps - 1).bit_length()], tap_bits)
            vector = Signal(tap_bits, name=f"vector_{i}", reset_less=True)
            m.d.sync += vector.eq(Mux(inside, part, Cat(*[op.zero_point] * config.taps)))
            vectors.append(vector)
        return columns, vectors

    def _window(self, m, columns):
        """Stage OPERANDS: window[column][row] of all lanes; newest column last.

        Two older columns of the gathered channels stay for the late pass of a wide GATHER step. After a double feed
        rows 3 .. 5 hold what rows 0 .. 2 have two columns further right.
        """
        config = self._config
        held = config.window_columns
        window = [
            [Signal(config.lanes * 8, name=f"window_{c}_{j}", reset_less=True) for j in range(config.row_ports)]
            for c in range(held)
        ]
        kept = min(GATHER_CHANNELS, config.lanes) * 8
        self._older = [[Signal(kept, name=f"older_{c}_{j}", reset_less=True) for j in range(3)] for c in range(2)]
        with m.If(self.at_feed.valid & self.at_feed.feed):
            for c in range(held):
                for j in range(config.row_ports):
                    if j >= config.window_kernel and c < held - 3:
                        continue  # `_doubled` looks at no more
                    newer = c + config.pixels
                    source = window[newer][j] if newer < held else columns[newer - held][j]
                    if config.double_feeds and j >= RIGHT and newer == held - 1:
                        source = Mux(self.at_feed.at_edge, Cat(*[self.at_feed.zero_point] * config.lanes), source)
                    m.d.sync += window[c][j].eq(source)
            for c in range(2):
                for j in range(3):
                    m.d.sync += self._older[c][j].eq(window[c][j])
        return window

    def _delayed(self, m, columns, vectors):
        """Stage OPERANDS: row 0's lane bytes and tap vectors, for the modes without a window."""
        row0, vector = [], []
        for i in range(self._config.pixels):
            row0.append(Signal.like(columns[i][0], name=f"row0_{i}", reset_less=True))
            vector.append(Signal.like(vectors[i], name=f"operand_vector_{i}", reset_less=True))
            m.d.sync += [row0[i].eq(columns[i][0]), vector[i].eq(vectors[i])]
        return row0, vector

    def _left(self, grid: int, wide: bool, pixel: int) -> int:
        """Window column of kernel column 0 for a pixel (docs/engine.md: the window holds the newest columns)."""
        held = self._config.window_columns
        if self._config.pixels == 1:
            return held - grid
        if self._config.pixels == 4:
            return 2 * (pixel % 2) if wide else pixel
        if wide:
            return held - 6 + 2 * pixel
        return held - (grid + 1) + pixel

    def _select(self, m, window, row0, vector) -> None:
        """Stage MULTIPLY: one case per way of feeding the array."""
        config, op = self._config, self.at_operands
        with m.Switch(op.mode):
            with m.Case(Mode.DENSE):
                for i in range(config.pixels):
                    self._broadcast(m, i, [vector[i].word_select(t, 8) for t in range(config.taps)])
            with m.Case(Mode.SEQUENTIAL):
                for i in range(config.pixels):
                    for lane in range(config.lanes):
                        byte = row0[i].word_select(lane, 8)
                        for t in range(config.taps):
                            m.d.sync += self.x[i][lane][t].eq(Mux(op.tap == t, byte, 0))
            with m.Case(Mode.WINDOW):
                self._window_cases(m, window)
            with m.Case(Mode.GATHER):
                self._gather_cases(m, window)

    def _placements(self):
        """`wide` of the legal window placements: with True, pixels are two columns apart."""
        yield False
        if self._config.pixels == 4 or (self._config.pixels == 2 and self._config.window_kernel == 5):
            yield True

    def _window_cases(self, m, window) -> None:
        config, op = self._config, self.at_operands
        for grid in range(3, config.window_kernel + 1, 2):
            for wide in self._placements():
                early = wide and grid == 5 and config.pixels == 2
                if early and config.taps < 16:
                    continue
                for p in range(-(-grid * grid // config.taps)):
                    matches = (op.grid5 == (grid == 5)) & (op.wide == wide) & (op.pass_number == p)
                    with m.If(matches):
                        for i in range(config.pixels):
                            left = self._left(grid, wide, i) - (2 * p if early else 0)
                            if wide and grid == 3 and config.double_feeds:
                                self._window_pass(m, self._doubled(window), i, 2 * i, grid, p)
                            else:
                                self._window_pass(m, window, i, left, grid, p)

    def _doubled(self, window):
        """[column][row]: the four columns of the newest double feed, behind the last one of the feed before."""
        places = ((-3, RIGHT), (-2, 0), (-1, 0), (-2, RIGHT), (-1, RIGHT))
        return [window[column][first : first + RIGHT] for column, first in places]

    def _window_pass(self, m, window, pixel: int, left: int, grid: int, p: int) -> None:
        for lane in range(self._config.lanes):
            for t in range(self._config.taps):
                k = p * self._config.taps + t
                byte = Const(0, 8)
                if k < grid * grid:
                    byte = window[left + k // grid][k % grid].word_select(lane, 8)
                m.d.sync += self.x[pixel][lane][t].eq(byte)

    def _gather_cases(self, m, window) -> None:
        config, op = self._config, self.at_operands
        if not config.gathers:
            return
        for wide in self._placements():
            for late in (False, True) if wide and config.pixels == 2 else (False,):
                for p in range(int(late), -(-9 * GATHER_CHANNELS // config.taps)):
                    with m.If((op.wide == wide) & (op.late == late) & (op.pass_number == p)):
                        for i in range(config.pixels):
                            left = self._left(3, wide, i) - 2 * late
                            taps = [self._gathered(window, left, p * config.taps + t) for t in range(config.taps)]
                            self._broadcast(m, i, taps)

    def _gathered(self, window, left: int, k: int):
        channel, position = divmod(k, 9)
        if channel >= GATHER_CHANNELS:
            return Const(0, 8)
        column, row = left + position % 3, position // 3
        source = window[column] if column >= 0 else self._older[column]
        return source[row].word_select(channel, 8)

    def _broadcast(self, m, pixel: int, taps) -> None:
        for lane in range(self._config.lanes):
            for t, byte in enumerate(taps):
                m.d.sync += self.x[pixel][lane][t].eq(byte)

"""The operand unit: masks padding, slides the windows, and gives every multiplier of the array its activation."""

from collections.abc import Callable, Iterator
from functools import partial, reduce
from operator import or_
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from compiler.encoding import Mode
from rtl.bank import lane_bytes
from rtl.delay import delayed
from rtl.microop import RIGHT, micro_op
from rtl.scratchpad import in_order_of_address, row_members

GATHER_CHANNELS = 4
LANE = -1  # instead of a byte's number: that of the lane
CHOSEN = (4, 7, 8)  # bytes to choose from by number, where gates would take more look-up tables
OLDER = 2  # columns of the gathered channels that have left the window and are still needed


class Way(NamedTuple):
    """One way of feeding the array.

    chosen: whether the micro-operation at stage FEED goes it.  place: register and byte number in it of what a pixel's
    tap gets, LANE for the lane's own byte, None for 0.
    """

    chosen: Value
    place: Callable[[int, int], tuple[Signal, int] | None]


class Operands(wiring.Component):
    """From scratchpad words to array operands in three cycles, without flow control.

    Members: `word[p]`, `part[j][p]`: by parity, row 0's words, and the lanes' bytes of the rows behind it
    (rtl/scratchpad.py); `at_words`, `at_feed`: the micro-operation at those stages; with more than one pixel
    `before_words`: a cycle before stage WORDS, and `first[j]`: then, the parity of row j's first word;
    `x[pixel][lane][tap]`: operands, registered (stage MULTIPLY).
    """

    latency = 3

    def __init__(self, config: EngineConfig):
        self._config = config
        lane_taps = data.ArrayLayout(data.ArrayLayout(8, config.taps), config.lanes)
        parities = {}
        if config.pixels > 1:
            parities = {
                "first": In(data.ArrayLayout((config.pixels - 1).bit_length(), config.row_ports)),
                "before_words": In(micro_op(config)),
            }
        super().__init__(
            {
                **row_members(config, In),
                **parities,
                "at_words": In(micro_op(config)),
                "at_feed": In(micro_op(config)),
                "x": Out(data.ArrayLayout(lane_taps, config.pixels)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._gates: dict[tuple[int, ...], tuple[Signal, list[Way]]] = {}
        words, columns = self._masked(m)
        if self._config.window_kernel > 1:
            self._slide(m, columns)
        self._delay(m, words, columns)
        self._select(m)
        return m

    def _masked(self, m):
        """Stage FEED: row 0's words, and [pixel][row] the lanes' bytes of every row; zero point outside the image."""
        config = self._config
        words, columns = [], []
        for i in range(config.pixels):
            column = []
            for j in range(config.row_ports):
                given = [self.part[j - 1][p] if j else self.word[p] for p in range(config.pixels)]
                register = Signal(len(given[0]), name=f"column_{i}_{j}", reset_less=True)
                m.d.sync += register.eq(self._one_or_zero_point(m, given, i, j))
                column.append(register)
            words.append(column[0])
            columns.append([lane_bytes(column[0], self.at_feed.group_sub, config.lanes), *column[1:]])
        return words, columns

    def _one_or_zero_point(self, m, given, i: int, j: int):
        """Stage WORDS: of row j's words, given by parity, that of pixel i; bytes of zero point outside the image."""
        pixels, count = self._config.pixels, len(given[0]) // 8
        zero_points = Cat(*[self.at_words.zero_point] * count)
        if pixels == 1:
            return Mux(self._inside(self.at_words, i, j), given[0], zero_points)
        outside = Signal(name=f"outside_{i}_{j}", reset_less=True)
        inside = self._inside(self.before_words, i, j)
        m.d.sync += outside.eq(~inside)
        if pixels > 2:
            first = delayed(m, self.first[j], 1, name=f"first_{i}_{j}", reset_less=True)
            return Mux(outside, zero_points, in_order_of_address(given, first)[i])
        # Of two words, all 0 and all 1, bit by bit of a byte: a choice of four by two bits is one look-up table.
        second = Signal(8, name=f"second_{i}_{j}", reset_less=True)
        m.d.sync += second.eq(Mux(inside, (self.first[j] ^ i).replicate(8), self.before_words.zero_point))
        chosen = Cat(*[second] * count)
        ones = outside.replicate(8 * count)
        return (chosen & (given[1] | ones)) | (~chosen & given[0] & ~ones)

    def _inside(self, op, i: int, j: int):
        """Whether row j's word of pixel i lies in the image."""
        valid = op.right_valid if self._config.double_feeds and j >= RIGHT else op.column_valid
        return op.row_valid[j] & valid[i]

    def _slide(self, m, columns) -> None:
        """Stage OPERANDS: window[column][row] of all lanes; newest column last.

        Two older columns of the gathered channels stay for the late pass of a wide GATHER step. After a double feed
        rows 3 .. 5 hold what rows 0 .. 2 have two columns further right.
        """
        config = self._config
        held = config.window_columns
        self._window = window = [
            [Signal(config.lanes * 8, name=f"window_{c}_{j}", reset_less=True) for j in range(config.row_ports)]
            for c in range(held)
        ]
        kept = min(GATHER_CHANNELS, config.lanes) * 8
        self._older = [[Signal(kept, name=f"older_{c}_{j}", reset_less=True) for j in range(3)] for c in range(OLDER)]
        feeds = Signal()  # as at_feed.valid & at_feed.feed
        m.d.sync += feeds.eq(self.at_words.valid & self.at_words.feed)
        with m.If(feeds):
            for c in range(held):
                for j in range(config.row_ports):
                    if j >= config.window_kernel and c < held - 3:
                        continue  # `_doubled` looks at no more
                    newer = c + config.pixels
                    source = window[newer][j] if newer < held else columns[newer - held][j]
                    if config.double_feeds and j >= RIGHT and newer == held - 1:
                        source = Mux(self.at_feed.at_edge, Cat(*[self.at_feed.zero_point] * config.lanes), source)
                    m.d.sync += window[c][j].eq(source)
            for c in range(OLDER):
                for j in range(3):
                    m.d.sync += self._older[c][j].eq(window[c][j])

    def _delay(self, m, words, columns) -> None:
        """Stage OPERANDS: row 0's lane bytes and tap vectors, for the modes without a window."""
        config, self._row0, self._vector = self._config, [], []
        for i in range(config.pixels):
            vector_sub = self.at_feed.vector_sub[: (WORD_BYTES // config.taps - 1).bit_length()]
            vector = words[i].word_select(vector_sub, config.taps * 8)
            self._row0.append(Signal(config.lanes * 8, name=f"row0_{i}", reset_less=True))
            self._vector.append(Signal(config.taps * 8, name=f"vector_{i}", reset_less=True))
            m.d.sync += [self._row0[i].eq(columns[i][0]), self._vector[i].eq(vector)]

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

    def _broadcast(self, m, ways) -> list:
        """[pixel]: the vector that all lanes share, by these ways."""
        shared = []
        for pixel in range(self._config.pixels):
            shared.append(Signal(self._config.taps * 8, name=f"shared_{pixel}"))
            for tap, byte in enumerate(self._let_through(m, ways, pixel)):
                m.d.comb += shared[pixel].word_select(tap, 8).eq(byte(0))
        return shared

    def _select(self, m) -> None:
        """Stage MULTIPLY: what the way of this cycle gives, 0 in a cycle of none."""
        config = self._config
        vectors = [Way(self.at_feed.mode == Mode.DENSE, lambda i, t: (self._vector[i], t)), *self._gathers()]
        shared = self._broadcast(m, vectors)
        vector = Cat(way.chosen for way in vectors).any()
        ways = [Way(vector, lambda i, t: (shared[i], t)), *self._sequentials(), *self._windows()]
        chosen = [self._let_through(m, ways, pixel) for pixel in range(config.pixels)]
        x = Signal(self.x.shape(), name="operand", reset_less=True)
        m.d.comb += self.x.eq(x)
        for pixel, taps in enumerate(chosen):
            for tap, byte in enumerate(taps):
                m.d.sync += [x[pixel][lane][tap].eq(byte(lane)) for lane in range(config.lanes)]

    def _let_through(self, m, ways, pixel: int) -> list[Callable[[int], Value]]:
        """[tap]: the byte of a lane that this cycle's way gives, 0 if it gives none."""
        taps = []
        for tap in range(self._config.taps):
            places = [(way.place(pixel, tap), way) for way in ways]
            found: dict[tuple[int, int], tuple[Signal, list[Way]]] = {}
            for place, way in places:
                if place is not None:
                    found.setdefault((id(place[0]), place[1]), (place[0], []))[1].append(way)
            terms = [(register, byte, those) for (_, byte), (register, those) in found.items()]
            taps.append(self._one_of(m, terms) if len(terms) in CHOSEN else self._or_of(m, terms))
        return taps

    def _or_of(self, m, terms) -> Callable[[int], Value]:
        """The byte of each term (register, number or LANE, ways) let through by a gate, and OR."""
        gated = [(register, byte, self._gate(m, ways)) for register, byte, ways in terms]
        return lambda lane: reduce(
            or_, (_byte(register, byte, lane) & gate.replicate(8) for register, byte, gate in gated), Const(0, 8)
        )

    def _one_of(self, m, terms) -> Callable[[int], Value]:
        """The same by number: two look-up tables for four, four for eight, and a register's reset makes 0."""
        ways = [those for *_, those in terms]
        bits = (len(ways) - 1).bit_length()
        number = Cat(
            self._gate(m, [way for n, those in enumerate(ways) if n >> i & 1 for way in those]) for i in range(bits)
        )
        none = self._gate(m, sum(ways, []), shut=True)
        places = [(register, byte) for register, byte, _ in terms]
        if len(places) == 7:  # with an eighth that is never chosen it is a choice of eight
            places.append(next((one, LANE) for one in sum(self._window, []) if all(one is not r for r, _ in places)))
        return lambda lane: Mux(none, 0, Cat(_byte(*place, lane) for place in places).word_select(number, 8))

    def _gate(self, m, ways, *, shut: bool = False):
        """Stage OPERANDS: whether this cycle goes one of these ways; with `shut` whether it goes none."""
        key = (shut, *(id(way) for way in ways))
        if key not in self._gates:
            gate = Signal(name=f"gate_{len(self._gates)}", reset_less=True)
            goes = Cat(way.chosen for way in ways).any()
            m.d.sync += gate.eq(~goes if shut else goes)
            self._gates[key] = (gate, ways)
        return self._gates[key][0]

    def _sequentials(self) -> Iterator[Way]:
        """The lane's byte of row 0 for one tap after the other."""
        for number in range(SEQUENTIAL_TAPS):
            chosen = (self.at_feed.mode == Mode.SEQUENTIAL) & (self.at_feed.tap == number)
            yield Way(chosen, partial(self._only, number))

    def _only(self, number: int, pixel: int, tap: int):
        return (self._row0[pixel], LANE) if tap == number else None

    def _placements(self):
        """`wide` of the legal window placements: with True, pixels are two columns apart."""
        yield False
        if self._config.pixels == 4 or (self._config.pixels == 2 and self._config.window_kernel == 5):
            yield True

    def _windows(self) -> Iterator[Way]:
        """The passes over a window; those beyond its taps repeat the last one."""
        config, op = self._config, self.at_feed
        for grid in range(3, config.window_kernel + 1, 2):
            for wide in self._placements():
                if self._early(grid, wide) and config.taps < 16:
                    continue
                for p in range(-(-grid * grid // config.taps)):
                    placed = (op.mode == Mode.WINDOW) & (op.grid5 == (grid == 5)) & (op.wide == wide)
                    yield Way(placed & (op.pass_number == p), partial(self._window_tap, grid, wide, p))

    def _early(self, grid: int, wide: bool) -> bool:
        """Whether the window moves on by two columns between the passes of a step."""
        return wide and grid == 5 and self._config.pixels == 2

    def _window_tap(self, grid: int, wide: bool, p: int, pixel: int, tap: int):
        config, window = self._config, self._window
        k = p * config.taps + tap
        if k >= grid * grid:
            return None
        if wide and grid == 3 and config.double_feeds:
            return self._doubled()[2 * pixel + k // grid][k % grid], LANE
        left = self._left(grid, wide, pixel) - 2 * p * self._early(grid, wide)
        return window[left + k // grid][k % grid], LANE

    def _doubled(self):
        """[column][row]: the four columns of the newest double feed, behind the last one of the feed before."""
        places = ((-3, RIGHT), (-2, 0), (-1, 0), (-2, RIGHT), (-1, RIGHT))
        return [self._window[column][first : first + RIGHT] for column, first in places]

    def _gathers(self) -> Iterator[Way]:
        """The passes over the taps gathered from the first channels."""
        config, op = self._config, self.at_feed
        if not config.gathers:
            return
        for wide in self._placements():
            for late in (False, True) if wide and config.pixels == 2 else (False,):
                for p in range(int(late), -(-9 * GATHER_CHANNELS // config.taps)):
                    placed = (op.mode == Mode.GATHER) & (op.wide == wide) & (op.late == late)
                    yield Way(placed & (op.pass_number == p), partial(self._gathered, wide, late, p))

    def _gathered(self, wide: bool, late: bool, p: int, pixel: int, tap: int):
        channel, position = divmod(p * self._config.taps + tap, 9)
        if channel >= GATHER_CHANNELS:
            return None
        column, row = self._left(3, wide, pixel) - 2 * late + position % 3, position // 3
        source = self._window[column] if column >= 0 else self._older[column]
        return source[row], channel


def _byte(register, byte: int, lane: int):
    """A byte of a register, by its number or LANE."""
    return register.word_select(lane if byte == LANE else byte, 8)

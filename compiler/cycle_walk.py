"""When an engine without queues issues the micro-operations of a COMPUTE command (rtl/in_order_walk.py)."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from compiler.config import EngineConfig
from compiler.cycle_rows import row_cycles
from compiler.pipeline import ADDRESS, REQUANTIZER, RESULT_PLACES, pipeline

RESIDUAL_REQUEST = 2  # cycles from the issue of a result to the read of its residual operand
RESIDUAL_ANSWER = 4  # cycles from that read to the requantizer


@dataclass(frozen=True)
class Walk:
    """The micro-operations of a command: pieces of `length` cycles without a gap, one row or one result each.

    starts: of every piece; per_row: pieces of a row; finish: the last result is written; active: micro-operations;
    held: cycles without one, for want of room for results; residual_reads: cycles in which an operand is read.
    """

    fields: dict[str, int]
    starts: list[int]
    length: int
    per_row: int
    finish: int
    held: int = 0
    residual_reads: frozenset[int] = frozenset()

    @property
    def active(self) -> int:
        """Micro-operations."""
        return len(self.starts) * self.length

    @property
    def end(self) -> int:
        """The cycle after the last micro-operation."""
        return self.starts[-1] + self.length

    def place(self, issued: int) -> tuple[int, int] | None:
        """(row, micro-operation of the row) issued in that cycle, None for none."""
        piece = bisect_right(self.starts, issued) - 1
        at = issued - self.starts[piece]
        if piece < 0 or at >= self.length:
            return None
        row, piece = divmod(piece, self.per_row)
        return row, piece * self.length + at


def walk(fields: dict[str, int], config: EngineConfig, start: int) -> Walk:
    """The command whose first micro-operation is issued in cycle `start`, DENSE or SEQUENTIAL."""
    rows = row_cycles(fields, config)
    results, phases = fields["output_width"], config.results // config.requant_lanes
    depth = pipeline(config)
    gaps = list(_gaps(fields))
    length = rows.active // results
    if length >= phases and not fields["residual"]:
        starts = list(accumulate(gaps, lambda begin, gap: begin + rows.active + gap, initial=start))
        return Walk(fields, starts, rows.active, 1, starts[-1] + rows.active - 1 + depth.written + phases - 1)
    requantizer = _Requantizer(phases, depth.entered, residual=bool(fields["residual"]))
    starts = _held(_Results(gaps, results, length), start, requantizer)
    finish = requantizer.leaves(len(starts) - 1, starts[-1] + length) + REQUANTIZER
    held = starts[-1] - start - (len(starts) - 1) * length - sum(gaps)
    return Walk(fields, starts, length, results, finish, held, frozenset(requantizer.read))


def _gaps(fields: dict[str, int]) -> Iterator[int]:
    """Cycles between the rows of a command: to the next row's first slot and into it, or into the next lane group."""
    rows = fields["output_rows"]
    for row in range(1, rows * fields["groups"]):
        yield 1 + fields["stride_y"] if row % rows else 1


@dataclass(frozen=True)
class _Results:
    """Cycles before each row but the first, results of a row, micro-operations of a result."""

    gaps: list[int]
    of_row: int
    length: int

    def before(self) -> Iterator[int]:
        """Cycles between each result and the one before, from the second on."""
        for number in range(1, (len(self.gaps) + 1) * self.of_row):
            yield 0 if number % self.of_row else self.gaps[number // self.of_row - 1]


def _held(results: _Results, start: int, requantizer: "_Requantizer") -> list[int]:
    """First micro-operation of each result: a result needs a credit, which one of those before gives back when it
    leaves for the requantizer.
    """
    starts = [start]
    last = start + results.length - 1
    requantizer.issue(last)
    for number, gap in enumerate(results.before(), 1):
        first = last + 1 + gap
        if number >= RESULT_PLACES:
            first = max(first, requantizer.leaves(number - RESULT_PLACES, last + 1) + 1)
        requantizer.idle(last + 1, first)
        starts.append(first)
        last = first + results.length - 1
        requantizer.issue(last)
    return starts


class _Requantizer:
    """Results in order: each leaves `phases` cycles after the one before, when its operand is there.

    entered: cycles from the issue of a result until it may be in the requantizer's lanes.
    read: cycles in which residual operands are read, which is where the array does not read.
    """

    def __init__(self, phases: int, entered: int, *, residual: bool):
        self._phases, self._entered, self._residual = phases, entered, residual
        self._arrives: list[int] = []
        self._unread: deque[int] = deque()  # first cycles of residual reads not made yet
        self.read: list[int] = []
        self._left: list[int] = []

    def issue(self, cycle: int) -> None:
        """The next result is issued in that cycle."""
        self._arrives.append(cycle + self._entered)
        if self._residual:
            self._unread.append(cycle + RESIDUAL_REQUEST)

    def idle(self, first: int, end: int) -> None:
        """The array issues nothing from `first` to before `end`: residual operands are read."""
        place = max(first + ADDRESS, self.read[-1] + 1 if self.read else 0)
        while self._unread and max(place, self._unread[0]) < end + ADDRESS:
            place = max(place, self._unread.popleft())
            self.read.append(place)
            place += 1

    def leaves(self, number: int, idle_from: int) -> int:
        """Last cycle of result `number` in the requantizer, if the array is idle from `idle_from` on until then."""
        while len(self._left) <= number:
            at = self._arrives[len(self._left)]
            if self._residual:
                while len(self.read) <= len(self._left):
                    earliest = max(idle_from + ADDRESS, self._unread.popleft())
                    self.read.append(max(earliest, self.read[-1] + 1 if self.read else 0))
                at = max(at, self.read[len(self._left)] + RESIDUAL_ANSWER)
            at = max(at, self._left[-1] + 1 if self._left else 0)
            self._left.append(at + self._phases - 1)
        return self._left[number]

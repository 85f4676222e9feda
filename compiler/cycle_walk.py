"""When an engine without queues issues the operations of a COMPUTE command (rtl/in_order_walk.py)."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from compiler.config import EngineConfig
from compiler.cycle_rows import row_cycles
from compiler.pipeline import InOrder


@dataclass(frozen=True)
class Walk:
    """The operations of a command: pieces of `length` cycles without a gap, one result each.

    starts: of every piece; per_row: pieces of a row; finish: the last result is written; active: operations; held:
    cycles without one, for the result before; residual_reads: cycles in which a residual operand is read.
    """

    fields: dict[str, int]
    starts: list[int]
    length: int
    per_row: int
    finish: int
    held: int
    residual_reads: frozenset[int]

    @property
    def active(self) -> int:
        """Operations of the array."""
        return len(self.starts) * self.length

    @property
    def end(self) -> int:
        """The cycle after the last operation."""
        return self.starts[-1] + self.length

    def place(self, issued: int) -> tuple[int, int] | None:
        """(row, operation of the row) issued in that cycle, None for none."""
        piece = bisect_right(self.starts, issued) - 1
        at = issued - self.starts[piece]
        if piece < 0 or at >= self.length:
            return None
        row, piece = divmod(piece, self.per_row)
        return row, piece * self.length + at


def drain(config: EngineConfig) -> int:
    """Cycles from a result's last operation to the write of the result."""
    return InOrder.WRITTEN + _phases(config) - 1


def _phases(config: EngineConfig) -> int:
    return config.results // config.requant_lanes


def walk(fields: dict[str, int], config: EngineConfig, start: int) -> Walk:
    """The command whose first operation is issued in cycle `start`, DENSE or SEQUENTIAL."""
    results, pause = fields["output_width"], max(_phases(config), 2) - 1
    length = row_cycles(fields, config).active // results
    gaps = list(_gaps(fields, results))
    starts = list(accumulate(gaps, lambda begin, gap: begin + length + max(gap, pause), initial=start))
    held = sum(max(pause - gap, 0) for gap in gaps)
    ends = [begin + length - 1 for begin in starts]
    reads = frozenset(last + 1 + InOrder.ADDRESS for last in ends) if fields["residual"] else frozenset()
    return Walk(fields, starts, length, results, ends[-1] + drain(config), held, reads)


def _gaps(fields: dict[str, int], results: int) -> Iterator[int]:
    """Cycles between each result and the one before: none within a row; else to the next row's first slot and into
    it, or into the next lane group."""
    rows = fields["output_rows"]
    for number in range(1, rows * fields["groups"] * results):
        row, column = divmod(number, results)
        turn = 1 + fields["stride_y"] if row % rows else 1
        yield 0 if column else turn

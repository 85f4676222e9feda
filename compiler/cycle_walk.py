"""When an engine without queues does the operations of a COMPUTE command (rtl/in_order_walk.py)."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from compiler.config import EngineConfig
from compiler.cycle_rows import row_cycles
from compiler.encoding import Mode
from compiler.pipeline import InOrder


@dataclass(frozen=True)
class Walk:
    """A command: rows of `results` results, each of `length` operations and `pause` cycles until they have left the
    accumulators.

    rows: first operation of every row; held: cycles that pauses cost; finish: the last result is written.
    """

    fields: dict[str, int]
    rows: list[int]
    results: int
    length: int
    pause: int
    held: int
    finish: int

    @property
    def start(self) -> int:
        """The first operation."""
        return self.rows[0]

    @property
    def active(self) -> int:
        """Operations."""
        return len(self.rows) * self.results * self.length

    @property
    def end(self) -> int:
        """The cycle after the last operation."""
        return self.rows[-1] + self._row_length

    @property
    def _row_length(self) -> int:
        return self.results * (self.length + self.pause) - self.pause

    def place(self, cycle: int) -> tuple[int, int, int] | None:
        """(row, result, operation of it) done in that cycle, or in the pause after them; None before and after."""
        row = bisect_right(self.rows, cycle) - 1
        at = cycle - self.rows[row]
        if row < 0 or at >= self._row_length + self.pause:
            return None
        return row, *divmod(at, self.length + self.pause)

    def reads(self, cycle: int) -> bool:
        """Whether the command reads a word in that cycle: of an operation, or the residual operand a cycle later."""
        place, before = self.place(cycle - InOrder.ADDRESS), self.place(cycle - InOrder.ADDRESS - 1)
        if before is not None and before[2] == self.length - 1 and self.fields["residual"]:
            return True
        return place is not None and place[2] < self.length and self._inside(*place)

    def writes(self, cycle: int) -> bool:
        """Whether it writes a result in that cycle."""
        place = self.place(cycle - self.finish + self.end - 1)
        return place is not None and place[2] == self.length - 1 and not self.fields["partial"]

    def _inside(self, row: int, result: int, operation: int) -> bool:
        """Whether the operation's pixel lies in the image."""
        fields = self.fields
        vectors = 1 if fields["mode"] == Mode.SEQUENTIAL else fields["vectors"]
        ky, kx = divmod(operation // vectors, fields["kernel_width"])
        image_row = fields["first_row"] + row % fields["output_rows"] * fields["stride_y"] + ky
        column = fields["first_column"] + result * fields["stride_x"] + kx
        return 0 <= image_row < fields["input_height"] and 0 <= column < fields["input_width"]


def walk(fields: dict[str, int], config: EngineConfig, start: int) -> Walk:
    """The command whose first operation is done in cycle `start`, DENSE or SEQUENTIAL."""
    results, phases = fields["output_width"], config.lanes // config.requant_lanes
    length, pause = row_cycles(fields, config).active // results, max(phases, 2) - 1
    gaps = list(_gaps(fields))
    row_length = results * (length + pause) - pause
    rows = list(accumulate(gaps, lambda begin, gap: begin + row_length + max(gap, pause), initial=start))
    held = (len(gaps) + 1) * (results - 1) * pause + sum(max(pause - gap, 0) for gap in gaps)
    finish = rows[-1] + row_length - 1 + InOrder.WRITTEN + phases - 1
    return Walk(fields, rows, results, length, pause, held, finish)


def _gaps(fields: dict[str, int]) -> Iterator[int]:
    """Cycles between the rows of a command: to the next row's first slot and into it, or into the next lane group."""
    rows = fields["output_rows"]
    for row in range(1, rows * fields["groups"]):
        yield 1 + fields["stride_y"] if row % rows else 1

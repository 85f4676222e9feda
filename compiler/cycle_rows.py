"""Array cycles of one COMPUTE command, exactly as rtl/rows.py and rtl/sequencer.py walk it."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.encoding import Mode
from compiler.footprint import WINDOWED, feed_words


@dataclass(frozen=True)
class RowCycles:
    """One planned row of a command; every row of a command costs the same.

    count: rows of the command, output rows times lane groups. active: cycles in which the array gets operands; fill:
    in which only the window moves; held: in which the requantizer has no room. plan: cycles that planning the next row
    takes.
    """

    count: int
    active: int
    fill: int
    held: int
    plan: int

    @property
    def issue(self) -> int:
        """Cycles of one row in the sequencer."""
        return self.active + self.fill + self.held

    @property
    def interval(self) -> int:
        """Cycles from row to row."""
        return max(self.issue, self.plan)

    @property
    def taken(self) -> int:
        """Cycles between two rows in which the next one is planned already: the one that takes it, or none."""
        return min(self.interval - self.issue, 1)

    @property
    def planned(self) -> int:
        """Cycles between two rows in which the next one is still being planned."""
        return self.interval - self.issue - self.taken


def row_cycles(fields: dict[str, int], config: EngineConfig) -> RowCycles:
    """The rows of a COMPUTE command with these fields."""
    windowed = fields["mode"] in WINDOWED
    active, fill, steps = _window(fields, config) if windowed else _kernel(fields, config)
    phases = config.results // config.requant_lanes
    rows_read = 5 if windowed and fields["grid"] == 5 and config.window_kernel == 5 else 3
    return RowCycles(
        count=fields["groups"] * fields["output_rows"], active=active, fill=fill,
        held=max(0, steps * phases - active - fill), plan=rows_read + 1,
    )


def _kernel(fields: dict[str, int], config: EngineConfig) -> tuple[int, int, int]:
    """(active, fill, steps) of a DENSE or SEQUENTIAL row: one cycle per kernel position and vector."""
    columns = config.pixels if fields["stride_x"] == 1 else 1
    steps = -(-fields["output_width"] // columns)
    vectors = 1 if fields["mode"] == Mode.SEQUENTIAL else fields["vectors"]
    return steps * fields["kernel_height"] * fields["kernel_width"] * vectors, 0, steps


def _steps(fields: dict[str, int], config: EngineConfig) -> tuple[int, int, int, bool]:
    """(n0, feeds per step, output columns per step, last pass feeds too) of a windowed row: docs/engine.md."""
    grid, stride = fields["grid"], fields["stride_x"]
    if feed_words(fields, config) > config.pixels:
        return int(fields["first_column"] >= 0), 1, 2, False
    if config.pixels == 1:
        return grid - stride, stride, 1, False
    if config.pixels == 4:
        return 1, 1, 4 // stride, False
    wide = stride == 2 and config.window_kernel == 5 and (grid == 3 or config.taps == 16)
    overlaps = wide and (fields["mode"] == Mode.GATHER or grid == 5) and fields["passes"] > 1
    before = 2 if overlaps or grid == 5 else 1
    return before, 2 if wide and not overlaps else 1, 2 if stride == 1 or wide else 1, overlaps


def _window(fields: dict[str, int], config: EngineConfig) -> tuple[int, int, int]:
    """(active, fill, steps) of a WINDOW or GATHER row."""
    before, feeds, columns, _ = _steps(fields, config)
    steps = -(-fields["output_width"] // columns)
    return steps * fields["passes"], before + steps * (feeds - 1), steps


def row_feeds(fields: dict[str, int], config: EngineConfig) -> int:
    """Feeds of a windowed row."""
    before, feeds, columns, overlaps = _steps(fields, config)
    return before + -(-fields["output_width"] // columns) * (feeds + overlaps)


def first_left(fields: dict[str, int], config: EngineConfig) -> int:
    """Left column of a windowed row's first feed."""
    left, words = fields["first_column"], feed_words(fields, config)
    return left if words == config.pixels else left + (1 if left < 0 else 1 - words)


def window_feeds(fields: dict[str, int], config: EngineConfig, place: int) -> int | None:
    """Number in its row of the feed that micro-operation `place` of the row makes, None when it makes none."""
    before, feeds, _, overlaps = _steps(fields, config)
    if place < before:
        return place
    length = feeds + fields["passes"] - 1
    step, at = divmod(place - before, length)
    if overlaps:
        return {0: before + 2 * step, length - 1: before + 2 * step + 1}.get(at)
    return before + step * feeds + at if at < feeds else None


def result_column(fields: dict[str, int], config: EngineConfig, place: int) -> tuple[int, int] | None:
    """(output column, columns) of the result that micro-operation `place` of a row completes, None for none."""
    if fields["mode"] in WINDOWED:
        before, feeds, columns, _ = _steps(fields, config)
        length = feeds + fields["passes"] - 1
        place -= before
    else:
        columns = config.pixels if fields["stride_x"] == 1 else 1
        vectors = 1 if fields["mode"] == Mode.SEQUENTIAL else fields["vectors"]
        length = fields["kernel_height"] * fields["kernel_width"] * vectors
    step, at = divmod(place, length)
    if place < 0 or at != length - 1:
        return None
    return step * columns, min(columns, fields["output_width"] - step * columns)

"""Scratchpad banks that COMPUTE uses in a cycle: STORE waits for its reads, LOAD for its writes (rtl/scratchpad.py)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.config import WORD_BYTES, EngineConfig
from compiler.cycle_rows import RowCycles, first_left, result_column, row_cycles, window_feeds
from compiler.encoding import Mode
from compiler.footprint import WINDOWED, feed_words
from compiler.pipeline import BANKS

REMEMBERED = 4  # commands whose reads may still come


@dataclass(frozen=True)
class _Run:
    """A command in the sequencer from cycle `start` to `end`."""

    start: int
    end: int
    fields: dict[str, int]
    rows: RowCycles


class ArrayAccesses:
    """What the commands of the array read and write, and when. drain: cycles from micro-operation to written result."""

    def __init__(self, config: EngineConfig, drain: int):
        self._config, self._drain = config, drain
        self._banks, self._write_places = config.banks, config.write_sets * config.pixels
        self._runs: deque[_Run] = deque(maxlen=REMEMBERED)

    def add(self, start: int, fields: dict[str, int]) -> None:
        """A command whose first micro-operation is issued in cycle `start`."""
        rows = row_cycles(fields, self._config)
        self._runs.append(_Run(start, start + (rows.count - 1) * rows.interval + rows.issue - 1, fields, rows))

    def reads(self, word: int, cycle: int) -> bool:
        """Whether the array reads from the bank of scratchpad word `word` in that cycle."""
        found = self._place(cycle - BANKS)
        if found is None:
            return False
        fields, row, place = found
        walk = self._windowed if fields["mode"] in WINDOWED else self._kernel
        return any((word - address) % self._banks < self._config.pixels for address in walk(fields, row, place))

    def writes(self, word: int, cycle: int) -> bool:
        """Whether a result is written to the set of banks of that word in that cycle."""
        found = self._place(cycle - self._drain)
        if found is None:
            return False
        fields, row, place = found
        written = None if fields["partial"] else result_column(fields, self._config, place)
        if written is None:
            return False
        column, count = written
        group, oy = divmod(row, fields["output_rows"])
        block = (fields["first_group"] + group) // (WORD_BYTES // self._config.lanes)
        slot = (fields["output_row_offset"] + oy * fields["output_pitch"]) % (fields["output_extent"] or 1 << 16)
        address = fields["output_base"] + block * fields["output_block_stride"] + slot + column
        return any((word - address - i) % self._write_places == 0 for i in range(count))

    def _place(self, issued: int) -> tuple[dict[str, int], int, int] | None:
        """(command, row, micro-operation of the row) issued in that cycle."""
        for run in self._runs:
            if run.start <= issued <= run.end:
                row, place = divmod(issued - run.start, run.rows.interval)
                return (run.fields, row, place) if place < run.rows.issue else None
        return None

    def _row(self, fields: dict[str, int], row: int) -> tuple[int, int, int]:
        """(block offset, image row of kernel row 0, its slot offset)."""
        group, oy = divmod(row, fields["output_rows"])
        lanes_blocks = (fields["first_group"] + group) // (WORD_BYTES // self._config.lanes)
        block = lanes_blocks * fields["input_block_stride"] if fields["mode"] != Mode.DENSE else 0
        down = oy * fields["stride_y"]
        return block, fields["first_row"] + down, fields["input_row_offset"] + down * fields["input_pitch"]

    def _windowed(self, fields: dict[str, int], row: int, place: int) -> Iterator[int]:
        feed = window_feeds(fields, self._config, place)
        if feed is None:
            return
        block, image_row, offset = self._row(fields, row)
        block = 0 if fields["mode"] == Mode.GATHER else block
        column = first_left(fields, self._config) + feed_words(fields, self._config) * feed
        left = fields["input_base"] + block + column
        extent = fields["input_extent"] or 1 << 16
        for j in range(fields["grid"]):
            if 0 <= image_row + j < fields["input_height"]:
                row_left = left + (offset + j * fields["input_pitch"]) % extent
                yield from range(row_left, row_left + feed_words(fields, self._config), self._config.pixels)

    def _kernel(self, fields: dict[str, int], row: int, place: int) -> Iterator[int]:
        vectors = 1 if fields["mode"] == Mode.SEQUENTIAL else fields["vectors"]
        position, vector = divmod(place, vectors)
        step, position = divmod(position, fields["kernel_height"] * fields["kernel_width"])
        ky, kx = divmod(position, fields["kernel_width"])
        block, image_row, offset = self._row(fields, row)
        if not 0 <= image_row + ky < fields["input_height"]:
            return
        block += vector * self._config.taps // WORD_BYTES * fields["input_block_stride"]
        columns = self._config.pixels if fields["stride_x"] == 1 else 2
        slot = (offset + ky * fields["input_pitch"]) % (fields["input_extent"] or 1 << 16)
        yield fields["input_base"] + block + slot + fields["first_column"] + step * columns + kx

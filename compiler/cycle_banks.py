"""Scratchpad banks that the array reads in a cycle: STORE waits for them (rtl/scratchpad.py)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.config import ROW_BANKS, WORD_BYTES, EngineConfig
from compiler.cycle_rows import WINDOWED, RowCycles, row_cycles, window_feeds
from compiler.encoding import Mode

ADDRESS_STAGE = 2  # cycles from a micro-operation to its addresses at the scratchpad
REMEMBERED = 4  # commands whose reads may still come


@dataclass(frozen=True)
class _Run:
    """A command in the sequencer from cycle `start` to `end`."""

    start: int
    end: int
    fields: dict[str, int]
    rows: RowCycles


class ArrayReads:
    """What the commands of the array read, and when."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._runs: deque[_Run] = deque(maxlen=REMEMBERED)

    def add(self, start: int, fields: dict[str, int]) -> None:
        """A command whose first micro-operation is issued in cycle `start`."""
        rows = row_cycles(fields, self._config)
        end = start + (rows.count - 1) * rows.interval + rows.issue - 1
        self._runs.append(_Run(start + ADDRESS_STAGE, end + ADDRESS_STAGE, fields, rows))

    def blocks(self, word: int, cycle: int) -> bool:
        """Whether the array reads from the bank of scratchpad word `word` in that cycle."""
        for run in self._runs:
            if run.start <= cycle <= run.end:
                row, place = divmod(cycle - run.start, run.rows.interval)
                return place < run.rows.issue and self._hit(run.fields, row, place, word)
        return False

    def _hit(self, fields: dict[str, int], row: int, place: int, word: int) -> bool:
        walk = self._windowed if fields["mode"] in WINDOWED else self._kernel
        if self._config.pixels == 1:
            return any((address - word) % ROW_BANKS == 0 for address in walk(fields, row, place))
        parity, bank = word & 1, word >> 1
        return any((((address + 1 - parity) >> 1) - bank) % ROW_BANKS == 0 for address in walk(fields, row, place))

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
        left = fields["input_base"] + block + fields["first_column"] + self._config.pixels * feed
        extent = fields["input_extent"] or 1 << 16
        for j in range(fields["grid"]):
            if 0 <= image_row + j < fields["input_height"]:
                yield left + (offset + j * fields["input_pitch"]) % extent

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

"""Window commands read the rows of their grid at once: these must lie in different banks (docs/engine.md)."""

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import Command
from compiler.encoding import Unit
from compiler.footprint import WINDOWED, feed_words, slot_offsets


def rows_apart(offsets: np.ndarray, words: int, config: EngineConfig) -> bool:
    """Whether reading `words` adjacent words of each row never meets in a bank.

    offsets: first words of the rows, relative to each other; adding the same to all moves all banks by the same.
    """
    banks = (offsets[:, None] + np.arange(words)) % config.banks
    return np.unique(banks).size == banks.size


def bank_conflicts(command: Command, config: EngineConfig) -> list[str]:
    """A line for every output row of a WINDOW or GATHER command that reads two rows of its grid in one bank."""
    fields = command.fields
    if command.unit != Unit.COMPUTE or fields["mode"] not in WINDOWED:
        return []
    grid, stride = fields["grid"], fields["stride_y"]
    count = (fields["output_rows"] - 1) * stride + grid
    offsets = slot_offsets(fields["input_row_offset"], fields["input_pitch"], fields["input_extent"], count)
    rows = fields["first_row"] + np.arange(count)
    inside = (rows >= 0) & (rows < fields["input_height"])
    found = []
    for row in range(fields["output_rows"]):
        window = slice(row * stride, row * stride + grid)
        read = offsets[window][inside[window]]
        if not rows_apart(read, feed_words(fields, config), config):
            found.append(f"output row {row}: rows at offsets {read.tolist()} share a bank and cannot be read at once")
    return found

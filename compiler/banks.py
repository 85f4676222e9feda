"""Window commands read the rows of their grid at once: these must lie in different banks (docs/engine.md)."""

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import Command
from compiler.encoding import Unit
from compiler.footprint import WINDOWED, slot_offsets


def rows_apart(offsets: np.ndarray, config: EngineConfig) -> bool:
    """Whether reading `pixels` words of each row never meets in a bank.

    offsets: first words of the rows, relative to each other. Moving all by `pixels` words moves all banks by one, so
    the left columns 0 .. pixels - 1 stand for all; of the words at i = 0 .. pixels - 1 each parity sees one.
    """
    for left in range(config.pixels):
        for word in range(config.pixels):
            banks = (offsets + left + word) // config.pixels % config.row_banks
            if np.unique(banks).size < banks.size:
                return False
    return True


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
        if not rows_apart(read, config):
            found.append(f"output row {row}: rows at offsets {read.tolist()} share a bank and cannot be read at once")
    return found

"""Words that a COMPUTE command fetches, whether or not an output needs them: each must lie in the scratchpad.

An engine reads whole steps and whole feeds: `pixels` adjacent words at a time, all rows of a grid. A fetched word whose
row and column lie in the image ends the program with error SCRATCHPAD when it lies beyond the memory (docs/engine.md).
"""

import numpy as np

from compiler.config import EngineConfig
from compiler.cycle_rows import first_left, row_feeds
from compiler.footprint import WINDOWED, feed_words, image_words, kernel_of, positions

ADDRESSES = 1 << 16  # the engine's addresses wrap there


def fetched_words(fields: dict[str, int], config: EngineConfig) -> np.ndarray:
    """Scratchpad words int64 (blocks, rows, columns) inside the image that the command fetches."""
    rows = positions(fields["output_rows"], fields["stride_y"], kernel_of(fields)[0])
    return image_words(fields, config, rows, fetched_columns(fields, config)).words % ADDRESSES


def fetched_columns(fields: dict[str, int], config: EngineConfig) -> np.ndarray:
    """Columns that the command fetches in a row, in the image or not, first_column being 0."""
    if fields["mode"] in WINDOWED:
        left = first_left(fields, config) - fields["first_column"]
        return left + np.arange(row_feeds(fields, config) * feed_words(fields, config))
    step = config.pixels if fields["stride_x"] == 1 else 1  # output columns
    steps = np.arange(-(-fields["output_width"] // step)) * step * fields["stride_x"]
    return np.unique(steps[:, None] + np.arange(fields["kernel_width"] + config.pixels - 1))

"""COMPUTE commands whose last fetched word, which no output may need, is the last one of the scratchpad, or not."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import Command
from compiler.encoding import Mode, Unit
from compiler.fetched import fetched_words
from compiler.legal import illegal_fields

FORMS = (
    {"mode": Mode.DENSE, "kernel_height": 1, "kernel_width": 1, "vectors": 1},
    {"mode": Mode.SEQUENTIAL, "kernel_height": 3, "kernel_width": 3},
    {"mode": Mode.WINDOW, "grid": 3, "passes": 1, "kernel_height": 2, "kernel_width": 2},
    {"mode": Mode.WINDOW, "grid": 5, "passes": 2, "kernel_height": 0, "kernel_width": 0},
    {"mode": Mode.GATHER, "grid": 3, "passes": 2, "kernel_height": 0, "kernel_width": 0},
)
PLACE = {
    "first_row": -1, "output_rows": 2, "output_base": 0, "output_row_offset": 0, "input_row_offset": 0,
    "input_pitch": 1, "input_extent": 0, "input_height": 9, "input_width": 40, "groups": 1, "residual": 0,
}
COLUMNS, WIDTHS, STRIDES = (-1, 0), (1, 4), (1, 2)


def at_the_end(given: dict[str, int], config: EngineConfig) -> Iterator[tuple[dict[str, int], int]]:
    """(changes of the COMPUTE command `given`, whether it leaves the scratchpad): no and yes for each legal form."""
    if config.scratchpad_words >= 1 << 16:
        return  # no address lies beyond
    for form, column, width, stride in product(FORMS, COLUMNS, WIDTHS, STRIDES):
        size = {"first_column": column, "output_width": width, "stride_x": stride, "stride_y": stride}
        fields = given | PLACE | form | size | {"input_base": 0}
        legal = not illegal_fields(Command(Unit.COMPUTE, fields), config)
        words = fetched_words(fields, config) if legal else np.empty(0, np.int64)
        if words.size:
            base = config.scratchpad_words - 1 - int(words.max())
            for beyond in (0, 1):
                yield fields | {"input_base": base + beyond}, beyond

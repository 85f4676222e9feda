"""The micro-operation: what the sequencer tells the pipeline to do with one cycle of the array."""

from amaranth.hdl import Const
from amaranth.lib import data

from compiler.config import SEQUENTIAL_TAPS, EngineConfig

CONTEXTS = 4  # commands whose results may be under way at once
RIGHT = 3  # rows from here on are the right half of a double feed


def micro_op(config: EngineConfig) -> data.StructLayout:
    """Fields of a micro-operation; K = row_ports, P = pixels.

    valid; feed: shift P columns into the window; compute: multiply and accumulate; first / last of an accumulation.
    base_x + offset[j]: word address of row j's left word; row_used, row_valid: rows read, rows inside the image;
    column_valid: columns inside the image. Of a double feed rows 3 .. 5 are rows 0 .. 2 further right: right_valid:
    the columns of rows 3 .. 5 inside the image, of any feed; at_edge: the column left of a double feed is outside it.
    vector_sub / group_sub: which taps / lanes of the word. mode, grid5, wide, late (the window has already moved on by
    two columns), pass_number, tap: operand selection. The rest belongs to the result.
    """
    rows, pixels = config.row_ports, config.pixels
    right = {"right_valid": pixels, "at_edge": 1} if config.double_feeds else {}
    return data.StructLayout(
        {
            "valid": 1,
            "feed": 1,
            "compute": 1,
            "first": 1,
            "last": 1,
            "base_x": config.size_bits,
            "offset": data.ArrayLayout(config.size_bits, rows),
            "row_used": rows,
            "row_valid": rows,
            "column_valid": pixels,
            **right,
            "vector_sub": 2,
            "group_sub": 3,
            "zero_point": 8,
            "mode": 2,
            "grid5": 1,
            "wide": 1,
            "late": 1,
            "pass_number": 4,
            "tap": range(SEQUENTIAL_TAPS),
            "weight_row": range(config.weight_rows),
            "parameter_row": range(config.parameter_rows),
            "result": result_tag(config),
        }
    )


def further_pixels(pixel_valid):
    """How many pixels a result has beyond its first; the valid ones come first."""
    return sum(pixel_valid[1:], Const(0))


def result_tag(config: EngineConfig) -> data.StructLayout:
    """Where a result goes.

    Word address of pixel 0, lane group within the word, valid pixels, context, end of command. partial: nowhere, the
    accumulators are not complete.
    """
    return data.StructLayout(
        {
            "address": config.size_bits,
            "sub": 3,
            "pixel_valid": config.pixels,
            "context": 2,
            "residual": 1,
            "command_last": 1,
            "partial": 1,
        }
    )

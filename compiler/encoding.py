"""The command encoding: one table from which encoder, decoder, RTL structs, listing, documentation and C header come.

A program is a sequence of commands in external memory, each a whole number of 16-byte units, little-endian 32-bit
words; docs/engine.md says what they mean. A field lies in word `word`, bits `low` .. `low + width - 1`.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

COMMANDS_MAX = 65535  # per unit and program
ROW_OFFSETS = 65536  # row offsets are 16-bit numbers; an extent of 0 means this many


class Unit(IntEnum):
    """Who executes a command; END stops the program when all four units have finished."""

    LOAD = 0
    WEIGHTS = 1
    COMPUTE = 2
    STORE = 3
    END = 4


class Mode(IntEnum):
    """How the array is fed (docs/engine.md, "Compute")."""

    DENSE = 0
    WINDOW = 1
    SEQUENTIAL = 2
    GATHER = 3


@dataclass(frozen=True)
class Field:
    """One field of a command; `signed` fields are two's complement."""

    name: str
    word: int
    low: int
    width: int
    doc: str
    signed: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value the field can hold."""
        if self.signed:
            return -(1 << self.width - 1), (1 << self.width - 1) - 1
        return 0, (1 << self.width) - 1


HEADER = (
    Field("unit", 0, 0, 4, "Unit that executes the command"),
    Field("wait_load", 1, 0, 16, "LOAD commands that must have finished before this one starts"),
    Field("wait_weights", 1, 16, 16, "WEIGHTS commands that must have finished"),
    Field("wait_compute", 2, 0, 16, "COMPUTE commands that must have finished"),
    Field("wait_store", 2, 16, 16, "STORE commands that must have finished"),
)

_TRANSFER = (
    Field("address", 3, 0, 32, "byte offset in the data region of the first word, a multiple of 16"),
    Field("external_block_stride", 4, 0, 32, "bytes from one channel block to the next in the data region"),
    Field("base", 5, 0, 16, "scratchpad word address of row slot 0 of the first channel block"),
    Field("block_stride", 5, 16, 16, "scratchpad words from one channel block to the next"),
    Field("pitch", 6, 0, 16, "scratchpad words from one row slot to the next"),
    Field("extent", 6, 16, 16, "row slots * pitch: the row offset that wraps to 0; 0 means 65536"),
    Field("row_offset", 7, 0, 16, "slot * pitch of the first row"),
    Field("rows", 7, 16, 16, "rows per channel block, 1 or more"),
    Field("width", 8, 0, 16, "pixels per row, 1 or more"),
    Field("blocks", 8, 16, 16, "channel blocks, 1 or more"),
)

LOAD = (
    HEADER
    + _TRANSFER
    + (Field("unpack", 0, 4, 1, "1: external rows are [width][4] bytes padded to 16; each pixel becomes one word"),)
)
STORE = HEADER + _TRANSFER
WEIGHTS = HEADER + (
    Field("address", 3, 0, 32, "byte offset in the image region, a multiple of 16"),
    Field("row", 4, 0, 16, "first row of the weight or parameter memory"),
    Field("parameters", 0, 4, 1, "0: weight memory, 1: parameter memory"),
    Field("length", 5, 0, 20, "16-byte units to read, 1 or more"),
)
COMPUTE = HEADER + (
    Field("mode", 0, 4, 2, "Mode"),
    Field("residual", 0, 6, 1, "1: Eq. 7 with the operand at residual_base"),
    Field("hold_weights", 0, 7, 1, "1: the weight row never advances (pooling and identity: all weights equal)"),
    Field("stride_y", 0, 8, 2, "vertical stride, 1 or 2"),
    Field("stride_x", 0, 10, 2, "horizontal stride, 1 or 2"),
    Field("first_group", 0, 12, 3, "lane group within the first channel block, 0 .. 16 / lanes - 1"),
    Field("continues", 0, 15, 1, "1: the sums begin with those of the partial command before, not with the bias"),
    Field("grid", 0, 16, 3, "WINDOW and GATHER: window grid, 3 or 5 (5: WINDOW only)"),
    Field("partial", 0, 19, 1, "1: the sums stay in the accumulators for the next command, no result is written"),
    Field("passes", 0, 20, 4, "WINDOW and GATHER: array passes per output, 1 .. 15"),
    Field("input_base", 3, 0, 16, "scratchpad word address of row slot 0 of the first channel block"),
    Field("input_block_stride", 3, 16, 16, "scratchpad words from one channel block to the next"),
    Field("input_pitch", 4, 0, 16, "scratchpad words from one row slot to the next"),
    Field("input_extent", 4, 16, 16, "row slots * pitch; 0 means 65536"),
    Field("input_row_offset", 5, 0, 16, "slot * pitch of image row first_row"),
    Field("vectors", 5, 16, 16, "DENSE: tap vectors per kernel position, ceil(channels / taps)"),
    Field("input_height", 6, 0, 16, "image height; rows outside read as the zero point"),
    Field("input_width", 6, 16, 16, "image width; columns outside read as the zero point"),
    Field("first_row", 7, 0, 16, "image row of kernel row 0 for the first output row", signed=True),
    Field("first_column", 7, 16, 16, "image column of kernel column 0 for output column 0", signed=True),
    Field("kernel_height", 8, 0, 16, "DENSE and SEQUENTIAL: KH; else grid rows with weights (0: all), not executed"),
    Field("kernel_width", 8, 16, 16, "DENSE and SEQUENTIAL: KW; else grid columns with weights (0: all), not executed"),
    Field("output_base", 9, 0, 16, "scratchpad word address of row slot 0 of the first channel block"),
    Field("output_block_stride", 9, 16, 16, "scratchpad words from one channel block to the next"),
    Field("output_pitch", 10, 0, 16, "scratchpad words from one row slot to the next"),
    Field("output_extent", 10, 16, 16, "row slots * pitch; 0 means 65536"),
    Field("output_row_offset", 11, 0, 16, "slot * pitch of the first output row"),
    Field("output_rows", 11, 16, 16, "output rows of this command, 1 or more"),
    Field("output_width", 12, 0, 16, "output columns, 1 or more"),
    Field("groups", 12, 16, 16, "lane groups of output channels, 1 or more"),
    Field("residual_base", 13, 0, 16, "as output_base, for the residual operand"),
    Field("residual_block_stride", 13, 16, 16, "as output_block_stride"),
    Field("residual_pitch", 14, 0, 16, "as output_pitch"),
    Field("residual_extent", 14, 16, 16, "as output_extent"),
    Field("residual_row_offset", 15, 0, 16, "as output_row_offset"),
    Field("residual_multiplier", 15, 16, 16, "M_u of Eq. 7, 0 .. 2^15"),
    Field("weight_row", 16, 0, 16, "weight row of the first group's first vector"),
    Field("parameter_row", 16, 16, 16, "parameter row of the first group"),
    Field("multiplier", 17, 0, 16, "M of Eq. 4: 0 or 2^15 .. 2^16 - 1"),
    Field("exponent", 17, 16, 5, "e of Eq. 2, 0 .. 16"),
    Field("input_zero_point", 18, 0, 8, "z_x", signed=True),
    Field("output_zero_point", 18, 8, 8, "z_y", signed=True),
    Field("low", 18, 16, 8, "lo of Eq. 6", signed=True),
    Field("high", 18, 24, 8, "hi of Eq. 6, at least lo", signed=True),
    Field("residual_zero_point", 19, 0, 8, "z_u", signed=True),
    Field("layer", 19, 16, 16, "layer number, for trace and counters only"),
)
END = HEADER

FIELDS: dict[Unit, tuple[Field, ...]] = {
    Unit.LOAD: LOAD,
    Unit.WEIGHTS: WEIGHTS,
    Unit.COMPUTE: COMPUTE,
    Unit.STORE: STORE,
    Unit.END: END,
}


_NOT_SIZES = {
    "wait_load", "wait_weights", "wait_compute", "wait_store", "residual_multiplier", "multiplier", "layer",
    "weight_row", "parameter_row", "row",
}
ADDRESSES = ("address", "external_block_stride")


def is_size(field: Field) -> bool:
    """Whether a field holds a size or a scratchpad address, which `size_bits` of an engine limits."""
    return field.name == "length" or (field.width == 16 and field.name not in _NOT_SIZES)


def used_range(field: Field, *, size_bits: int, address_bits: int) -> tuple[int, int]:
    """Smallest and largest value of a field that an engine with these limits takes."""
    width = field.width
    if is_size(field) and size_bits < 16:
        width = size_bits
    if field.name in ADDRESSES:
        width = address_bits
    return replace(field, width=width).range


def length_units(unit: Unit) -> int:
    """Length of a command in 16-byte units."""
    return max(field.word for field in FIELDS[unit]) // 4 + 1

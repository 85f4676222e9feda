"""Which words a command touches, from its fields alone (docs/engine.md): for the machine and the hazard checker."""

from dataclasses import dataclass

import numpy as np

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig
from compiler.encoding import ROW_OFFSETS, Mode

PACKED_PIXEL_BYTES = 4
WINDOWED = (Mode.WINDOW, Mode.GATHER)


def slot_offsets(offset: int, pitch: int, extent: int, count: int) -> np.ndarray:
    """Offsets of `count` rows of a ring from `offset` on: the next is offset + pitch, or 0 when that equals extent."""
    found = np.empty(count, np.int64)
    for index in range(count):
        found[index] = offset
        offset = (offset + pitch) % ROW_OFFSETS
        if offset == extent:
            offset = 0
    return found


def region_words(fields: dict[str, int], prefix: str, blocks: int, rows: int, width: int) -> np.ndarray:
    """Scratchpad words int64 (blocks, rows, width) of the region whose fields begin with `prefix`."""
    offsets = slot_offsets(fields[f"{prefix}row_offset"], fields[f"{prefix}pitch"], fields[f"{prefix}extent"], rows)
    block = np.arange(blocks) * fields[f"{prefix}block_stride"]
    return fields[f"{prefix}base"] + block[:, None, None] + offsets[:, None] + np.arange(width)


def transfer_words(fields: dict[str, int]) -> np.ndarray:
    """Scratchpad words (blocks, rows, width) of a LOAD or STORE."""
    return region_words(fields, "", fields["blocks"], fields["rows"], fields["width"])


def transfer_bytes(fields: dict[str, int]) -> np.ndarray:
    """Byte offsets (blocks, bytes per block) in the data region of a LOAD or STORE."""
    row = fields["width"] * WORD_BYTES
    if fields.get("unpack"):
        row = -(-fields["width"] * PACKED_PIXEL_BYTES // WORD_BYTES) * WORD_BYTES
    block = np.arange(fields["blocks"]) * fields["external_block_stride"]
    return fields["address"] + block[:, None] + np.arange(fields["rows"] * row)


@dataclass(frozen=True)
class Channels:
    """Output channels of a COMPUTE, counted from byte 0 of its first channel block: first .. first + count - 1."""

    first: int
    count: int

    @property
    def blocks(self) -> int:
        """Channel blocks that hold them."""
        return -(-(self.first + self.count) // WORD_BYTES)


def channels_of(fields: dict[str, int], config: EngineConfig) -> Channels:
    """The output channels of a COMPUTE."""
    return Channels(fields["first_group"] * config.lanes, fields["groups"] * config.lanes)


def kernel_of(fields: dict[str, int]) -> tuple[int, int]:
    """(rows, columns) that a COMPUTE reads for one output: the grid of WINDOW and GATHER, else the kernel."""
    if fields["mode"] in WINDOWED:
        return fields["grid"], fields["grid"]
    return fields["kernel_height"], fields["kernel_width"]


def live_kernel_of(fields: dict[str, int]) -> tuple[int, int]:
    """As kernel_of, without the grid rows and columns beyond kernel_height and kernel_width: their weights are 0."""
    kernel = kernel_of(fields)
    given = fields["kernel_height"] or kernel[0], fields["kernel_width"] or kernel[1]
    return min(kernel[0], given[0]), min(kernel[1], given[1])


def feed_words(fields: dict[str, int], config: EngineConfig) -> int:
    """Adjacent words of each row of its window that a WINDOW or GATHER reads in one cycle (docs/engine.md)."""
    double = fields["mode"] == Mode.WINDOW and fields["grid"] == 3 and fields["stride_x"] == 2
    return config.pixels * (2 if double and config.double_feeds else 1)


def input_blocks(fields: dict[str, int], config: EngineConfig) -> int:
    """Channel blocks of input that a COMPUTE reads."""
    if fields["mode"] == Mode.DENSE:
        return -(-fields["vectors"] * config.taps // WORD_BYTES)
    return 1 if fields["mode"] == Mode.GATHER else channels_of(fields, config).blocks


@dataclass(frozen=True, eq=False)
class InputRead:
    """What a COMPUTE reads of its image.

    words: scratchpad words (blocks, rows inside, columns inside). rows, columns: which positions of the padded patch
    of `shape` (rows, columns) these are; the other positions hold the zero point or are not read at all.
    """

    words: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]


def input_read(fields: dict[str, int], config: EngineConfig, kernel: tuple[int, int]) -> InputRead:
    """The image words that kernels of this size read, first_row and first_column being patch position (0, 0)."""
    rows = positions(fields["output_rows"], fields["stride_y"], kernel[0])
    columns = positions(fields["output_width"], fields["stride_x"], kernel[1])
    return image_words(fields, config, rows, columns)


def image_words(fields: dict[str, int], config: EngineConfig, rows: np.ndarray, columns: np.ndarray) -> InputRead:
    """The image words at these patch positions, rising, those inside the image only."""
    height, width = int(rows[-1]) + 1, int(columns[-1]) + 1
    offsets = slot_offsets(fields["input_row_offset"], fields["input_pitch"], fields["input_extent"], height)
    rows = rows[_inside(rows + fields["first_row"], fields["input_height"])]
    columns = columns[_inside(columns + fields["first_column"], fields["input_width"])]
    block = np.arange(input_blocks(fields, config)) * fields["input_block_stride"]
    words = fields["input_base"] + block[:, None, None] + offsets[rows][:, None] + columns + fields["first_column"]
    return InputRead(words, rows, columns, (height, width))


def positions(outputs: int, stride: int, kernel: int) -> np.ndarray:
    """Patch positions, rising, that some output reads."""
    return np.unique(np.arange(outputs)[:, None] * stride + np.arange(kernel))


def _inside(position: np.ndarray, size: int) -> np.ndarray:
    return (position >= 0) & (position < size)


def group_weight_rows(fields: dict[str, int], config: EngineConfig) -> int:
    """Weight rows of one lane group."""
    if fields["mode"] in WINDOWED:
        return fields["passes"]
    taps = fields["kernel_height"] * fields["kernel_width"]
    return taps * fields["vectors"] if fields["mode"] == Mode.DENSE else -(-taps // SEQUENTIAL_TAPS)


def weight_rows(fields: dict[str, int], config: EngineConfig) -> np.ndarray:
    """Weight memory rows that a COMPUTE reads, (groups, rows per group), or (1, 1) with hold_weights."""
    if fields["hold_weights"]:
        return np.array([[fields["weight_row"]]])
    each = group_weight_rows(fields, config)
    return (fields["weight_row"] + np.arange(fields["groups"] * each).reshape(-1, each)) % config.weight_rows


def parameter_rows(fields: dict[str, int], config: EngineConfig) -> np.ndarray:
    """Parameter memory rows that a COMPUTE reads, one per group."""
    return (fields["parameter_row"] + np.arange(fields["groups"])) % config.parameter_rows


def filled_rows(fields: dict[str, int], config: EngineConfig) -> np.ndarray:
    """Weight or parameter memory rows that a WEIGHTS command writes."""
    size, rows = config.weight_row_bytes, config.weight_rows
    if fields["parameters"]:
        size, rows = config.parameter_row_bytes, config.parameter_rows
    return (fields["row"] + np.arange(-(-fields["length"] * WORD_BYTES // size))) % rows

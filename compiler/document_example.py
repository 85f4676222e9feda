"""The worked examples of docs/commands.md: one COMPUTE command and one parameter row, byte by byte."""

import numpy as np

from compiler.config import preset
from compiler.encode import encode
from compiler.encoding import FIELDS, Mode, Unit
from compiler.mapping import map_layer
from golden.layer import ConvLayer
from golden.requantize import ShiftScaler

# A dense 3 x 3 layer, stride 1, padding 1, of 32 channels on a 14 x 14 image, 16 output channels, first 4 output rows.
COMPUTE = {
    "wait_load": 1,
    "wait_weights": 2,
    "mode": Mode.DENSE,
    "stride_y": 1,
    "stride_x": 1,
    "input_block_stride": 196,
    "input_pitch": 14,
    "input_extent": 196,
    "input_row_offset": 182,
    "vectors": 2,
    "input_height": 14,
    "input_width": 14,
    "first_row": -1,
    "first_column": -1,
    "kernel_height": 3,
    "kernel_width": 3,
    "output_base": 392,
    "output_block_stride": 196,
    "output_pitch": 14,
    "output_extent": 196,
    "output_rows": 4,
    "output_width": 14,
    "groups": 2,
    "multiplier": 46341,
    "exponent": 9,
    "input_zero_point": -128,
    "output_zero_point": -128,
    "low": -128,
    "high": 127,
}
BIASES = (1000, -1000, 0, 1, -1, 2**31 - 1, -(2**31), 256)
SHIFTS = (0, 1, 2, 3, 4, 5, 10, 15)


def compute_example() -> list[str]:
    """Markdown lines: the command's words in hexadecimal, and the fields in each."""
    words = np.frombuffer(encode(Unit.COMPUTE, COMPUTE), "<u4")
    lines = [
        "",
        "## Example: a COMPUTE command",
        "",
        "Engine `medium` (lanes 8, taps 16): the first 4 output rows of a dense 3 x 3 layer with stride 1 and",
        "padding 1, from 32 channels of 14 x 14 pixels to 16 channels. Input at scratchpad word 0, output at word 392;",
        "row -1 of the image is slot 13 of 14. Fields that are 0 are not shown.",
        "",
        "| word | value | fields |",
        "|---|---|---|",
    ]
    for number, word in enumerate(words):
        fields = [field for field in FIELDS[Unit.COMPUTE] if field.word == number]
        values = {"unit": Unit.COMPUTE} | COMPUTE
        shown = ", ".join(f"{field.name} {values[field.name]:d}" for field in fields if values.get(field.name))
        lines.append(f"| {number} | {word:08x} | {shown} |")
    return lines


def parameter_row() -> bytes:
    """The external form of a parameter row of 8 lanes."""
    config = preset("medium")
    layer = ConvLayer(
        name="example",
        input="x",
        output="y",
        depthwise=False,
        weight=np.zeros((len(BIASES), 1, 1, 1), np.int8),
        bias=np.array(BIASES, np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        requantizer=ShiftScaler(np.array(SHIFTS, np.uint8), 0, 2**15, config.guard_bits),
        lo=-128,
        hi=127,
    )
    return map_layer(layer, config, output_size=(1, 1), packed_input=False).parameter_rows(0, 1)


def parameter_example() -> list[str]:
    """Markdown lines: a parameter row as bytes in hexadecimal."""
    data = parameter_row()
    lines = [
        "",
        "## Example: a parameter row",
        "",
        f"Lanes 8, {len(data)} bytes: biases {', '.join(map(str, BIASES))};",
        f"shifts {', '.join(map(str, SHIFTS))}, the lower lane in the lower nibble.",
        "",
        "| byte | value |",
        "|---|---|",
    ]
    return lines + [f"| {at} | {data[at : at + 16].hex(' ', 4)} |" for at in range(0, len(data), 16)]

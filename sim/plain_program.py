"""The plainest programs: one layer, nothing overlapped, whole tensors on chip; every command waits for the one before.

They judge the engine without the compiler, and the error tests break single fields of them.
"""

from dataclasses import dataclass

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encode import encode
from compiler.encoding import Mode, Unit, length_units
from compiler.layout import blocks_of
from compiler.schedule import WAIT_FIELDS
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from sim.trace import ComputeWrites

IMAGE_ROWS = 32767  # an image has no more

Command = tuple[Unit, dict[str, int]]


def in_order(commands: list[Command]) -> list[Command]:
    """The same commands, each waiting for all before it, and END."""
    done = dict.fromkeys(WAIT_FIELDS, 0)
    ordered = []
    for unit, values in [*commands, (Unit.END, {})]:
        ordered.append((unit, values | {WAIT_FIELDS[u]: n for u, n in done.items()}))
        if unit in done:
            done[unit] += 1
    return ordered


def _odd_pitch(width: int, pixels: int) -> int:
    """A pitch that puts the rows of a window in different banks."""
    pitch = -(-width // pixels)
    return pixels * (pitch | 1)


def pack_weights(layer: ConvLayer, mode: Mode, config: EngineConfig, grid: int) -> np.ndarray:
    """Weight rows of all lane groups of the padded output, int8 (rows, lanes, taps), in the order of docs/engine.md."""
    lanes, taps = config.lanes, config.taps
    total = WORD_BYTES * blocks_of(layer.channels)
    weight = np.zeros((total, *layer.weight.shape[1:]), np.int8)
    weight[: layer.channels] = layer.weight
    if mode in (Mode.WINDOW, Mode.GATHER):
        square = np.zeros((total, weight.shape[1], grid, grid), np.int8)
        square[:, :, : weight.shape[2], : weight.shape[3]] = weight
        order = (square.swapaxes(2, 3) if mode == Mode.WINDOW else square).reshape(total, -1)
    elif mode == Mode.DENSE:
        vectors = -(-layer.input_channels // taps)
        padded = np.zeros((total, vectors * taps, *layer.kernel), np.int8)
        padded[:, : layer.input_channels] = weight
        order = padded.transpose(0, 2, 3, 1).reshape(total, -1)
    else:
        order = weight.reshape(total, -1)
    rows = -(-order.shape[1] // taps)
    flat = np.zeros((total, rows * taps), np.int8)
    flat[:, : order.shape[1]] = order
    return flat.reshape(total // lanes, lanes, rows, taps).transpose(0, 2, 1, 3).reshape(-1, lanes, taps)


def pack_parameters(layer: ConvLayer, config: EngineConfig) -> np.ndarray:
    """Parameter rows of all lane groups of the padded output, uint8 (groups, parameter_row_bytes)."""
    lanes = config.lanes
    total = WORD_BYTES * blocks_of(layer.channels)
    bias, shift = np.zeros(total, "<i4"), np.zeros(total, np.uint8)
    bias[: layer.channels], shift[: layer.channels] = layer.bias, layer.requantizer.shift
    rows = []
    for group in range(total // lanes):
        cut = slice(group * lanes, (group + 1) * lanes)
        biases = bias[cut].tobytes()
        pairs = shift[cut].reshape(-1, 2)
        nibbles = (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8).tobytes()
        start = 8 if lanes == 2 else -(-len(biases) // WORD_BYTES) * WORD_BYTES
        rows.append((biases.ljust(start, b"\0") + nibbles).ljust(config.parameter_row_bytes, b"\0"))
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)


@dataclass(frozen=True, eq=False)
class PlainProgram:
    """image: program, weights, parameters; the program starts at offset 0. commands: as encoded, waits included.

    data_size, input_offset, output_offset: the data region; parts: what each COMPUTE command writes.
    """

    image: bytes
    commands: list[Command]
    data_size: int
    input_offset: int
    output_offset: int
    parts: list[ComputeWrites]


def mode_of(layer: ConvLayer, config: EngineConfig) -> tuple[Mode, int]:
    """The fastest mode that takes this layer, and its grid (0 without)."""
    largest = max(layer.kernel)
    if layer.depthwise:
        grid = 3 if largest <= 3 else 5
        return (Mode.WINDOW, grid) if largest <= grid <= config.window_kernel else (Mode.SEQUENTIAL, 0)
    if layer.input_channels <= 4 and largest <= 3 and config.gathers:
        return Mode.GATHER, 3
    return Mode.DENSE, 0


def _held(rows: np.ndarray, most: int, what: str, layer: ConvLayer, config: EngineConfig) -> np.ndarray:
    """The rows that a memory of `most` rows holds, whose addresses wrap: all, or one round of rows that repeat."""
    if len(rows) > most and not np.array_equal(rows[most:], rows[:-most]):
        raise WesnpuError(f"layer {layer.name} has {len(rows)} {what} rows: {config.name} has {most}")
    return rows[:most]


def plain_program(
    network: Network, config: EngineConfig, *, mode: tuple[Mode, int] | None = None, align: int = 64,
    slots: int = IMAGE_ROWS, in_place: bool = False, times: int = 1,
) -> PlainProgram:
    """The program of a network of one layer; WesnpuError when it does not fit the memories whole.

    slots: row slots of the tensors' rings; fewer than rows are right for an image whose rows repeat. in_place: the
    results overwrite the input, which is right for 1x1 depthwise layers. times: COMPUTE commands, all the same.
    """
    (layer,) = network.layers
    if layer.residual is not None and layer.residual.tensor != layer.input:
        raise WesnpuError(f"layer {layer.name}: the residual operand of a plain program must be its input")
    source, target = network.tensors[layer.input], network.tensors[layer.output]
    kind, grid = mode or mode_of(layer, config)
    packed_input = source.channels <= 4
    pitch, out_pitch = _odd_pitch(source.width, config.pixels), _odd_pitch(target.width, config.pixels)
    in_blocks, out_blocks = blocks_of(source.channels), blocks_of(target.channels)
    in_slots, out_slots = min(slots, source.height), min(slots, target.height)
    in_stride, out_stride = pitch * in_slots, out_pitch * out_slots
    out_base = 0 if in_place else in_blocks * in_stride
    groups = out_blocks * (WORD_BYTES // config.lanes)
    if out_base + out_blocks * out_stride > config.scratchpad_words:
        raise WesnpuError(f"layer {layer.name} does not fit {config.name} whole")
    all_weights = pack_weights(layer, kind, config, grid)
    parameters = _held(pack_parameters(layer, config), config.parameter_rows, "parameter", layer, config).tobytes()
    weight_bytes = _held(all_weights, config.weight_rows, "weight", layer, config).tobytes()
    weight_bytes += b"\0" * (-len(weight_bytes) % 16)
    row_bytes = -(-source.width // 4) * 16 if packed_input else source.width * 16
    in_bytes = source.height * row_bytes * (1 if packed_input else in_blocks)
    out_offset = -(-in_bytes // align) * align
    block_bytes = target.height * target.width * 16

    load = {"address": 0, "external_block_stride": source.height * row_bytes, "base": 0, "block_stride": in_stride,
            "pitch": pitch, "extent": in_stride & 0xFFFF, "rows": source.height, "width": source.width,
            "blocks": in_blocks, "unpack": int(packed_input)}
    store = {"address": out_offset, "external_block_stride": block_bytes, "base": out_base,
             "block_stride": out_stride, "pitch": out_pitch, "extent": out_stride & 0xFFFF, "rows": target.height,
             "width": target.width, "blocks": out_blocks}
    scaler = layer.requantizer
    compute = {
        "mode": int(kind), "stride_y": layer.stride[0], "stride_x": layer.stride[1], "grid": grid,
        "passes": len(all_weights) // groups if grid else 0, "input_block_stride": in_stride, "input_pitch": pitch,
        "input_extent": in_stride & 0xFFFF, "input_row_offset": -layer.padding[0] % in_slots * pitch,
        "vectors": -(-source.channels // config.taps), "input_height": source.height, "input_width": source.width,
        "first_row": -layer.padding[0], "first_column": -layer.padding[1], "kernel_height": layer.kernel[0],
        "kernel_width": layer.kernel[1], "output_base": out_base, "output_block_stride": out_stride,
        "output_pitch": out_pitch, "output_extent": out_stride & 0xFFFF, "output_rows": target.height,
        "output_width": target.width, "groups": groups, "multiplier": scaler.multiplier,
        "exponent": scaler.exponent, "input_zero_point": source.zero_point,
        "output_zero_point": target.zero_point, "low": layer.lo, "high": layer.hi, "layer": 0,
    }

    if layer.residual is not None:
        compute |= {
            "residual": 1, "residual_block_stride": in_stride, "residual_pitch": pitch,
            "residual_extent": in_stride & 0xFFFF, "residual_multiplier": layer.residual.multiplier,
            "residual_zero_point": source.zero_point,
        }

    def commands(start: int) -> list[Command]:
        weights_at = start
        parameters_at = weights_at + len(weight_bytes)
        return in_order([
            (Unit.LOAD, load),
            (Unit.WEIGHTS, {"address": weights_at, "length": len(weight_bytes) // 16}),
            (Unit.WEIGHTS, {"address": parameters_at, "length": len(parameters) // 16, "parameters": 1}),
            *[(Unit.COMPUTE, compute)] * times,
            (Unit.STORE, store),
        ])

    size = sum(length_units(unit) for unit, _ in commands(0)) * 16
    listing = commands(size)
    image = b"".join(encode(*command) for command in listing) + weight_bytes + parameters
    part = ComputeWrites(0, 0, 0, 0, groups, target.height, target.width, target.width, 0, out_base, out_stride,
                         out_pitch, out_stride & 0xFFFF, 0)
    data_size = out_offset + out_blocks * block_bytes
    image += b"\0" * (-len(image) % 64)
    return PlainProgram(image, listing, data_size + -data_size % 64, 0, out_offset, [part] * times)

"""The plainest programs: one layer, nothing overlapped, whole tensors on chip; every command waits for the one before.

They judge the engine without the compiler, and the error tests break single fields of them.
"""

from dataclasses import dataclass

from compiler.config import ROW_BANKS, WORD_BYTES, EngineConfig
from compiler.encode import encode
from compiler.encoding import Mode, Unit, length_units
from compiler.footprint import feed_words
from compiler.layout import PACKED_CHANNELS, blocks_of
from compiler.schedule import WAIT_FIELDS
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network, Tensor
from sim.plain_packing import held, parameter_rows, weight_rows
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


@dataclass(frozen=True)
class Ring:
    """Where a tensor lies: on chip and in the data region.

    Scratchpad: `slots` rows of each channel block from word `base` on. Data region: rows of `row_bytes` from `address`.
    """

    tensor: Tensor
    base: int
    slots: int
    pixels: int
    address: int
    row_bytes: int
    doubled: bool = False

    @property
    def pitch(self) -> int:
        """An odd number of accesses, which puts the rows of a window in different banks.

        doubled: 3 or 5 modulo 8, which does so for three rows read by two accesses each.
        """
        accesses = -(-self.tensor.width // self.pixels) | 1
        while self.doubled and accesses % ROW_BANKS[5] not in (3, 5):
            accesses += 2
        return self.pixels * accesses

    @property
    def blocks(self) -> int:
        """Channel blocks."""
        return blocks_of(self.tensor.channels)

    @property
    def stride(self) -> int:
        """Words per block."""
        return self.pitch * self.slots

    @property
    def end(self) -> int:
        """The first word behind it."""
        return self.base + self.blocks * self.stride

    def placed(self, prefix: str) -> dict[str, int]:
        """Where it lies, as fields of a COMPUTE command."""
        names = {"block_stride": self.stride, "pitch": self.pitch, "extent": self.stride & 0xFFFF}
        return {prefix + name: value for name, value in names.items()}

    def transfer(self) -> dict[str, int]:
        """The fields of the LOAD or STORE command that moves all of it."""
        return self.placed("") | {
            "address": self.address, "external_block_stride": self.tensor.height * self.row_bytes, "base": self.base,
            "rows": self.tensor.height, "width": self.tensor.width, "blocks": self.blocks,
        }


def _rings(
    source: Tensor, target: Tensor, pixels: int, align: int, slots: int, in_place: bool, doubled: bool
) -> tuple[Ring, Ring]:
    """Input and output, one after the other on chip and outside."""
    packed = source.channels <= PACKED_CHANNELS
    row_bytes = (-(-source.width // PACKED_CHANNELS) if packed else source.width) * WORD_BYTES
    given = Ring(source, 0, min(slots, source.height), pixels, 0, row_bytes, doubled)
    size = given.blocks * source.height * row_bytes
    made_slots = min(slots, target.height)
    made = Ring(target, 0 if in_place else given.end, made_slots, pixels, -(-size // align) * align,
                target.width * WORD_BYTES)
    return given, made


def _compute(layer: ConvLayer, given: Ring, made: Ring, kind: Mode, grid: int, config: EngineConfig) -> dict[str, int]:
    """The fields of the COMPUTE command that makes all of the layer's output, but `passes` and `groups`."""
    source, target, scaler = given.tensor, made.tensor, layer.requantizer
    return given.placed("input_") | made.placed("output_") | {
        "mode": int(kind), "stride_y": layer.stride[0], "stride_x": layer.stride[1], "grid": grid,
        "input_row_offset": -layer.padding[0] % given.slots * given.pitch,
        "vectors": -(-source.channels // config.taps), "input_height": source.height, "input_width": source.width,
        "first_row": -layer.padding[0], "first_column": -layer.padding[1], "kernel_height": layer.kernel[0],
        "kernel_width": layer.kernel[1], "output_base": made.base, "output_rows": target.height,
        "output_width": target.width, "multiplier": scaler.multiplier, "exponent": scaler.exponent,
        "input_zero_point": source.zero_point, "output_zero_point": target.zero_point, "low": layer.lo,
        "high": layer.hi, "layer": 0,
    } | _residual(layer, given)


def _residual(layer: ConvLayer, given: Ring) -> dict[str, int]:
    if layer.residual is None:
        return {}
    return given.placed("residual_") | {
        "residual": 1, "residual_multiplier": layer.residual.multiplier,
        "residual_zero_point": given.tensor.zero_point,
    }


def _single_layer(network: Network) -> ConvLayer:
    (layer,) = network.layers
    if layer.residual is not None and layer.residual.tensor != layer.input:
        raise WesnpuError(f"layer {layer.name}: the residual operand of a plain program must be its input")
    return layer


def plain_program(
    network: Network, config: EngineConfig, *, mode: tuple[Mode, int] | None = None, align: int = 64,
    slots: int = IMAGE_ROWS, in_place: bool = False, times: int = 1,
) -> PlainProgram:
    """The program of a network of one layer; WesnpuError when it does not fit the memories whole.

    slots: row slots of the tensors' rings; fewer than rows are right for an image whose rows repeat. in_place: the
    results overwrite the input, which is right for 1x1 depthwise layers. times: COMPUTE commands, all the same.
    """
    layer = _single_layer(network)
    source, target = network.tensors[layer.input], network.tensors[layer.output]
    kind, grid = mode or mode_of(layer, config)
    doubled = feed_words({"mode": kind, "grid": grid, "stride_x": layer.stride[1]}, config) > config.pixels
    given, made = _rings(source, target, config.pixels, align, slots, in_place, doubled)
    if made.end > config.scratchpad_words:
        raise WesnpuError(f"layer {layer.name} does not fit {config.name} whole")
    groups = made.blocks * (WORD_BYTES // config.lanes)
    rows = weight_rows(layer, kind, grid, config)
    weights = held(rows, config.weight_rows, f"layer {layer.name}: weight")
    parameters = held(parameter_rows(layer, config), config.parameter_rows, f"layer {layer.name}: parameter")
    size = {"groups": groups, "passes": len(rows) // groups if grid else 0}
    compute = (Unit.COMPUTE, _compute(layer, given, made, kind, grid, config) | size)
    load = (Unit.LOAD, given.transfer() | {"unpack": int(source.channels <= PACKED_CHANNELS)})

    def commands(start: int) -> list[Command]:
        return in_order([
            load,
            (Unit.WEIGHTS, {"address": start, "length": len(weights) // 16}),
            (Unit.WEIGHTS, {"address": start + len(weights), "length": len(parameters) // 16, "parameters": 1}),
            *[compute] * times,
            (Unit.STORE, made.transfer()),
        ])

    listing = commands(sum(length_units(unit) for unit, _ in commands(0)) * 16)
    image = b"".join(encode(*command) for command in listing) + weights + parameters
    part = ComputeWrites(0, 0, 0, 0, groups, target.height, target.width, target.width, 0, made.base, made.stride,
                         made.pitch, made.stride & 0xFFFF, 0)
    data_size = made.address + made.blocks * target.height * made.row_bytes
    return PlainProgram(_filled(image), listing, data_size + -data_size % 64, 0, made.address, [part] * times)


def _filled(image: bytes) -> bytes:
    """To a multiple of 64 bytes."""
    return image + b"\0" * (-len(image) % 64)

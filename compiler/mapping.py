"""How one layer is fed to the array: mode, grid, passes, and its weight and parameter rows."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encoding import Mode
from compiler.footprint import WINDOWED, feed_words
from compiler.layout import CHANNELS_PER_BLOCK, blocks_of
from compiler.region import WORDS_ALONE, Window
from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.requantize import ShiftScaler

GATHER_GRID = 3


@dataclass(frozen=True)
class Piece:
    """Part of the sums of a layer: kernel rows from `top` on, kernel columns from `left` on, input channel blocks.

    Depthwise layers have one input block: that of the output.
    """

    top: int
    rows: int
    left: int
    columns: int
    block: int
    blocks: int


@dataclass(frozen=True, eq=False)
class Mapping:
    """One layer on one engine.

    groups: lane groups of output channels, whole blocks. group_rows: weight rows per group (0 with hold_weights,
    where one row serves a whole run of groups). stride: (vertical, horizontal), 1 where the output has one row or
    column. grid, passes, vectors: as in docs/engine.md.
    """

    layer: ConvLayer
    config: EngineConfig
    mode: Mode
    grid: int
    passes: int
    vectors: int
    hold_weights: bool
    stride: tuple[int, int]

    @property
    def scaler(self) -> ShiftScaler:
        """The layer's requantizer, which `map_layer` has checked."""
        return cast(ShiftScaler, self.layer.requantizer)

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.layer.weight.shape[0]

    @property
    def groups(self) -> int:
        """Lane groups that make whole channel blocks."""
        return blocks_of(self.channels) * self.groups_per_block

    @property
    def groups_per_block(self) -> int:
        """Lane groups of one channel block."""
        return CHANNELS_PER_BLOCK // self.config.lanes

    @property
    def used_groups(self) -> int:
        """Lane groups with at least one channel below C; the rest of the last block is empty."""
        return -(-self.channels // self.config.lanes)

    @property
    def depthwise(self) -> bool:
        """Whether an output channel block reads the same input channel block only."""
        return self.layer.depthwise

    @property
    def window(self) -> Window:
        """Rows and words read at once that must lie in different banks."""
        if self.mode not in WINDOWED:
            return WORDS_ALONE
        return Window(self.grid, feed_words(self.feed(self.whole), self.config))

    @property
    def pointwise(self) -> bool:
        """1 x 1, stride 1, no padding: rows may be joined."""
        layer = self.layer
        return layer.kernel == (1, 1) and self.stride == (1, 1) and not any(layer.padding) and self.window.rows == 1

    @property
    def group_rows(self) -> int:
        """Weight rows of one lane group."""
        return self.rows_of(self.whole)

    def weight_rows(self, first: int, count: int, piece: Piece | None = None) -> bytes:
        """Bytes of the weight rows of groups first .. first + count - 1 (for one piece only), padded to 16 bytes."""
        groups = range(first, first + count)
        return _padded(b"".join(self._group(group, piece or self.whole).tobytes() for group in groups))

    @property
    def whole(self) -> Piece:
        """All sums of the layer in one piece."""
        kh, kw = self.layer.kernel
        return Piece(0, kh, 0, kw, 0, blocks_of(self.layer.weight.shape[1]))

    def vectors_of(self, piece: Piece) -> int:
        """DENSE: tap vectors of the piece's channel blocks."""
        per_block = CHANNELS_PER_BLOCK // self.config.taps
        return min(piece.blocks * per_block, self.vectors - piece.block * per_block)

    def rows_of(self, piece: Piece) -> int:
        """Weight rows of one lane group for the piece; 0 with hold_weights."""
        if self.hold_weights:
            return 0
        if self.mode == Mode.DENSE:
            return piece.rows * piece.columns * self.vectors_of(piece)
        return -(-piece.rows * piece.columns // SEQUENTIAL_TAPS) if self.mode == Mode.SEQUENTIAL else self.passes

    def feed(self, piece: Piece) -> dict[str, int]:
        """The fields of COMPUTE that say how the array is fed."""
        return {
            "mode": self.mode, "stride_y": self.stride[0], "stride_x": self.stride[1],
            "hold_weights": int(self.hold_weights), "grid": self.grid, "passes": self.passes if self.grid else 0,
            "vectors": self.vectors_of(piece), "kernel_height": piece.rows, "kernel_width": piece.columns,
        }

    def without_window(self) -> "Mapping":
        """The same layer fed word by word, which asks nothing of the banks."""
        if not self.depthwise:
            return replace(self, mode=Mode.DENSE, grid=0)
        return replace(self, mode=Mode.SEQUENTIAL, grid=0, hold_weights=_all_equal(self.layer.weight))

    def runs(self) -> list[tuple[int, int, int]]:
        """(first group, groups, channels per group) of lane groups that one command may do.

        0 channels: empty groups.
        """
        lanes, used = self.config.lanes, self.used_groups
        runs = [(0, used, lanes), (used, self.groups - used, 0)]
        if self.hold_weights and self.channels % lanes:
            runs[:1] = [(0, used - 1, lanes), (used - 1, 1, self.channels % lanes)]
        return [run for run in runs if run[1]]

    def held_row(self, live_lanes: int) -> bytes:
        """The one weight row of a run whose weight row never advances: `live_lanes` lanes with the layer's weight."""
        row = np.zeros((self.config.lanes, self.config.taps), np.int8)
        row[:live_lanes] = self.layer.weight.flat[0]
        return _padded(row.tobytes())

    def parameter_rows(self, first: int, count: int) -> bytes:
        """Bytes of the parameter rows of these groups: biases and 4-bit shifts, 0 beyond C."""
        return b"".join(self._parameters(group) for group in range(first, first + count))

    def _channels_of(self, group: int) -> slice:
        return slice(group * self.config.lanes, min((group + 1) * self.config.lanes, self.channels))

    def _parameters(self, group: int) -> bytes:
        lanes, chosen = self.config.lanes, self._channels_of(group)
        biases, shifts = np.zeros(lanes, "<i4"), np.zeros(lanes, np.uint8)
        if chosen.start < self.channels:
            biases[: chosen.stop - chosen.start] = self.layer.bias[chosen]
            shifts[: chosen.stop - chosen.start] = self.scaler.shift[chosen]
        packed = (shifts[0::2] | shifts[1::2] << 4).tobytes()
        if lanes == 2:
            return _padded(biases.tobytes() + packed)
        return _padded(_padded(biases.tobytes()) + packed)

    def _group(self, group: int, piece: Piece) -> np.ndarray:
        """int8 (weight rows, lanes, taps) of one lane group."""
        config, chosen = self.config, self._channels_of(group)
        flat = np.zeros((config.lanes, self.rows_of(piece) * config.taps), np.int8)
        if chosen.start < self.channels:
            first = piece.block * CHANNELS_PER_BLOCK
            inputs = slice(first, first + piece.blocks * CHANNELS_PER_BLOCK)
            rows, columns = slice(piece.top, piece.top + piece.rows), slice(piece.left, piece.left + piece.columns)
            part = self._tap_order(self.layer.weight[chosen, inputs, rows, columns], self.vectors_of(piece))
            flat[: part.shape[0], : part.shape[1]] = part
        return flat.reshape(config.lanes, -1, config.taps).transpose(1, 0, 2)

    def _tap_order(self, weight: np.ndarray, vectors: int) -> np.ndarray:
        """(O, taps in the order of docs/engine.md) of weight (O, I, KH, KW)."""
        outputs, inputs, kh, kw = weight.shape
        if self.mode == Mode.DENSE:
            padded = np.zeros((outputs, kh, kw, vectors * self.config.taps), np.int8)
            padded[..., :inputs] = weight.transpose(0, 2, 3, 1)
            return padded.reshape(outputs, -1)
        if self.mode == Mode.SEQUENTIAL:
            rows = np.zeros((outputs, -(-kh * kw // SEQUENTIAL_TAPS), self.config.taps), np.int8)
            kernel = np.zeros((outputs, rows.shape[1] * SEQUENTIAL_TAPS), np.int8)
            kernel[:, : kh * kw] = weight.reshape(outputs, -1)
            rows[..., :SEQUENTIAL_TAPS] = kernel.reshape(outputs, -1, SEQUENTIAL_TAPS)
            return rows.reshape(outputs, -1)
        window = np.zeros((outputs, inputs, self.grid, self.grid), np.int8)
        window[:, :, :kh, :kw] = weight
        if self.mode == Mode.WINDOW:
            window = window.transpose(0, 1, 3, 2)
        return window.reshape(outputs, -1)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def map_layer(layer: ConvLayer, config: EngineConfig, *, output_size: tuple[int, int], packed_input: bool) -> Mapping:
    """The mapping of a layer.

    Output_size: (height, width). WesnpuError names the layer and what the engine cannot do.
    """
    stride = (layer.stride[0] if output_size[0] > 1 else 1, layer.stride[1] if output_size[1] > 1 else 1)
    _check(layer, config, stride)
    kh, kw = layer.kernel
    inputs = layer.weight.shape[1]
    mode, grid = Mode.DENSE, 0
    if layer.depthwise:
        mode = Mode.SEQUENTIAL
        if 1 < max(kh, kw) <= config.window_kernel:
            mode, grid = Mode.WINDOW, 3 if max(kh, kw) <= 3 else 5
    elif packed_input and config.gathers and 1 < max(kh, kw) <= GATHER_GRID:
        mode, grid = Mode.GATHER, GATHER_GRID
    taps = grid * grid * (inputs if mode == Mode.GATHER else 1)
    return Mapping(
        layer=layer,
        config=config,
        mode=mode,
        grid=grid,
        passes=-(-taps // config.taps),
        vectors=-(-inputs // config.taps),
        hold_weights=mode == Mode.SEQUENTIAL and _all_equal(layer.weight),
        stride=stride,
    )


def _all_equal(weight: np.ndarray) -> bool:
    return bool((weight == weight.flat[0]).all())


def _check(layer: ConvLayer, config: EngineConfig, stride: tuple[int, int]) -> None:
    if not isinstance(layer.requantizer, ShiftScaler) or layer.requantizer.half_step is not None:
        kind = type(layer.requantizer).__name__
        raise WesnpuError(
            f"layer {layer.name}: requantizer {kind}: the engine runs ShiftScaler without half steps only"
        )
    if layer.block_shift is not None:
        raise WesnpuError(f"layer {layer.name}: block_shift (Eq. 8) is given: the engine has no sub-layer shifts")
    if layer.requantizer.guard_bits != config.guard_bits:
        raise WesnpuError(
            f"layer {layer.name}: G = {layer.requantizer.guard_bits}, "
            f"the engine {config.name} has G = {config.guard_bits}: "
            f"quantize with --guard-bits {config.guard_bits} for it"
        )
    if not set(stride) <= {1, 2}:
        raise WesnpuError(f"layer {layer.name}: stride {layer.stride} must be 1 or 2 in each direction")

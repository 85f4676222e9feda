"""The operation of the engine: one convolution with bias, requantization, optional residual and clamp, validated."""

from dataclasses import dataclass

import numpy as np

from golden import check
from golden.bounds import accumulator_bounds
from golden.errors import WesnpuError
from golden.requantize import INT32_MAX, INT32_MIN, RESIDUAL_MULTIPLIER_MAX, Requantizer
from golden.sub_layer import checked_block_shift, shifted_weight

KERNEL_MAX = 65535  # a global average pooling kernel may be as large as its image
SIZE_MAX = 65535  # channels, height, width
WEIGHT_MAX = 127
WEIGHT_BITS = (2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Residual:
    """The fused residual operand u of Eq. 7: `tensor` names it, `multiplier` is M_u in 0..2^15."""

    tensor: str
    multiplier: int

    def __post_init__(self) -> None:
        check.text("residual tensor", self.tensor)
        multiplier = check.integer("residual multiplier", self.multiplier, 0, RESIDUAL_MULTIPLIER_MAX)
        object.__setattr__(self, "multiplier", multiplier)


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """One engine operation: output = requantize(bias + conv(input, weight)) with clamp to [lo, hi].

    weight: int8, (O, I, KH, KW) dense or (C, 1, KH, KW) depthwise, in [-127, 127], left-aligned for narrow weights:
    w = code << (8 - weight_bits), weight_bits in 2, 3, 4, 6, 8.
    bias: int32 (O,), the input zero point folded in. padding: (top, left, bottom, right), each less than the kernel,
    fed with the input's zero point. stride: (vertical, horizontal). lo, hi: the clamp of Eq. 6 in output codes,
    -128 <= lo <= hi <= 127. block_shift: d of Eq. 8, uint8 (O, blocks) in 0..3, dense layers only, or None for all 0;
    the I inputs are cut into that many blocks of ceil(I / blocks) channels, the last may have fewer. Arrays are copied
    and made read-only. WesnpuError names the layer and the field.
    """

    name: str
    input: str
    output: str
    depthwise: bool
    weight: np.ndarray
    bias: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    requantizer: Requantizer
    lo: int
    hi: int
    residual: Residual | None = None
    weight_bits: int = 8
    block_shift: np.ndarray | None = None

    def __post_init__(self) -> None:
        check.text("layer name", self.name)
        try:
            self._check_arrays()
            self._check_scalars()
            self._check_parts()
        except WesnpuError as error:
            raise WesnpuError(f"layer {self.name}: {error}") from None

    def _check_arrays(self) -> None:
        put = object.__setattr__
        put(self, "weight", check.array("weight", self.weight, np.int8, 4, -WEIGHT_MAX, WEIGHT_MAX))
        put(self, "bias", check.array("bias", self.bias, np.int32, 1, INT32_MIN, INT32_MAX))
        if self.bias.size != self.channels:
            raise WesnpuError(f"bias has {self.bias.size} elements: must be {self.channels}, as weight has channels")
        if not isinstance(self.depthwise, bool):
            raise WesnpuError(f"depthwise is {self.depthwise!r}: must be True or False")
        if self.depthwise and self.weight.shape[1] != 1:
            raise WesnpuError(f"weight is {self.weight.shape}: a depthwise layer needs (C, 1, KH, KW)")
        if max(self.weight.shape) > KERNEL_MAX:
            raise WesnpuError(f"weight is {self.weight.shape}: every size must be in 1..{KERNEL_MAX}")
        if self.weight_bits not in WEIGHT_BITS:
            raise WesnpuError(f"weight_bits is {self.weight_bits!r}: must be one of {WEIGHT_BITS}")
        if np.any(self.weight & ((1 << (8 - self.weight_bits)) - 1)):
            raise WesnpuError(f"weight is not left-aligned: must be multiples of {1 << (8 - self.weight_bits)}")
        if self.block_shift is not None:
            if self.depthwise:
                raise WesnpuError("block_shift is given: must be None in a depthwise layer, which has one input")
            put(self, "block_shift", checked_block_shift(self.block_shift, self.channels, self.weight.shape[1]))

    def _check_scalars(self) -> None:
        put = object.__setattr__
        check.text("input", self.input)
        check.text("output", self.output)
        put(self, "stride", check.integers("stride", self.stride, 2, 1, KERNEL_MAX))
        put(self, "padding", check.integers("padding", self.padding, 4, 0, KERNEL_MAX - 1))
        for side, amount, size in zip("top left bottom right".split(), self.padding, self.kernel * 2, strict=True):
            if amount >= size:
                raise WesnpuError(f"padding {side} is {amount}: must be in 0..{size - 1}, less than the kernel")
        put(self, "lo", check.integer("lo", self.lo, -128, 127))
        put(self, "hi", check.integer("hi", self.hi, -128, 127))
        if self.lo > self.hi:
            raise WesnpuError(f"lo is {self.lo} and hi is {self.hi}: must be lo <= hi")

    def _check_parts(self) -> None:
        channels = getattr(self.requantizer, "channels", None)
        if not callable(getattr(self.requantizer, "stages", None)) or channels is None:
            raise WesnpuError(f"requantizer is {type(self.requantizer).__name__}: must be a golden requantizer")
        if channels != self.channels:
            raise WesnpuError(f"requantizer has {channels} channels: must be {self.channels}, as weight has")
        if self.residual is not None and not isinstance(self.residual, Residual):
            raise WesnpuError(f"residual is {type(self.residual).__name__}: must be a Residual or None")

    @property
    def kernel(self) -> tuple[int, int]:
        """(KH, KW)."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return int(self.weight.shape[0])

    @property
    def input_channels(self) -> int:
        """Number of input channels."""
        return int(self.weight.shape[0] if self.depthwise else self.weight.shape[1])

    @property
    def accumulator_weight(self) -> np.ndarray:
        """What one input code counts in the accumulator: `weight`, times 2^d (int16) where there is a block_shift."""
        return shifted_weight(self.weight, self.block_shift)

    def output_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(O, HO, WO) for an input of this size: HO = floor((H + top + bottom - KH) / stride) + 1, WO likewise.

        WesnpuError when the kernel is larger than the padded input.
        """
        top, left, bottom, right = self.padding
        rows, columns = height + top + bottom - self.kernel[0], width + left + right - self.kernel[1]
        if rows < 0 or columns < 0:
            size = (height + top + bottom, width + left + right)
            raise WesnpuError(f"layer {self.name}: kernel {self.kernel} is larger than the padded input {size}")
        return self.channels, rows // self.stride[0] + 1, columns // self.stride[1] + 1

    def check_accumulator(self, low: int, high: int) -> None:
        """WesnpuError unless every accumulator of input codes in low..high fits int32 (Eq. 1, 8)."""
        smallest, largest = accumulator_bounds(self.accumulator_weight, self.bias, low, high)
        bad = np.flatnonzero((smallest < INT32_MIN) | (largest > INT32_MAX))
        if bad.size:
            c = int(bad[0])
            raise WesnpuError(
                f"layer {self.name}: accumulator of channel {c} spans {smallest[c]}..{largest[c]}: "
                f"must be in {INT32_MIN}..{INT32_MAX} ({bad.size} channels exceed it)"
            )

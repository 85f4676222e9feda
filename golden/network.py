"""The quantized network: frozen, self-validating dataclasses that quant makes, golden runs and compiler places.

Every layer is one operation (docs/arithmetic.md): a dense or depthwise convolution, bias, requantization, an optional
fused residual operand and a clamp. Pooling, fully connected layers and stand-alone additions are expressed by it.
Activations are CHW int8 tensors; the batch dimension does not exist in the quantized network.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.requantize import Requantizer

KERNEL_MAX = 65535  # a global average pooling kernel may be as large as its image


@dataclass(frozen=True)
class Tensor:
    """An int8 activation tensor of shape (channels, height, width); real value = scale * (x - zero_point)."""

    name: str
    channels: int
    height: int
    width: int
    scale: float
    zero_point: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width


@dataclass(frozen=True)
class Residual:
    """The fused residual operand u of Eq. 7: `tensor` names it, `multiplier` is M_u in 0..2^15."""

    tensor: str
    multiplier: int


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """One engine operation: output = requantize(bias + conv(input, weight)) with clamp to [lo, hi].

    weight: int8, (O, I, KH, KW) dense or (C, 1, KH, KW) depthwise, in [-127, 127], left-aligned for narrow weights.
    bias: int32 (O,), the input zero point folded in. padding: (top, left, bottom, right), fed with the input's zero
    point. stride: (vertical, horizontal). lo, hi: the clamp of Eq. 6 in output codes, -128 <= lo <= hi <= 127.
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

    @property
    def kernel(self) -> tuple[int, int]:
        """(KH, KW)."""
        return self.weight.shape[2], self.weight.shape[3]


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input; applied by every command.

    Images are decoded to uint8 RGB, the shorter side resized to `resize` (bilinear; None: as it is), the centre
    `height` x `width` cropped, channels put in `channel_order` ("RGB", "BGR" or "L" for one channel), and normalised:
    real = (pixel / value_range - mean) / std per channel (value_range 1 keeps 0..255, 255 gives 0..1). The float
    network sees it in `layout` ("NCHW" or "NHWC").
    """

    height: int
    width: int
    channel_order: str = "RGB"
    resize: int | None = None
    value_range: float = 1.0
    mean: tuple[float, ...] = (128.0,)
    std: tuple[float, ...] = (128.0,)
    layout: str = "NCHW"


@dataclass(frozen=True, eq=False)
class Network:
    """A quantized network: tensors by name, layers in execution order, what came in and what is left to the host.

    `host_tail` names the operators cut off the end (e.g. Softmax), `provenance` holds source hash, recipe, tool
    versions and options as JSON-able values. guard_bits is G of Eq. 3.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    tensors: dict[str, Tensor]
    layers: tuple[ConvLayer, ...]
    guard_bits: int = 7
    preprocessing: Preprocessing | None = None
    labels: tuple[str, ...] = ()
    host_tail: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

"""Random networks of one kind of layer each: shapes that a simulation runs in moments, corner values preferred."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from golden.bounds import product_bounds
from golden.network import ConvLayer, Network, Residual, Tensor
from golden.requantize import INT32_MAX, INT32_MIN, ShiftScaler

CODES = (-128, 127)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one layer looks like; every None is drawn.

    same: TensorFlow's SAME padding. shift, multiplier, clamp: n_c of every channel, M, (lo, hi).
    """

    depthwise: bool = False
    channels: int | None = None
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    padding: tuple[int, int, int, int] | None = None
    same: bool = False
    shift: int | None = None
    multiplier: int | None = None
    clamp: tuple[int, int] | None = None
    equal_weights: bool = False


def choose(rng: np.random.Generator, *values: int) -> int:
    """One of `values`."""
    return int(values[rng.integers(len(values))])


def random_weight(rng: np.random.Generator, shape: tuple[int, ...], equal: bool) -> np.ndarray:
    """int8 weights: 64 everywhere (pooling), all at one limit, left-aligned narrow ones, or any."""
    if equal:
        return np.full(shape, 64, np.int8)
    bits = choose(rng, 2, 4, 6, 8, 8, 8, 8)
    limit = (1 << (bits - 1)) - 1
    weight = rng.integers(-limit, limit + 1, shape) << (8 - bits)
    if rng.random() < 0.1:
        weight[:] = (limit << (8 - bits)) * choose(rng, -1, 1)
    return weight.astype(np.int8)


def random_bias(rng: np.random.Generator, weight: np.ndarray, codes: tuple[int, int], zero_point: int) -> np.ndarray:
    """int32 biases with the input zero point folded in, or anything up to the last one that fits (Eq. 1)."""
    smallest, largest = product_bounds(weight, *codes)
    low, high = INT32_MIN - np.minimum(smallest, 0), INT32_MAX - np.maximum(largest, 0)
    folded = -zero_point * weight.astype(np.int64).sum(axis=(1, 2, 3)) + rng.integers(-3000, 3001, len(low))
    extreme = np.where(rng.random(len(low)) < 0.5, low, high)
    bias = np.where(rng.random(len(low)) < 0.1, extreme, folded)
    return np.clip(bias, low, high).astype(np.int32)


def random_scaler(rng: np.random.Generator, weight: np.ndarray, shape: Shape, guard_bits: int) -> ShiftScaler:
    """A shift scaler that brings most accumulators into int8; one in four is anything legal."""
    channels = weight.shape[0]
    typical = np.sqrt((weight.astype(np.float64) ** 2).sum(axis=(1, 2, 3)).mean()) * 60 + 1
    wanted = int(np.clip(np.log2(typical / 50) - 1, 0, 24))  # s with typical * 2^-s * 0.75 about 40
    exponent = int(rng.integers(0, 17)) if rng.random() < 0.25 else min(16, max(0, wanted - choose(rng, 0, 1, 3, 8)))
    shift = np.clip(wanted - exponent + rng.integers(-1, 3, channels), 0, 15)
    shift = np.where(rng.random(channels) < 0.1, rng.integers(0, 16, channels), shift)
    multiplier = choose(rng, 2**15, 2**16 - 1, *rng.integers(2**15, 2**16, 8))
    if rng.random() < 0.03:
        multiplier = 0
    return ShiftScaler(
        shift=(shift if shape.shift is None else np.full(channels, shape.shift)).astype(np.uint8),
        exponent=exponent,
        multiplier=multiplier if shape.multiplier is None else shape.multiplier,
        guard_bits=guard_bits,
    )


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's SAME rule, cut to kernel - 1."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    before = min(total // 2, kernel - 1)
    return before, min(total - before, kernel - 1)


def _padding(rng, source: Tensor, shape: Shape, kernel, stride) -> tuple[int, int, int, int]:
    if shape.padding is not None:
        return shape.padding
    if shape.same or rng.random() < 0.4:
        top, bottom = same_padding(source.height, kernel[0], stride[0])
        left, right = same_padding(source.width, kernel[1], stride[1])
    else:
        (top, bottom), (left, right) = (rng.integers(0, k, 2) for k in kernel)
    bottom = min(kernel[0] - 1, max(bottom, kernel[0] - source.height - top))
    right = min(kernel[1] - 1, max(right, kernel[1] - source.width - left))
    top = max(top, kernel[0] - source.height - bottom)
    left = max(left, kernel[1] - source.width - right)
    return int(top), int(left), int(bottom), int(right)


class Builder:
    """Adds layers to a network, one after the other."""

    def __init__(self, rng: np.random.Generator, guard_bits: int, channels: int, height: int, width: int):
        self.rng = rng
        self._guard_bits = guard_bits
        self._layers: list[ConvLayer] = []
        self._tensors = {"x": Tensor("x", channels, height, width, 0.1, choose(rng, -128, 127, 0, 5, -17))}
        self._codes = {"x": CODES}
        self.last = self._tensors["x"]

    def _clamp(self, shape: Shape, zero_point: int) -> tuple[int, int]:
        rng = self.rng
        if shape.clamp is not None:
            return shape.clamp
        high = int(rng.integers(zero_point, 128))
        return [CODES, CODES, (zero_point, 127), (zero_point, high)][rng.integers(4)]

    def add(self, shape: Shape, residual: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        """Append a layer of this shape that reads `source` (default: the newest tensor); its output tensor."""
        rng, source = self.rng, source or self.last
        kernel = shape.kernel or (choose(rng, 1, 1, 3, 3, 5, 2, 4, 7), choose(rng, 1, 1, 3, 3, 5, 2, 4))
        stride = shape.stride or (choose(rng, 1, 1, 2), choose(rng, 1, 1, 2))
        channels = source.channels if shape.depthwise else shape.channels or choose(rng, 1, 2, 8, 16, 17, 24, 33)
        padding = _padding(rng, source, shape, kernel, stride)
        weight = random_weight(
            rng, (channels, 1 if shape.depthwise else source.channels, *kernel), shape.equal_weights
        )
        zero_point = choose(rng, -128, 127, 0, 5, int(rng.integers(-128, 128)))
        low, high = self._clamp(shape, zero_point)
        name = f"t{len(self._layers)}"
        codes = self._codes[source.name]
        codes = min(codes[0], source.zero_point), max(codes[1], source.zero_point)
        layer = ConvLayer(
            name=f"layer{len(self._layers)}", input=source.name, output=name, depthwise=shape.depthwise,
            weight=weight, bias=random_bias(rng, weight, codes, source.zero_point), stride=stride, padding=padding,
            requantizer=random_scaler(rng, weight, shape, self._guard_bits), lo=low, hi=high,
            residual=residual and Residual(residual.name, choose(rng, 2**15, 2**14 + 1, int(rng.integers(2**15)))),
        )
        self.last = Tensor(name, *layer.output_shape(source.height, source.width), 0.1, zero_point)
        self._layers.append(layer)
        self._tensors[name] = self.last
        self._codes[name] = (low, high)
        return self.last

    def network(self, name: str) -> Network:
        """The network; every tensor that no layer reads is an output."""
        read = {layer.input for layer in self._layers} | {la.residual.tensor for la in self._layers if la.residual}
        outputs = tuple(name for name in self._tensors if name not in read and name != "x")
        return Network(name, "x", outputs, self._tensors, tuple(self._layers), self._guard_bits)


def _sizes(rng: np.random.Generator) -> tuple[int, int]:
    return choose(rng, 1, 2, 5, 7, 8, 13, 16), choose(rng, 1, 2, 3, 7, 8, 14, 17)


def _one(channels: tuple[int, ...], **fixed) -> Callable[[np.random.Generator, int], Builder]:
    def make(rng: np.random.Generator, guard_bits: int) -> Builder:
        builder = Builder(rng, guard_bits, choose(rng, *channels), *_sizes(rng))
        builder.add(Shape(**fixed))
        return builder

    return make


def _stem(rng: np.random.Generator, guard_bits: int) -> Builder:
    builder = Builder(rng, guard_bits, choose(rng, 3, 3, 3, 1, 2, 4), choose(rng, 9, 16, 28), choose(rng, 7, 16, 29))
    stride = choose(rng, 1, 2, 2)
    kernel = choose(rng, 3, 3, 3, 2, 5)
    builder.add(Shape(kernel=(kernel, kernel), stride=(stride, stride), channels=choose(rng, 8, 16, 24, 32)))
    return builder


def _residual(rng: np.random.Generator, guard_bits: int) -> Builder:
    builder = Builder(rng, guard_bits, choose(rng, 8, 16, 24), *_sizes(rng))
    operand = builder.last if rng.random() < 0.5 else builder.add(Shape(kernel=(1, 1), stride=(1, 1)))
    if rng.random() < 0.5:
        builder.add(Shape(kernel=(1, 1), stride=(1, 1), channels=choose(rng, 16, 48)))
        builder.add(Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1)))
    kernel = choose(rng, 1, 1, 3)
    same = (kernel // 2,) * 4
    depthwise = builder.last.channels == operand.channels and rng.random() < 0.3
    shape = Shape(depthwise=depthwise, kernel=(kernel, kernel), stride=(1, 1), padding=same, channels=operand.channels)
    builder.add(shape, residual=operand)
    return builder


def _pooling(rng: np.random.Generator, guard_bits: int) -> Builder:
    builder = Builder(rng, guard_bits, choose(rng, 1, 8, 17, 40), *_sizes(rng))
    whole = (builder.last.height, builder.last.width)
    if rng.random() < 0.5:
        builder.add(Shape(depthwise=True, kernel=whole, padding=(0,) * 4, stride=(1, 1), equal_weights=True))
    else:
        kernel = min(choose(rng, 2, 3), *whole)
        builder.add(Shape(depthwise=True, kernel=(kernel, kernel), padding=(0,) * 4, equal_weights=True))
    return builder


def _fully_connected(rng: np.random.Generator, guard_bits: int) -> Builder:
    height, width = choose(rng, 1, 1, 4), choose(rng, 1, 1, 3)
    builder = Builder(rng, guard_bits, choose(rng, 5, 32, 64, 100), height, width)
    builder.add(Shape(kernel=(height, width), padding=(0,) * 4, stride=(1, 1), channels=choose(rng, 10, 33, 100)))
    return builder


def _chain(rng: np.random.Generator, guard_bits: int) -> Builder:
    """A small network: stem, bottleneck with residual, pooling, classifier."""
    builder = Builder(rng, guard_bits, 3, choose(rng, 11, 16), choose(rng, 12, 17))
    first = builder.add(Shape(kernel=(3, 3), stride=(2, 2), same=True, channels=16))
    builder.add(Shape(kernel=(1, 1), stride=(1, 1), channels=choose(rng, 24, 48)))
    builder.add(Shape(depthwise=True, kernel=(3, 3), stride=(1, 1), same=True))
    builder.add(Shape(kernel=(1, 1), stride=(1, 1), channels=16), residual=first)
    builder.add(Shape(depthwise=True, kernel=(5, 5), stride=(2, 2), same=True))
    whole = (builder.last.height, builder.last.width)
    builder.add(Shape(depthwise=True, kernel=whole, stride=(1, 1), padding=(0,) * 4, equal_weights=True))
    builder.add(Shape(kernel=(1, 1), stride=(1, 1), channels=10))
    return builder


KINDS: dict[str, Callable[[np.random.Generator, int], Builder]] = {
    "conv_shift": _one((1, 3, 4, 8, 16, 17, 32, 40)),
    "depthwise": _one((1, 3, 8, 16, 17, 40), depthwise=True),
    "pointwise": _one((8, 16, 24, 33, 64), kernel=(1, 1)),
    "stem": _stem,
    "residual": _residual,
    "pooling": _pooling,
    "fully_connected": _fully_connected,
    "chain": _chain,
}


def random_network(kind: str, seed: int, guard_bits: int) -> tuple[Network, np.ndarray]:
    """A network of this kind and its input, int8 (C, H, W), from one seed."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    network = KINDS[kind](rng, guard_bits).network(f"{kind}_{seed}")
    image = rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)
    if rng.random() < 0.1:
        image[:] = choose(rng, *CODES)
    return network, image

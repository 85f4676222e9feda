"""Random quantized networks and layers for golden's tests and benchmark; everything is drawn from a given generator."""

import math

import numpy as np

from golden.network import ConvLayer, Network, Residual, Tensor
from golden.requantize import ShiftScaler
from models.mobilenet import V2_STAGES


class Builder:
    """Appends layers whose outputs use the int8 range, so that neither saturation nor zeros hide an error."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int], guard_bits: int = 7) -> None:
        self.rng, self.guard_bits, self.layers = rng, guard_bits, []
        self.tensors = {"x0": Tensor("x0", *shape, 0.02, int(rng.integers(-20, 20)))}
        self.last = "x0"

    def conv(self, channels: int, kernel: int, stride: int, *, depthwise: bool, relu: bool, residual: str = "") -> str:
        """One layer with about "same" padding; returns its output's name."""
        rng, source = self.rng, self.tensors[self.last]
        inputs = 1 if depthwise else source.channels
        weight = np.clip(np.rint(rng.normal(0, 40, (channels, inputs, kernel, kernel))), -127, 127).astype(np.int8)
        deviation = 50 * np.sqrt(np.square(weight, dtype=np.float64).sum(axis=(1, 2, 3)) + 1)
        shift = rng.integers(0, 4, channels).astype(np.uint8)
        mantissa, exponent = math.frexp(45 * 4 / float(np.median(deviation)))
        scaler = ShiftScaler(shift, max(0, -exponent), max(2**15, int(mantissa * 2**16)), self.guard_bits)
        bias = rng.normal(0, deviation / 2).astype(np.int32)
        pads = ((kernel - 1) // 2, (kernel - 1) // 2, kernel // 2, kernel // 2)
        zero_point = int(rng.integers(-128, -100)) if relu else int(rng.integers(-20, 20))
        name = f"x{len(self.layers) + 1}"
        layer = ConvLayer(
            name=f"layer{len(self.layers)}",
            input=self.last,
            output=name,
            depthwise=depthwise,
            weight=weight,
            bias=bias,
            stride=(stride, stride),
            padding=pads,
            requantizer=scaler,
            lo=zero_point if relu else -128,
            hi=127,
            residual=Residual(residual, int(rng.integers(2**14, 2**15 + 1))) if residual else None,
        )
        shape = layer.output_shape(source.height, source.width)
        self.tensors[name] = Tensor(name, *shape, 0.02, zero_point)
        self.layers.append(layer)
        self.last = name
        return name

    def pool(self) -> str:
        """Global average pooling: a depthwise layer with weights 64 and the kernel of its image."""
        source = self.tensors[self.last]
        size, channels = source.height * source.width, source.channels
        mantissa, exponent = math.frexp(1 / (64 * size))
        multiplier = min(2**16 - 1, round(mantissa * 2**16))
        name = f"x{len(self.layers) + 1}"
        layer = ConvLayer(
            name=f"layer{len(self.layers)}",
            input=self.last,
            output=name,
            depthwise=True,
            weight=np.full((channels, 1, source.height, source.width), 64, np.int8),
            bias=np.full(channels, -64 * size * source.zero_point, np.int32),
            stride=(1, 1),
            padding=(0, 0, 0, 0),
            requantizer=ShiftScaler(np.zeros(channels, np.uint8), -exponent, multiplier, self.guard_bits),
            lo=-128,
            hi=127,
        )
        self.tensors[name] = Tensor(name, channels, 1, 1, source.scale, source.zero_point)
        self.layers.append(layer)
        self.last = name
        return name

    def network(self, name: str) -> Network:
        """The network of all layers so far; its output is the last tensor."""
        return Network(name, "x0", (self.last,), self.tensors, tuple(self.layers), self.guard_bits)


def mobilenet_v2(rng: np.random.Generator, size: int = 224, classes: int = 1000) -> Network:
    """A quantized network of MobileNetV2 1.0's shapes with random weights."""
    build = Builder(rng, (3, size, size))
    build.conv(32, 3, 2, depthwise=False, relu=True)
    for expansion, channels, repeats, stride in V2_STAGES:
        for repeat in range(repeats):
            source = build.last
            inputs = build.tensors[source].channels
            if expansion > 1:
                build.conv(inputs * expansion, 1, 1, depthwise=False, relu=True)
            build.conv(inputs * expansion, 3, 1 if repeat else stride, depthwise=True, relu=True)
            build.conv(channels, 1, 1, depthwise=False, relu=False, residual=source if repeat else "")
    build.conv(1280, 1, 1, depthwise=False, relu=True)
    build.pool()
    build.conv(classes, 1, 1, depthwise=False, relu=False)
    return build.network(f"mobilenet_v2_{size}")

"""Three ImageNet networks with weights drawn from a seed: their cycles are those of trained ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from golden.layer import ConvLayer
from golden.network import Network, Tensor
from sim.layers import Builder, Shape

SIZE, CLASSES, STEM = 224, 1000, 32
ONE = (1, 1)
GUARD_BITS = 7


class _Net:
    """The layers of these networks, appended one by one."""

    def __init__(self, name: str):
        self.name = name
        self.builder = Builder(np.random.default_rng(1), GUARD_BITS, 3, SIZE, SIZE)
        self.builder.add(Shape(kernel=(3, 3), stride=(2, 2), same=True, channels=STEM))

    def pointwise(self, channels: int, operand: Tensor | None = None) -> None:
        """1 x 1; with an operand its sum is added (Eq. 7)."""
        shape = Shape(kernel=ONE, stride=ONE, padding=(0,) * 4, channels=channels)
        self.builder.add(shape, residual=operand)

    def depthwise(self, kernel: int, stride: int) -> None:
        """k x k with TensorFlow's SAME padding."""
        self.builder.add(Shape(depthwise=True, kernel=(kernel, kernel), stride=(stride, stride), same=True))

    def bottleneck(self, expansion: int, kernel: int, channels: int, stride: int) -> None:
        """Expansion (unless by 1), depthwise layer, projection, and a residual where the shape stays."""
        first = self.builder.last
        if expansion > 1:
            self.pointwise(first.channels * expansion)
        self.depthwise(kernel, stride)
        self.pointwise(channels, first if stride == 1 and channels == first.channels else None)

    def classified(self) -> Network:
        """The network, closed by global pooling and a fully connected layer."""
        whole = (self.builder.last.height, self.builder.last.width)
        pool = Shape(depthwise=True, kernel=whole, stride=ONE, padding=(0,) * 4, equal_weights=True)
        self.builder.add(pool)
        self.pointwise(CLASSES)
        network = self.builder.network(self.name)
        return replace(network, layers=tuple(_trained(layer) for layer in network.layers))


def _trained(layer: ConvLayer) -> ConvLayer:
    """The layer, or where all its weights are alike by chance, as no trained ones are, with one 0 among them."""
    if layer.kernel[0] not in (3, 5) or (layer.weight != layer.weight.flat[0]).any():
        return layer
    weight = layer.weight.copy()
    weight.flat[0] = 0
    return replace(layer, weight=weight)


def mobilenet_v1() -> Network:
    """MobileNetV1 1.0 (arXiv 1704.04861, table 1)."""
    net = _Net("MobileNetV1")
    stages = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in stages:
        net.depthwise(3, stride)
        net.pointwise(channels)
    return net.classified()


def _bottlenecks(name: str, stages: list[tuple[int, int, int, int, int]]) -> Network:
    """A network of stages (expansion, kernel, channels, blocks, stride of the first block)."""
    net = _Net(name)
    for expansion, kernel, channels, blocks, stride in stages:
        for block in range(blocks):
            net.bottleneck(expansion, kernel, channels, 1 if block else stride)
    net.pointwise(1280)
    return net.classified()


def mobilenet_v2() -> Network:
    """MobileNetV2 1.0 (arXiv 1801.04381, table 2)."""
    return _bottlenecks(
        "MobileNetV2",
        [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 3, 32, 3, 2), (6, 3, 64, 4, 2), (6, 3, 96, 3, 1), (6, 3, 160, 3, 2),
         (6, 3, 320, 1, 1)],
    )


def efficientnet_lite0() -> Network:
    """EfficientNet-Lite0: EfficientNet-B0 (arXiv 1905.11946, table 1) without squeeze-and-excite."""
    return _bottlenecks(
        "EfficientNet-Lite0",
        [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2),
         (6, 3, 320, 1, 1)],
    )


NETWORKS: dict[str, Callable[[], Network]] = {
    "EfficientNet-Lite0": efficientnet_lite0, "MobileNetV1": mobilenet_v1, "MobileNetV2": mobilenet_v2,
}

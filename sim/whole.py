"""Whole networks of inverted residual blocks (MobileNetV2) with random weights: the test `network`."""

import numpy as np

from golden.network import Network
from sim.layers import CODES, Builder, Shape, choose

BLOCKS = ((1, 16, 1), (4, 24, 2), (4, 24, 1), (4, 40, 2), (4, 40, 1), (4, 40, 1))  # expansion, channels, stride
HEAD, CLASSES = 96, 10


def _point(channels: int, clamp: tuple[int, int] | None = None) -> Shape:
    return Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=channels, clamp=clamp)


def _block(builder: Builder, expansion: int, channels: int, stride: int, kernel: int) -> None:
    """Expansion, depthwise layer, projection without clamp; the block's input is added where the shapes agree."""
    source = builder.last
    if expansion > 1:
        builder.add(_point(expansion * source.channels))
    builder.add(Shape(depthwise=True, kernel=(kernel, kernel), stride=(stride, stride), same=True))
    residual = source if stride == 1 and channels == source.channels else None
    builder.add(_point(channels, CODES), residual=residual)


def whole_network(seed: int, guard_bits: int) -> tuple[Network, np.ndarray]:
    """The network and its input, int8 (3, H, W), H and W of 28..37, from one seed."""
    rng = np.random.default_rng([seed, 0x57484F4C])
    builder = Builder(rng, guard_bits, 3, *(int(size) for size in rng.integers(28, 38, 2)))
    builder.add(Shape(kernel=(3, 3), stride=(2, 2), same=True, channels=16))
    for block in BLOCKS:
        _block(builder, *block, kernel=choose(rng, 3, 5))
    builder.add(_point(HEAD))
    whole = builder.last.height, builder.last.width
    builder.add(Shape(depthwise=True, kernel=whole, stride=(1, 1), padding=(0,) * 4, equal_weights=True))
    builder.add(_point(CLASSES))
    network = builder.network(f"whole_{seed}")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)

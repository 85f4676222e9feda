"""Networks and engines for the tests of the compiler: edge shapes by name, mixed random networks, random engines."""

from collections.abc import Callable

import numpy as np

from compiler.config import EngineConfig
from golden.network import Network, Tensor
from sim.layers import Builder, Shape, choose

ONE, NONE = (1, 1), (0, 0, 0, 0)
GUARD_BITS = 7


def random_config(rng: np.random.Generator) -> EngineConfig:
    """Any legal engine; memories are more often small than large."""
    pixels, lanes = choose(rng, 1, 2, 4), choose(rng, 2, 4, 8, 16)
    results = pixels * lanes
    return EngineConfig(
        name="random",
        pixels=pixels,
        lanes=lanes,
        taps=choose(rng, 4, 8, 16),
        requant_lanes=choose(rng, *(n for n in range(1, results + 1) if results % n == 0)),
        scratchpad_words=1 << int(rng.integers({1: 4, 2: 5, 4: 6}[pixels], 14)),
        weight_rows=1 << int(rng.integers(4, 13)),
        parameter_rows=1 << int(rng.integers(2, 10)),
        window_kernel=choose(rng, 3, 5),
        bus_bytes=choose(rng, 8, 16),
        guard_bits=choose(rng, 5, 7),
        queue_units=1 << int(rng.integers(3, 9)),
    )


def _kernel(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < 0.4:
        size = choose(rng, 1, 1, 3, 3, 5)
        return size, size
    return int(rng.integers(1, 12)), int(rng.integers(1, 12))


def _stride(rng: np.random.Generator) -> tuple[int, int]:
    return choose(rng, 1, 1, 2), choose(rng, 1, 1, 2)


def _whole(tensor: Tensor) -> tuple[int, int]:
    return tensor.height, tensor.width


def _mix_layer(rng: np.random.Generator, builder: Builder, older: list[Tensor]) -> None:
    """One more layer: dense, depthwise, pooling, or one with an older tensor of the same shape as residual operand."""
    last = builder.last
    twins = [tensor for tensor in older if tensor.shape == last.shape]
    draw = rng.random()
    if twins and draw < 0.4:
        builder.add(Shape(depthwise=bool(rng.integers(2)), kernel=ONE, stride=ONE, channels=last.channels,
                          equal_weights=bool(rng.integers(2))), residual=twins[rng.integers(len(twins))])
    elif draw < 0.6:
        builder.add(Shape(depthwise=True, kernel=_kernel(rng), stride=_stride(rng)))
    elif draw < 0.7:
        size = min(choose(rng, 2, 3), *_whole(last))
        builder.add(Shape(depthwise=True, kernel=(size, size), padding=NONE, equal_weights=True))
    else:
        channels = last.channels if rng.random() < 0.4 else choose(rng, 1, 8, 16, 17, 40, 64)
        kernel, stride = (ONE, ONE) if rng.random() < 0.4 else (_kernel(rng), _stride(rng))
        builder.add(Shape(kernel=kernel, stride=stride, channels=channels))


def mixed_network(rng: np.random.Generator, guard_bits: int, layers: int) -> tuple[Network, np.ndarray]:
    """A network of that many layers of mixed kinds, some reading older tensors, and its input, int8 (C, H, W)."""
    channels = choose(rng, 1, 2, 3, 3, 4, 8, 16, 17, 33)
    builder = Builder(rng, guard_bits, channels, choose(rng, 1, 2, 9, 16, 23), choose(rng, 1, 2, 9, 16, 23))
    older = [builder.last]
    for _ in range(layers):
        _mix_layer(rng, builder, older)
        older.append(builder.last)
    if rng.random() < 0.3:
        builder.add(Shape(depthwise=True, kernel=_whole(builder.last), stride=ONE, padding=NONE, equal_weights=True))
        builder.add(Shape(kernel=ONE, stride=ONE, channels=choose(rng, 10, 100)))
    network = builder.network("mixed")
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def _layer(size: tuple[int, int, int], **shape) -> Callable[[Builder], None]:
    def make(builder: Builder) -> None:
        builder.add(Shape(**{"stride": ONE} | shape))

    make.size = size
    return make


def _residual(size: tuple[int, int, int], *, depthwise: bool) -> Callable[[Builder], None]:
    def make(builder: Builder) -> None:
        first = builder.last
        builder.add(Shape(kernel=(3, 3), stride=ONE, padding=(1, 1, 1, 1), channels=size[0]))
        builder.add(Shape(depthwise=depthwise, kernel=ONE, stride=ONE, padding=NONE, channels=size[0],
                          equal_weights=depthwise), residual=first)

    make.size = size
    return make


#: Shapes where a boundary lies: (channels, height, width) and the layers.
EDGES: dict[str, Callable[[Builder], None]] = {
    "height_1": _layer((8, 1, 9), kernel=(3, 3), padding=(1, 1, 1, 1), channels=8),
    "width_1": _layer((8, 9, 1), kernel=(3, 3), padding=(1, 1, 1, 1), channels=8),
    "depthwise_height_1": _layer((17, 1, 9), depthwise=True, kernel=(3, 3), padding=(1, 1, 1, 1)),
    "depthwise_width_1": _layer((17, 9, 1), depthwise=True, kernel=(5, 5), padding=(2, 2, 2, 2)),
    "kernel_above_height": _layer((16, 2, 6), kernel=(5, 3), padding=(4, 2, 4, 2), channels=16),
    "depthwise_kernel_above_image": _layer((16, 2, 2), depthwise=True, kernel=(5, 5), padding=(4, 4, 4, 4)),
    "same_even": _layer((8, 8, 10), kernel=(3, 3), stride=(2, 2), same=True, channels=24),
    "same_odd": _layer((8, 9, 11), kernel=(3, 3), stride=(2, 2), same=True, channels=24),
    "depthwise_same_even": _layer((24, 8, 10), depthwise=True, kernel=(3, 3), stride=(2, 2), same=True),
    "depthwise_same_odd": _layer((24, 9, 11), depthwise=True, kernel=(5, 5), stride=(2, 2), same=True),
    "channels_1": _layer((1, 7, 7), kernel=(3, 3), padding=(1, 1, 1, 1), channels=1),
    "channels_3": _layer((3, 7, 7), kernel=(3, 3), padding=(1, 1, 1, 1), channels=3),
    "channels_17": _layer((17, 7, 7), kernel=(3, 3), padding=(1, 1, 1, 1), channels=17),
    "unequal_strides": _layer((16, 9, 9), kernel=(3, 3), stride=(1, 2), padding=(1, 1, 1, 1), channels=8),
    "depthwise_unequal_strides": _layer((16, 9, 9), depthwise=True, kernel=(3, 3), stride=(2, 1), padding=(1, 1, 1, 1)),
    "kernel_11": _layer((5, 14, 13), kernel=(11, 11), padding=(5, 5, 5, 5), channels=4),
    "kernel_11_by_1": _layer((9, 14, 5), kernel=(11, 1), padding=(10, 0, 3, 0), channels=9),
    "depthwise_kernel_11": _layer((9, 14, 13), depthwise=True, kernel=(11, 11), padding=(5, 5, 5, 5)),
    "depthwise_kernel_2_by_5": _layer((9, 6, 7), depthwise=True, kernel=(2, 5), padding=(1, 0, 1, 4)),
    "stem_gather": _layer((3, 15, 13), kernel=(3, 3), stride=(2, 2), same=True, channels=24),
    "stem_7": _layer((3, 15, 13), kernel=(7, 7), stride=(2, 2), padding=(3, 3, 3, 3), channels=16),
    "stem_4_channels_2_by_3": _layer((4, 6, 9), kernel=(2, 3), padding=(1, 1, 0, 1), channels=16),
    "pooling_whole": _layer((20, 7, 7), depthwise=True, kernel=(7, 7), padding=NONE, equal_weights=True),
    "pooling_2": _layer((20, 8, 7), depthwise=True, kernel=(2, 2), stride=(2, 2), padding=NONE, equal_weights=True),
    "fully_connected": _layer((70, 1, 1), kernel=ONE, channels=33),
    "pointwise_odd_width": _layer((40, 7, 7), kernel=ONE, padding=NONE, channels=24),
    "pointwise_stride_2": _layer((40, 7, 7), kernel=ONE, stride=(2, 2), padding=NONE, channels=24),
    "shifts_15": _layer((16, 6, 6), kernel=(3, 3), padding=(1, 1, 1, 1), channels=16, shift=15),
    "shifts_0": _layer((16, 6, 6), kernel=(3, 3), padding=(1, 1, 1, 1), channels=16, shift=0),
    "multiplier_65535": _layer((16, 6, 6), kernel=(3, 3), padding=(1, 1, 1, 1), channels=17, multiplier=65535),
    "multiplier_0": _layer((16, 6, 6), kernel=(3, 3), padding=(1, 1, 1, 1), channels=17, multiplier=0),
    "lo_equals_hi": _layer((16, 6, 6), kernel=(3, 3), padding=(1, 1, 1, 1), channels=17, clamp=(-5, -5)),
    "residual_dense": _residual((17, 6, 7), depthwise=False),
    "residual_identity": _residual((17, 6, 7), depthwise=True),
    "tall": _layer((3, 700, 2), kernel=(3, 2), stride=(2, 1), padding=(1, 1, 1, 0), channels=8),
    "tall_depthwise": _layer((8, 700, 2), depthwise=True, kernel=(3, 2), padding=(1, 1, 1, 0)),
    "wide": _layer((3, 3, 300), kernel=(3, 3), stride=(1, 2), padding=(1, 1, 1, 1), channels=8),
}


def edge_network(name: str, guard_bits: int) -> tuple[Network, np.ndarray]:
    """The network of an edge shape and an input image; the same on every call."""
    rng = np.random.default_rng(sorted(EDGES).index(name))
    builder = Builder(rng, guard_bits, *EDGES[name].size)
    EDGES[name](builder)
    network = builder.network(name)
    return network, rng.integers(-128, 128, network.tensors["x"].shape).astype(np.int8)


def waiting_residual(size: int) -> Network:
    """Two depthwise 3x3 of stride 2, the second one with the first one's result as residual operand."""
    builder = Builder(np.random.default_rng(0), GUARD_BITS, 16, size, size)
    shape = Shape(depthwise=True, kernel=(3, 3), stride=(2, 2), same=True)
    source, operand = builder.last, builder.add(shape)
    builder.add(shape, residual=operand, source=source)
    return builder.network("waiting_residual")

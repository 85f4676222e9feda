"""Small float graphs for quant's tests: hand-made cases and seeded random networks with every node kind."""

import numpy as np

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool

RELU, RELU6, LINEAR = Activation(0.0, None), Activation(0.0, 6.0), Activation()


def conv(
    generator: np.random.Generator, name: str, source: str, inputs: int, outputs: int, *, kernel: int = 1,
    stride: int = 1, depthwise: bool = False, activation: Activation = LINEAR,
) -> Conv:  # fmt: skip
    """A convolution named like its output, padded by kernel // 2, with weights that keep the signal's size."""
    shape = (outputs, 1 if depthwise else inputs, kernel, kernel)
    weight = generator.normal(0, 1.4 / np.sqrt(np.prod(shape[1:])), shape)
    weight *= 2.0 ** -generator.uniform(0, 4, (outputs, 1, 1, 1))
    bias, pad = generator.normal(0, 0.3, outputs), kernel // 2
    return Conv(name, source, name, depthwise, weight, bias, (stride, stride), (pad,) * 4, activation)


def graph_of(nodes: list[Node], shape: tuple[int, int, int], outputs: list[str], source: str = "x") -> Graph:
    """The graph of these nodes with all shapes worked out, validated."""
    shapes = {source: shape}
    for node in nodes:
        shapes[node.output] = node.output_shape(*(shapes[name] for name in node.inputs))
    graph = Graph("sample", source, outputs, nodes, shapes)
    graph.validate()
    return graph


def residual_network(seed: int) -> Graph:
    """8x8x3 in, 5 scores out: dense, depthwise, both kinds of addition, ReLU, ReLU6, poolings."""
    generator = np.random.default_rng(seed)
    nodes: list[Node] = [
        conv(generator, "stem", "x", 3, 8, kernel=3, activation=RELU),
        conv(generator, "expand", "stem", 8, 16, activation=RELU6),
        conv(generator, "depthwise", "expand", 16, 16, kernel=3, depthwise=True, activation=RELU6),
        conv(generator, "project", "depthwise", 16, 8),
        Add("sum", ("stem", "project"), "sum"),
        Add("twice", ("sum", "stem"), "twice", RELU),
        Pool("pool", "twice", "pool", (2, 2), (2, 2), (0, 0, 0, 0)),
        conv(generator, "down", "pool", 8, 12, kernel=3, stride=2, activation=RELU),
        Pool("global", "down", "global", (2, 2), (1, 1), (0, 0, 0, 0)),
        conv(generator, "scores", "global", 12, 5),
    ]
    return graph_of(nodes, (3, 8, 8), ["scores"])


def one_layer(weight: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int], activation: Activation) -> Graph:
    """A single dense 1x1 convolution."""
    node = Conv("layer", "x", "layer", False, weight, bias, (1, 1), (0, 0, 0, 0), activation)
    return graph_of([node], shape, ["layer"])


def real_images(seed: int, count: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Float32 images in [-1, 1)."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)

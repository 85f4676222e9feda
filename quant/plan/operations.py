"""Operations: the float form of the engine's one operation, and the fusion of a Graph into a list of them.

Poolings and additions become depthwise convolutions with one fixed weight; an addition is absorbed, as the residual of
Eq. 7, by a producing operation that nothing else reads.
"""

from dataclasses import dataclass, replace

import numpy as np

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool
from quant.plan.scales import Scale

FIXED_CODE = 64  # weight code of poolings and identities: leaves m < 1


@dataclass
class Operation:
    """One engine operation in real numbers: clamp(bias + conv(input, weight) + residual).

    weight float64 (O, I, KH, KW) or (C, 1, KH, KW) depthwise, bias float64 (O,). kind: "conv", "pool" or "add"; the
    last two have equal weights that are coded FIXED_CODE. residual: a tensor of the output's shape, or None.
    """

    name: str
    kind: str
    input: str
    output: str
    depthwise: bool
    weight: np.ndarray
    bias: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    activation: Activation
    residual: str | None = None


def fuse(graph: Graph, scales: dict[str, Scale]) -> list[Operation]:
    """The operations of the graph in execution order.

    Of two operands that could absorb an addition, the one is chosen whose partner u keeps s_u <= s_y with the smaller
    scale (Eq. 7); of two that cannot, the one with the smaller scale is the residual of an identity.
    """
    readers = _readers(graph)
    made: dict[str, Operation] = {}
    for node in graph.nodes:
        made[node.output] = (
            _fuse_add(node, graph, made, readers, scales) if isinstance(node, Add) else operation(node, graph)
        )
    return list(made.values())


def operation(node: Conv | Pool, graph: Graph) -> Operation:
    """A convolution or pooling as an operation."""
    if isinstance(node, Conv):
        weight, padding = within_kernel(np.array(node.weight, np.float64), node.padding)
        return Operation(
            node.name, "conv", node.input, node.output, node.depthwise, weight, np.array(node.bias, np.float64),
            node.stride, padding, node.activation,
        )
    channels, size = graph.shapes[node.output][0], node.kernel[0] * node.kernel[1]
    weight = np.full((channels, 1, *node.kernel), 1.0 / size)
    bias = np.zeros(channels)
    return Operation(
        node.name, "pool", node.input, node.output, True, weight, bias, node.stride, node.padding, node.activation
    )


def within_kernel(
    weight: np.ndarray, padding: tuple[int, int, int, int]
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Weight (O, I, KH, KW) and padding that compute the same with every pad less than the kernel, by zero taps.

    Taps before the kernel make room for the padding after it, and the other way round.
    """
    (top, left, bottom, right), (height, width) = padding, weight.shape[2:]
    above, below = max(0, bottom - height + 1), max(0, top - height + 1)
    before, after = max(0, right - width + 1), max(0, left - width + 1)
    wider = np.pad(weight, ((0, 0), (0, 0), (above, below), (before, after)))
    return wider, (top + above, left + before, bottom + below, right + after)


def _readers(graph: Graph) -> dict[str, int]:
    """How often each tensor is read; a network output counts as a reader."""
    count: dict[str, int] = {}
    for node in graph.nodes:
        for name in tensors_read(node):
            count[name] = count.get(name, 0) + 1
    for name in graph.outputs:
        count[name] = count.get(name, 0) + 1
    return count


def _fuse_add(
    add: Add, graph: Graph, made: dict[str, Operation], readers: dict[str, int], scales: dict[str, Scale]
) -> Operation:
    pairs = sorted([add.inputs, add.inputs[::-1]], key=lambda pair: scales[pair[1]].scale)
    for main, residual in pairs:
        producer = made.get(main)
        if producer and readers[main] == 1 and producer.activation == Activation() and producer.residual is None:
            del made[main]  # executed in the addition's place, where the residual exists
            return replace(producer, output=add.output, activation=add.activation, residual=residual)
    main, residual = pairs[0]
    return identity(add, main, residual, graph.shapes[add.output][0])


def identity(add: Add, main: str, residual: str, channels: int) -> Operation:
    """An addition that no operation absorbs: depthwise 1x1 with weight 1 and the residual."""
    weight, bias = np.ones((channels, 1, 1, 1)), np.zeros(channels)
    return Operation(
        add.name, "add", main, add.output, True, weight, bias, (1, 1), (0, 0, 0, 0), add.activation, residual
    )


def tensors_read(node: Node) -> tuple[str, ...]:
    """Tensors that a node reads."""
    return node.inputs if isinstance(node, Add) else (node.input,)

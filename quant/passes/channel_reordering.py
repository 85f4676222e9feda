"""Channel reordering (PTQ-SL, 2110.07809): channels of similar range side by side, so that a shared scale suits them.

Tensors that must keep one order are permuted together: an addition ties its operands, a pooling and a depthwise
convolution tie input and output. The network's input and outputs keep their order. The float function stays.
"""

from collections.abc import Callable

import numpy as np

from quant.float_graph.graph import Add, Conv, Graph, Node, Pool
from quant.float_graph.output_sensitivity import output_sensitivity
from quant.passes.cross_layer_equalization import tied_tensors
from quant.plan.plan import Plan
from quant.weights.channel_order import better_order, order_cost, sorted_order
from quant.weights.weights import channel_ranges


def channel_reordering(group: int) -> Callable[[Plan], None]:
    """The pass for scales that `group` output channels share (quant.weights.channel_order).

    With group = 1 channels are sorted by the weights that read them instead, which is what blocks of inputs share.
    """

    def reorder(plan: Plan) -> None:
        orders = find_orders(plan.graph, group)
        apply_orders(plan.graph, orders)
        moved = sum(bool((order != np.arange(len(order))).any()) for order in orders.values())
        plan.note(f"channel_reordering: {moved} of {len(orders)} tied tensors reordered for groups of {group}")

    return reorder


def keeps_channels(node: Node) -> bool:
    """Whether channel c of the output is made of channel c of the inputs only."""
    return isinstance(node, Add | Pool) or node.depthwise


def find_orders(graph: Graph, group: int) -> dict[str, np.ndarray]:
    """The new order of channels, int64 (C,), of each set of tied tensors that may be permuted, by its first tensor."""
    root = tied_tensors(graph, keeps_channels)
    fixed = {root[name] for name in (graph.input, *graph.outputs)}
    orders, sensitivity = {}, output_sensitivity(graph)
    for first in dict.fromkeys(root.values()):
        if first in fixed:
            continue
        writers = [node for node in graph.nodes if isinstance(node, Conv) and root[node.output] == first]
        readers = [node for node in graph.nodes if isinstance(node, Conv) and root[node.input] == first]
        if group > 1 and writers:
            ranges = np.array([channel_ranges(node.weight) for node in writers])
            weights = np.array([error_weights(node, sensitivity[node.output]) for node in writers])
            orders[first] = better_order(ranges, group, weights)
        elif group == 1 and not all(node.depthwise for node in readers):
            read = [np.abs(node.weight).max(axis=(0, 2, 3)) for node in readers if not node.depthwise]
            orders[first] = sorted_order(np.array(read))
    return orders


def error_weights(node: Conv, sensitivity: np.ndarray) -> np.ndarray:
    """What a squared error of each channel counts, float64 (C,): h_c over the layer's sum of h_c r_c^2.

    h: quant.float_graph.output_sensitivity of its output; r: range over the layer's largest. So the cost of a layer is
    its noise over its signal as the network's outputs see them, and layers count alike.
    """
    ranges = channel_ranges(node.weight)
    relative = ranges / max(float(ranges.max()), np.finfo(np.float64).tiny)
    signal = float((sensitivity * relative**2).sum())
    return np.where(relative > 0, sensitivity / signal, 0.0) if signal > 0 else np.zeros(len(ranges))


def apply_orders(graph: Graph, orders: dict[str, np.ndarray]) -> None:
    """Permute what writes and reads every tensor of each tied set: channel i becomes the former channel order[i]."""
    root = tied_tensors(graph, keeps_channels)
    for node in graph.nodes:
        if not isinstance(node, Conv):
            continue
        if (order := orders.get(root[node.output])) is not None:
            node.weight, node.bias = node.weight[order], node.bias[order]
            if node.batch_norm is not None:
                node.batch_norm.gamma, node.batch_norm.beta = node.batch_norm.gamma[order], node.batch_norm.beta[order]
        if not node.depthwise and (order := orders.get(root[node.input])) is not None:
            node.weight = node.weight[:, order]


def total_cost(graph: Graph, group: int) -> float:
    """order_cost of every convolution's output channels, summed: what the pass lowers."""
    sensitivity, convolutions = output_sensitivity(graph), [node for node in graph.nodes if isinstance(node, Conv)]
    return sum(
        order_cost(channel_ranges(node.weight)[None], group, error_weights(node, sensitivity[node.output])[None])
        for node in convolutions
    )

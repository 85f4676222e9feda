"""Channel reordering (PTQ-SL, 2110.07809): channels of similar range side by side, so that a shared scale suits them.

Tensors that must keep one order are permuted together: an addition ties its operands, a pooling and a depthwise
convolution tie input and output. The network's input and outputs keep their order. The float function stays.
"""

from collections.abc import Callable

import numpy as np

from quant.channel_order import better_order, order_cost, sorted_order
from quant.graph import Add, Conv, Graph, Node, Pool
from quant.passes.cross_layer_equalization import tied_tensors
from quant.plan import Plan
from quant.weights import channel_ranges


def channel_reordering(group: int) -> Callable[[Plan], None]:
    """The pass for scales that `group` output channels share (quant.channel_order).

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
    orders = {}
    for first in dict.fromkeys(root.values()):
        if first in fixed:
            continue
        ranges = np.array(_ranges(graph, root, first, written=group > 1))
        if len(ranges):
            orders[first] = better_order(ranges, group) if group > 1 else sorted_order(ranges)
    return orders


def _ranges(graph: Graph, root: dict[str, str], first: str, *, written: bool) -> list[np.ndarray]:
    """max|W| per channel of every convolution that writes the tied tensors, or of every dense one that reads them."""
    convolutions = [node for node in graph.nodes if isinstance(node, Conv)]
    if written:
        return [channel_ranges(node.weight) for node in convolutions if root[node.output] == first]
    return [
        np.abs(node.weight).max(axis=(0, 2, 3))
        for node in convolutions if root[node.input] == first and not node.depthwise
    ]  # fmt: skip


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
    weights = [node.weight for node in graph.nodes if isinstance(node, Conv)]
    return sum(order_cost(channel_ranges(weight)[None], group) for weight in weights)

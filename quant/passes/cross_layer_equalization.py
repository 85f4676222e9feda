"""Cross-layer equalization (Nagel et al. 2019, 1906.04721): per-channel factors moved between neighbouring layers.

The method works on groups of tensors that must share one factor per channel: the output of a convolution, joined
through poolings and additions with every tensor that is added to it. Dividing a tensor's channel by s > 0 and
multiplying the weights that read it by s changes nothing as long as every clamp on the way is none or ReLU. One rule
covers conv-ReLU-conv pairs, conv-depthwise-conv triplets (two groups, swept in turn) and linear bottlenecks whose
tensors are tied by residual additions. Groups with a bound such as ReLU6, the input and the outputs are left alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool
from quant.plan.plan import Plan

OCTAVES = 8.0  # s is limited to 2^-8..2^8
SWEEPS, TOLERANCE = 300, 1e-6  # in octaves
UNBOUNDED = (Activation(), Activation(0.0, None))


@dataclass
class Group:
    """Tensors that share s: the convolutions that write and read them.

    refused: why they cannot be equalized, "" if they can. octaves: log2 s, float64 (C,).
    """

    producers: list[Conv] = field(default_factory=list)
    consumers: list[Conv] = field(default_factory=list)
    refused: str = ""
    octaves: np.ndarray = field(default_factory=lambda: np.zeros(0))


def cross_layer_equalization(plan: Plan) -> None:
    """Equalize every group, with real factors."""
    _equalize(plan, power_of_two=False)


def cross_layer_equalization_pow2(plan: Plan) -> None:
    """Equalize every group with powers of two, which leaves the float network's values exact."""
    _equalize(plan, power_of_two=True)


def _equalize(plan: Plan, *, power_of_two: bool) -> None:
    groups = tensor_groups(plan.graph)
    chosen = [group for group in groups if not group.refused]
    find_factors(chosen)
    pairs = sum(len(group.producers) * len(group.consumers) for group in chosen)
    for group in chosen:
        apply_factors(group, np.exp2(np.rint(group.octaves) if power_of_two else group.octaves))
    blocked = [group.refused for group in groups if group.refused]
    counts = ", ".join(f"{blocked.count(reason)} skipped: {reason}" for reason in dict.fromkeys(blocked))
    plan.note(f"cross_layer_equalization: {pairs} pairs in {len(chosen)} groups; {counts or 'none skipped'}")


def tensor_groups(graph: Graph) -> list[Group]:
    """The groups of tensors that have a convolution on both sides, in order, each with the reason it is refused."""
    root = tied_tensors(graph, lambda node: isinstance(node, Add | Pool))
    groups = {name: Group() for name in dict.fromkeys(root.values())}
    for node in graph.nodes:
        group = groups[root[node.output]]
        if node.activation not in UNBOUNDED:
            group.refused = group.refused or "a clamp with an upper bound"
        if isinstance(node, Conv):
            group.producers.append(node)
            groups[root[node.input]].consumers.append(node)
    for names, reason in (([graph.input], "the input"), (graph.outputs, "an output of the network")):
        for name in names:
            groups[root[name]].refused = reason
    found = [group for group in groups.values() if group.producers and group.consumers]
    for group in found:
        group.octaves = np.zeros(len(group.producers[0].bias))
    return found


def tied_tensors(graph: Graph, ties: Callable[[Node], bool]) -> dict[str, str]:
    """The first tensor of every tensor's group; ties: whether a node puts its inputs and its output into one."""
    root = {graph.input: graph.input}
    for node in graph.nodes:
        root[node.output] = node.output
        if ties(node):
            for name in node.inputs:
                old, new = root[node.output], root[name]
                root = {tensor: new if group == old else group for tensor, group in root.items()}
    return root


def find_factors(groups: list[Group]) -> None:
    """Sweep s = sqrt(r1 / r2) over the groups until no factor moves; fills `octaves`.

    r1: largest weight that writes the channel, r2: largest weight that reads it, both with the factors found so far.
    s = 1 where either is 0. A factor common to all channels changes no quantization, so it is taken out.
    """
    inputs = {id(conv): group for group in groups for conv in group.consumers}
    outputs = {id(conv): group for group in groups for conv in group.producers}
    ranges = {id(conv): np.abs(conv.weight).max(axis=(2, 3)) for group in groups for conv in group.producers}
    ranges |= {id(conv): np.abs(conv.weight).max(axis=(2, 3)) for group in groups for conv in group.consumers}

    def scaled(conv: Conv) -> np.ndarray:
        values = ranges[id(conv)]
        if id(conv) in outputs:
            values = values / np.exp2(outputs[id(conv)].octaves)[:, None]
        if id(conv) in inputs:
            factor = np.exp2(inputs[id(conv)].octaves)
            values = values * (factor[:, None] if conv.depthwise else factor)
        return values

    for _ in range(SWEEPS):
        moves = [_improve(group, scaled) for group in groups]
        if max(moves, default=0.0) < TOLERANCE:
            return


def _improve(group: Group, scaled: Callable[[Conv], np.ndarray]) -> float:
    """One update of a group; returns the largest move in octaves."""
    first = np.max([scaled(conv).max(axis=1) for conv in group.producers], axis=0)
    second = np.max([scaled(c).max(axis=1 if c.depthwise else 0) for c in group.consumers], axis=0)
    live = (first > 0) & (second > 0)
    if not live.any():
        return 0.0
    octaves = np.zeros(len(first))
    octaves[live] = group.octaves[live] + 0.5 * np.log2(first[live] / second[live])
    octaves[live] -= (octaves[live].max() + octaves[live].min()) / 2
    octaves = np.clip(octaves, -OCTAVES, OCTAVES)
    move = float(np.abs(octaves - group.octaves).max())
    group.octaves = octaves
    return move


def apply_factors(group: Group, factor: np.ndarray) -> None:
    """W1 /= s, b1 /= s (BatchNormalization statistics alike), W2 *= s."""
    for conv in group.producers:
        conv.weight, conv.bias = conv.weight / factor[:, None, None, None], conv.bias / factor
        if conv.batch_norm is not None:
            conv.batch_norm.gamma = conv.batch_norm.gamma / factor
            conv.batch_norm.beta = conv.batch_norm.beta / factor
    for conv in group.consumers:
        conv.weight = conv.weight * (factor[:, None, None, None] if conv.depthwise else factor[:, None, None])

"""Folds a per-channel affine map forward into the one convolution that reads it, where padding does not forbid it."""

import numpy as np

from quant.float_graph.graph import Activation, Conv, Node


def fold_forward(nodes: list[Node], outputs: list[str], folded: list[str]) -> list[Node]:
    """The nodes without each identity-shaped depthwise 1x1 that its only consumer, a convolution, can take up.

    A map with a shift goes only into a convolution without padding: padding is zero after the map, not before it.
    """
    kept = list(nodes)
    for node in nodes:
        consumers = [n for n in kept if node.output in n.inputs]
        if not isinstance(node, Conv) or not is_affine(node) or node.output in outputs or len(consumers) != 1:
            continue
        conv = consumers[0]
        if isinstance(conv, Conv) and (not any(node.bias) or not any(conv.padding)):
            _fold(node, conv)
            kept = [n for n in kept if n is not node]
            folded.append(f"'{node.name}' into convolution '{conv.name}' after it")
    return kept


def is_affine(node: Conv) -> bool:
    """Whether a node only scales and shifts each channel: depthwise 1x1, stride 1, no padding, no clamp."""
    return (
        node.depthwise
        and node.weight.shape[2:] == (1, 1)
        and node.stride == (1, 1)
        and not any(node.padding)
        and node.activation == Activation()
    )


def _fold(affine: Conv, conv: Conv) -> None:
    scale, shift = affine.weight[:, 0, 0, 0], affine.bias
    if conv.depthwise:
        conv.bias = conv.bias + conv.weight.sum(axis=(1, 2, 3)) * shift
        conv.weight = conv.weight * scale[:, None, None, None]
    else:
        conv.bias = conv.bias + np.einsum("oihw,i->o", conv.weight, shift)
        conv.weight = conv.weight * scale[None, :, None, None]
    conv.input = affine.input

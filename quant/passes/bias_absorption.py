"""High-bias absorption (Nagel et al. 2019, 1906.04721): a bias that equalization made large moves to the next layer."""

import numpy as np

from quant.float_graph.graph import Activation, Conv, Graph
from quant.plan.plan import Plan

SIGMAS = 3.0
RELU = Activation(0.0, None)


def bias_absorption(plan: Plan) -> None:
    """c = max(0, beta - 3 gamma): b1 -= c, b2 += W2 c, for every conv-ReLU-conv pair whose reader has no padding.

    ReLU(x - c) = ReLU(x) - c wherever x >= c, which is 99.87 % of a normal variable: the float function moves by the
    rest. A reader with padding reads zeros that would have to be -c, so its pairs are skipped; so are those without
    BatchNormalization statistics, with another clamp, and tensors that more than one node reads.
    """
    absorbed, padded = 0, 0
    for node in plan.graph.nodes:
        reader = only_reader(plan.graph, node) if isinstance(node, Conv) else None
        if reader is None or not isinstance(node, Conv) or node.batch_norm is None or node.activation != RELU:
            continue
        shift = np.maximum(0.0, node.batch_norm.beta - SIGMAS * np.abs(node.batch_norm.gamma))
        if any(reader.padding):
            padded += bool(shift.any())
            continue
        absorb(node, reader, shift)
        absorbed += int(np.count_nonzero(shift))
    plan.note(f"bias_absorption: {absorbed} channels; {padded} pairs skipped: their reader pads")


def only_reader(graph: Graph, node: Conv) -> Conv | None:
    """The convolution that alone reads the node's output, which is no output of the network; else None."""
    readers = graph.consumers(node.output)
    if node.output in graph.outputs or len(readers) != 1 or not isinstance(readers[0], Conv):
        return None
    return readers[0]


def absorb(node: Conv, reader: Conv, shift: np.ndarray) -> None:
    """Move shift (C,) out of the node's bias into the reader's."""
    taps = reader.weight.sum(axis=(2, 3))
    node.bias = node.bias - shift
    reader.bias = reader.bias + (taps[:, 0] * shift if reader.depthwise else taps @ shift)
    if node.batch_norm is not None:
        node.batch_norm.beta = node.batch_norm.beta - shift

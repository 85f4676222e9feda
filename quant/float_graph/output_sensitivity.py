"""How much the network's outputs change with each channel of a tensor: squared gradients without gradients."""

import numpy as np

from quant.float_graph.graph import Add, Conv, Graph, Node, Pool


def output_sensitivity(graph: Graph) -> dict[str, np.ndarray]:
    """Per tensor float64 (C,): the expected squared gradient of the outputs for each channel, up to a common factor.

    From the outputs backwards through the squared weights, as if every clamp passed everything and paths to a tensor
    added up independently. It is the diagonal of J'J, which stands for the Hessian of a squared error of the outputs;
    no image and no differentiation is needed.
    """
    found = {name: np.zeros(shape[0]) for name, shape in graph.shapes.items()}
    for name in graph.outputs:
        found[name] += 1.0
    for node in reversed(graph.nodes):
        for name in node.inputs:
            found[name] += _before(node, found[node.output])
    return found


def _before(node: Node, after: np.ndarray) -> np.ndarray:
    """What a node hands on to its input from `after` of its output; a stride reads each element less often."""
    if isinstance(node, Add):
        return after
    often = 1 / (node.stride[0] * node.stride[1])
    if isinstance(node, Pool):
        return after * often / (node.kernel[0] * node.kernel[1])
    return _through(node, after) * often


def _through(node: Conv, after: np.ndarray) -> np.ndarray:
    squares = np.square(node.weight).sum(axis=(2, 3))
    return squares[:, 0] * after if node.depthwise else after @ squares

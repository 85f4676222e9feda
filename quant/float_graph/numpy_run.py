"""Float64 NumPy evaluation of a graph: the judge of passes that must not change the network's function."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool


def run_graph(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor, clamped, as float64 (N, C, H, W), for input x (N, C, H, W); ValueError for another shape."""
    if x.ndim != 4 or x.shape[1:] != graph.shapes[graph.input]:
        raise ValueError(f"x of shape {x.shape}: expected (N, *{graph.shapes[graph.input]})")
    tensors = {graph.input: np.asarray(x, dtype=np.float64)}
    for node in graph.nodes:
        tensors[node.output] = clamp(linear(node, *(tensors[t] for t in node.inputs)), node.activation)
    return tensors


def linear(node: Node, *inputs: np.ndarray) -> np.ndarray:
    """The node's value before its clamp."""
    if isinstance(node, Add):
        return inputs[0] + inputs[1]
    windows = _windows(inputs[0], node.padding, node.kernel, node.stride)
    if isinstance(node, Pool):
        return windows.mean(axis=(-2, -1))
    return _convolve(node, windows) + node.bias[:, None, None]


def clamp(x: np.ndarray, activation: Activation) -> np.ndarray:
    """min(max(x, low), high)."""
    low = -np.inf if activation.low is None else activation.low
    high = np.inf if activation.high is None else activation.high
    return np.minimum(np.maximum(x, low), high)


def _windows(x: np.ndarray, padding: tuple, kernel: tuple, stride: tuple) -> np.ndarray:
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    return sliding_window_view(padded, kernel, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]


def _convolve(node: Conv, windows: np.ndarray) -> np.ndarray:
    if node.depthwise:
        return np.einsum("nchwij,cij->nchw", windows, node.weight[:, 0])
    return np.moveaxis(np.tensordot(windows, node.weight, axes=((1, 4, 5), (1, 2, 3))), -1, 1)

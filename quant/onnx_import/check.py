"""Shows that an import kept the function: the file itself and the imported model, both in onnxruntime, side by side.

The difference is held against a bound: both evaluate the same real function in float32, so each is within the
accumulated rounding error of it, and they differ by at most twice that. Per node with K products of weights w and
inputs x, known up to e: e' = |w| * e + g (|w| * |x| + |b| + 2 |beta|), g = (K + 8) 2^-24 / (1 - (K + 8) 2^-24) (Higham,
Accuracy and Stability of Numerical Algorithms, 3.1). The 8 covers bias, batch normalization (beta: its shift) and the
rounding of folded weights; a clamp never enlarges e.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from quant.float_run import FloatRunner
from quant.graph import Activation, Add, Conv, Graph, Node
from quant.graph_run import clamp, linear
from quant.onnx_import.importer import Imported

UNIT = 2.0**-24


@dataclass(frozen=True)
class Difference:
    """Largest |imported - file| of one output, and the largest ratio of it to its bound (at most 1 when kept)."""

    output: str
    largest: float
    ratio: float


def compare(imported: Imported, path: str | Path, x: np.ndarray) -> list[Difference]:
    """One entry per output; x is float32 in the file's own layout and shape."""
    original = FloatRunner(onnx.load(path), list(imported.output_views), optimize=False)(x)
    images = imported.to_graph(x)
    ours, bounds = FloatRunner(imported.model)(images), error_bounds(imported.graph, images)
    differences = []
    for name, view in imported.output_views.items():
        bound = imported.from_graph(name, bounds[view.tensor])
        gap = np.abs(imported.from_graph(name, ours[view.tensor]).astype(np.float64) - original[name])
        if gap.shape != original[name].shape:
            raise ValueError(f"output '{name}': shape {gap.shape}, the file gives {original[name].shape}")
        ratio = np.divide(gap, bound, out=np.where(gap == 0, 0.0, np.inf), where=bound > 0)
        differences.append(Difference(name, float(gap.max()), float(ratio.max())))
    return differences


def error_bounds(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Twice the float32 rounding error bound of every tensor, float64 (N, C, H, W), for input x."""
    values = {graph.input: np.asarray(x, dtype=np.float64)}
    errors = {graph.input: np.zeros(x.shape)}
    for node in graph.nodes:
        inputs = [values[t] for t in node.inputs]
        values[node.output] = clamp(linear(node, *inputs), node.activation)
        absolute = _absolute(node)
        size = linear(absolute, *(np.abs(v) + errors[t] for v, t in zip(inputs, node.inputs, strict=True)))
        count = (_products(node) + 8) * UNIT
        grown = linear(_without_bias(absolute), *(errors[t] for t in node.inputs))
        errors[node.output] = grown + count / (1 - count) * size
    return {name: 2 * error for name, error in errors.items()}


def _absolute(node: Node) -> Node:
    if not isinstance(node, Conv):
        return node
    shift = 0 if node.batch_norm is None else 2 * np.abs(node.batch_norm.beta)
    return replace(node, weight=np.abs(node.weight), bias=np.abs(node.bias) + shift, activation=Activation())


def _without_bias(node: Node) -> Node:
    return replace(node, bias=np.zeros_like(node.bias)) if isinstance(node, Conv) else node


def _products(node: Node) -> int:
    if isinstance(node, Add):
        return 2
    return int(np.prod(node.weight.shape[1:] if isinstance(node, Conv) else node.kernel))

"""Shows that an import kept the function: the file itself in onnxruntime beside the graph, within float32 rounding.

The bound: a node with K products of weights w and inputs x that are known up to e has, evaluated in float32, the error
e' = |w| * e + g (|w| * |x| + |b| + 2 |beta|), g = (K + 8) 2^-24 / (1 - (K + 8) 2^-24) (Higham, Accuracy and Stability
of Numerical Algorithms, 3.1). The 8 covers bias, batch normalization (beta: its shift) and the rounding of folded
weights; a clamp never enlarges e.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node
from quant.float_graph.numpy_run import clamp, linear
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.onnx_import.importer import Imported
from quant.onnx_import.values import spread

UNIT = 2.0**-24


@dataclass(frozen=True)
class Difference:
    """Largest |graph - file| of one tensor of the file, and the largest ratio to its bound (at most 1 when kept)."""

    tensor: str
    largest: float
    ratio: float


def compare_outputs(imported: Imported, path: str | Path, x: np.ndarray) -> list[Difference]:
    """The imported model in onnxruntime beside the file, each output; x is float32 in the file's layout and shape.

    Each side is within its rounding of the exact value, so they differ by at most twice the bound, which grows from
    node to node: in deep networks it says little, `compare_layers` does.
    """
    original = FloatRunner(onnx.load(path), list(imported.output_views), optimize=False)(x)
    images = imported.to_graph(x)
    ours, bounds = FloatRunner(imported.model)(images), error_bounds(imported.graph, images)
    differences = []
    for name, view in imported.output_views.items():
        value = imported.from_graph(name, ours[view.tensor])
        if value.shape != original[name].shape:
            raise ValueError(f"output '{name}': shape {value.shape}, the file gives {original[name].shape}")
        differences.append(_difference(name, value, original[name], 2 * imported.from_graph(name, bounds[view.tensor])))
    return differences


def compare_layers(imported: Imported, path: str | Path, x: np.ndarray) -> list[Difference]:
    """The graph in float64 beside the file, node by node, each on the file's own tensors.

    One entry for each tensor that the file names, those inside an If or a local function left out.
    """
    model = onnx.load(path)
    there = {output for node in model.graph.node for output in node.output}
    named = {tensor: pair for tensor, pair in imported.file_tensors.items() if pair[0] in there}
    if not named:
        return []
    original = FloatRunner(model, [name for name, _ in named.values()], optimize=False)(x)
    known = {tensor: spread(view, original[name]) for tensor, (name, view) in named.items()}
    values, bounds = _evaluate(imported.graph, imported.to_graph(x), known)
    return [_difference(named[t][0], values[t], known[t], bounds[t]) for t in known]


def error_bounds(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """The float32 rounding error bound of every tensor, float64 (N, C, H, W), for input x."""
    return _evaluate(graph, x, {})[1]


def _evaluate(
    graph: Graph, x: np.ndarray, known: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Values and bounds of every tensor; readers of a known tensor take it instead, without error."""
    values = {graph.input: np.asarray(x, dtype=np.float64)}
    errors = {graph.input: np.zeros(x.shape)}
    for node in graph.nodes:
        inputs = [np.asarray(known.get(t, values[t]), dtype=np.float64) for t in node.inputs]
        before = [np.zeros(v.shape) if t in known else errors[t] for v, t in zip(inputs, node.inputs, strict=True)]
        values[node.output] = clamp(linear(node, *inputs), node.activation)
        errors[node.output] = _bound(node, inputs, before)
    return values, errors


def _bound(node: Node, inputs: list[np.ndarray], errors: list[np.ndarray]) -> np.ndarray:
    absolute = _absolute(node)
    size = linear(absolute, *(np.abs(v) + e for v, e in zip(inputs, errors, strict=True)))
    count = (_products(node) + 8) * UNIT
    return linear(_without_bias(absolute), *errors) + count / (1 - count) * size


def _difference(name: str, value: np.ndarray, original: np.ndarray, bound: np.ndarray) -> Difference:
    gap = np.abs(value.astype(np.float64) - original)
    ratio = np.divide(gap, bound, out=np.where(gap == 0, 0.0, np.inf), where=bound > 0)
    return Difference(name, float(gap.max()), float(ratio.max()))


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

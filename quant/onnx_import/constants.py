"""Constant folding: initializers, Constant nodes, shapes of tensors, and any node all of whose inputs are constant."""

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from golden.errors import WesnpuError
from quant.onnx_import.refuse import label, one_line, refuse
from quant.onnx_import.values import View

RANDOM = frozenset(
    ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
)


def read_tensor(tensor: TensorProto, folder: Path) -> np.ndarray:
    """The array of an initializer, external data included; WesnpuError when it is missing or damaged."""
    try:
        return numpy_helper.to_array(tensor, str(folder))
    except Exception as error:
        raise WesnpuError(f"initializer '{tensor.name}': its data cannot be read ({_line(error)})") from error


def fold(node: NodeProto, inputs: list[np.ndarray | None], opsets: list[onnx.OperatorSetIdProto]) -> list[np.ndarray]:
    """Outputs of a node of constant inputs, computed by onnx's reference evaluator."""
    if node.op_type in RANDOM:
        refuse(node, "its output is random", "deterministic networks")
    names = [n for n, value in zip(node.input, inputs, strict=True) if n and value is not None]
    undefined = onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [onnx.helper.make_value_info(n, undefined) for n in dict.fromkeys(names)],
        [onnx.helper.make_value_info(n, undefined) for n in node.output if n],
    )
    feed = {n: value for n, value in zip(node.input, inputs, strict=True) if n and value is not None}
    try:
        model = onnx.helper.make_model(graph, opset_imports=opsets)
        return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, feed)]
    except Exception as error:
        raise WesnpuError(f"{label(node)}: its constant value cannot be computed ({_line(error)})") from error


def shape_of(node: NodeProto, view: View) -> np.ndarray:
    """What Shape (with start and end) or Size gives for a tensor of the network."""
    limits = {a.name: a.i for a in node.attribute}
    if node.op_type == "Size":
        return np.array(int(np.prod(view.shape)), dtype=np.int64)
    return np.array(view.shape[limits.get("start", 0) : limits.get("end")], dtype=np.int64)


def _line(error: Exception) -> str:
    return one_line(str(error))[:200] or type(error).__name__

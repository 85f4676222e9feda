"""The float graph as an ONNX model (float32, NCHW, dynamic batch), for onnxruntime: tensors keep their graph names.

The output of a node with an activation is the clamped tensor; the value before the clamp is `linear_name(tensor)`.
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool

OPSET, IR_VERSION = 17, 8


def linear_name(tensor: str) -> str:
    """Name of the value before the clamp of the node that produces `tensor`."""
    return f"{tensor}:linear"


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """The model; its outputs are the graph's, every other tensor can be asked for by name (`with_outputs`)."""
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []
    for node in graph.nodes:
        _append(node, nodes, weights)
    infos = {name: _info(name, graph.shapes[name]) for name in [graph.input, *graph.outputs]}
    outputs = [infos[name] for name in graph.outputs]
    body = helper.make_graph(nodes, graph.name, [infos[graph.input]], outputs, weights)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A copy of the model whose outputs are the named tensors; KeyError names one that does not exist."""
    known = {o for n in model.graph.node for o in n.output}
    if set(names) - known:
        raise KeyError(f"no tensor {sorted(set(names) - known)} in model '{model.graph.name}'")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names)
    return copy


def _append(node: Node, nodes: list[NodeProto], weights: list[TensorProto]) -> None:
    clamped = node.activation != Activation()
    target = linear_name(node.output) if clamped else node.output
    attributes = _attributes(node)
    inputs = list(node.inputs)
    if isinstance(node, Conv):
        inputs += [_constant(f"{node.output}:weight", node.weight, weights)]
        inputs += [_constant(f"{node.output}:bias", node.bias, weights)]
    kind = {Conv: "Conv", Add: "Add", Pool: "AveragePool"}[type(node)]
    nodes.append(helper.make_node(kind, inputs, [target], name=node.name, **attributes))
    if clamped:
        nodes.append(_clip(node, target, weights))


def _attributes(node: Node) -> dict:
    if isinstance(node, Add):
        return {}
    attributes = {"kernel_shape": node.kernel, "strides": node.stride, "pads": node.padding}
    if isinstance(node, Pool):
        return {**attributes, "count_include_pad": 1}
    return {**attributes, "group": node.weight.shape[0] if node.depthwise else 1}


def _clip(node: Node, source: str, weights: list[TensorProto]) -> NodeProto:
    low, high = node.activation.low, node.activation.high
    if (low, high) == (0, None):
        return helper.make_node("Relu", [source], [node.output], name=f"{node.name}:activation")
    bounds = [
        "" if bound is None else _constant(f"{node.output}:{end}", np.array(bound), weights)
        for end, bound in (("low", low), ("high", high))
    ]
    return helper.make_node("Clip", [source, *bounds], [node.output], name=f"{node.name}:activation")


def _constant(name: str, array: np.ndarray, weights: list[TensorProto]) -> str:
    weights.append(numpy_helper.from_array(np.asarray(array, dtype=np.float32), name))
    return name


def _info(name: str, shape: tuple[int, int, int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

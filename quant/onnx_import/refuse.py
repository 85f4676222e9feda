"""Refusals: one clear line that names the node, the operator, the attribute and what would be supported."""

from typing import NoReturn

from onnx import NodeProto

from golden.errors import WesnpuError

SUPPORTED = (
    "Conv, BatchNormalization, Relu, Clip, Add/Sub/Mul/Div with per-channel constants, Add of two tensors, "
    "AveragePool, GlobalAveragePool, ReduceMean over space, Gemm, MatMul, Pad, "
    "Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity, Dropout, Cast; at the "
    "end Softmax, LogSoftmax, Sigmoid, ArgMax"
)
QUANTIZED = frozenset(
    (
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv",
        "QLinearMatMul", "QLinearAdd", "QLinearMul", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSigmoid",
        "QLinearLeakyRelu", "QLinearConcat", "QLinearSoftmax", "QGemm", "FakeQuant", "BiasAdd8",
    )
)  # fmt: skip


def label(node: NodeProto) -> str:
    """How a node is named in messages: operator and node name, or its first output when it has no name."""
    name = node.name or next((o for o in node.output if o), "")
    domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
    return f"{domain}{node.op_type} '{name}'"


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which names in a file may hold."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def refuse(node: NodeProto, problem: str, supported: str) -> NoReturn:
    """Raise WesnpuError: node, operator, what is wrong with which attribute or input, and what would be supported."""
    raise WesnpuError(f"{label(node)}: {problem}; supported: {supported}")


def refuse_operator(node: NodeProto) -> NoReturn:
    """Raise WesnpuError for an operator that the importer does not know, or an already quantized network."""
    if node.op_type in QUANTIZED:
        refuse(node, "the network is already quantized", "a float network (quantize works from float weights)")
    refuse(node, "operator is not supported", SUPPORTED)

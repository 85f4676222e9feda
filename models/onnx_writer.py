"""A writer of float ONNX classifiers, layer by layer, batch normalization kept as nodes of its own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """Batch normalization of C channels: y = scale (x - mean) / sqrt(variance + epsilon) + bias, all float32 [C]."""

    scale: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME: (before, after), so that the output has ceil(size / stride) places, the odd one after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class OnnxWriter:
    """Collects nodes; each method takes and returns a tensor's name, `layer` names the node.

    Input 'input' float [N, C, H, W], output 'logits' float [N, classes], N free.
    """

    def __init__(self, name: str, *, input_shape: tuple[int, int, int], classes: int) -> None:
        """Start a model called `name` for images of `input_shape` = (C, H, W)."""
        self.name = name
        self.ends = (
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *input_shape]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes]),
        )
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a float32 constant."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def node(self, kind: str, layer: str, inputs: list[str], *, output: str | None = None, **attributes: Any) -> str:
        """Add one node with one output, called `output` or as the layer."""
        self.nodes.append(helper.make_node(kind, inputs, [output or layer], name=layer, **attributes))
        return output or layer

    def conv(
        self, layer: str, x: str, weight: np.ndarray, *, stride: int, pads: tuple[int, int], groups: int = 1
    ) -> str:
        """Convolution without bias, weight [O, I / groups, K, K]; `pads` = (before, after) in both directions."""
        kernel = list(weight.shape[2:])
        inputs = [x, self.constant(f"{layer}.weight", weight)]
        edges = [pads[0], pads[0], pads[1], pads[1]]
        return self.node("Conv", layer, inputs, kernel_shape=kernel, strides=[stride] * 2, pads=edges, group=groups)

    def normalize(self, layer: str, x: str, statistics: Normalization) -> str:
        """BatchNormalization in its inference form."""
        names = ("scale", "bias", "mean", "variance")
        inputs = [x, *(self.constant(f"{layer}.{name}", getattr(statistics, name)) for name in names)]
        return self.node("BatchNormalization", layer, inputs, epsilon=statistics.epsilon)

    def relu6(self, layer: str, x: str) -> str:
        """Clamp to 0..6."""
        if not any(constant.name == "six" for constant in self.constants):
            self.constant("zero", np.array(0.0))
            self.constant("six", np.array(6.0))
        return self.node("Clip", layer, [x, "zero", "six"])

    def add(self, layer: str, x: str, y: str) -> str:
        """Element-wise sum."""
        return self.node("Add", layer, [x, y])

    def classify(self, x: str, weight: np.ndarray, bias: np.ndarray) -> None:
        """Global average pooling and a fully connected layer, weight [classes, C], bias [classes]; ends the model."""
        x = self.node("Flatten", "flatten", [self.node("GlobalAveragePool", "pool", [x])])
        inputs = [x, self.constant("classifier.weight", weight), self.constant("classifier.bias", bias)]
        self.node("Gemm", "classifier", inputs, output="logits", transB=1)

    def model(self) -> onnx.ModelProto:
        """The finished model, checked by onnx with its shapes inferred."""
        graph = helper.make_graph(self.nodes, self.name, [self.ends[0]], [self.ends[1]], self.constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wesnpu models")
        onnx.checker.check_model(model, full_check=True)
        return model

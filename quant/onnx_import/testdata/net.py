"""A small ONNX graph writer for the importer's tests."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Collects nodes, initializers and outputs; seeded weights. `op` returns the name of the node's output."""

    def __init__(self, shape: tuple, *, opset: int = 17, seed: int = 0) -> None:
        """Input "x" of `shape`; a string is a dynamic dimension."""
        self.shape, self.opset, self.rng = shape, opset, np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.outputs: list[str] = []

    def op(self, kind: str, *inputs: str, name: str = "", output: str = "", **attributes) -> str:
        """Append a node with one output."""
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name or f"{kind}_{len(self.nodes)}", **attributes))
        return output

    def const(self, array, dtype=np.float32) -> str:
        """An initializer."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        """An int64 initializer."""
        return self.const(values, np.int64)

    def constant_node(self, array, dtype=np.float32) -> str:
        """A Constant node."""
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(array, dtype=dtype)))

    def normal(self, *shape: int) -> str:
        """An initializer of normal numbers."""
        return self.const(self.rng.normal(size=shape))

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, *, group: int = 1, **attributes) -> str:
        """A convolution with bias."""
        weight = self.normal(outputs, inputs // group, kernel, kernel)
        return self.op("Conv", x, weight, self.normal(outputs), group=group, **attributes)

    def batch_norm(self, x: str, channels: int, **attributes) -> str:
        """Inference batch normalization with random statistics, negative scales among them."""
        parameters = [self.normal(channels) for _ in range(3)] + [self.const(self.rng.uniform(0.1, 4, channels))]
        return self.op("BatchNormalization", x, *parameters, **attributes)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model with the given outputs."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        ends = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "net", [x], ends, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def save(self, folder: Path, *outputs: str) -> Path:
        """Write the model; returns its path."""
        path = folder / "net.onnx"
        onnx.save(self.model(*outputs), path)
        return path

    def images(self, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Seeded float32 input of the net's shape."""
        return self.rng.normal(size=shape or self.shape).astype(np.float32)

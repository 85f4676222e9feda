"""Walks an ONNX graph in order and builds the float graph: every name becomes a constant, a view or a host's tail."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, OperatorSetIdProto

from golden.errors import WesnpuError
from quant.onnx_import import activations, arithmetic, convolution, linear, pooling, shapes, tails
from quant.onnx_import.builder import Builder
from quant.onnx_import.constants import fold, read_tensor, shape_of
from quant.onnx_import.load import SHAPE_READERS
from quant.onnx_import.refuse import QUANTIZED, label, refuse, refuse_operator
from quant.onnx_import.step import Step
from quant.onnx_import.values import Const, Tail, Value, View

Handler = Callable[[Step], Value]
HANDLERS: dict[str, Handler] = {
    "Conv": convolution.conv,
    "BatchNormalization": convolution.batch_normalization,
    "Relu": activations.relu,
    "Clip": activations.clip,
    "Add": arithmetic.add,
    "Sum": arithmetic.add,
    "Sub": arithmetic.sub,
    "Mul": arithmetic.mul,
    "Div": arithmetic.div,
    "AveragePool": pooling.average_pool,
    "GlobalAveragePool": pooling.global_average_pool,
    "ReduceMean": pooling.reduce_mean,
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Pad": shapes.pad,
    "Identity": shapes.identity,
    "Dropout": shapes.dropout,
    "Cast": shapes.cast,
    "Flatten": shapes.flatten,
    "Reshape": shapes.reshape,
    "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze,
    "Transpose": shapes.transposed,
    **dict.fromkeys(tails.BEGINS, tails.begin),
}


@dataclass
class Walker:
    """State of the walk: what each name stands for, how often it is read, and the graph under construction.

    file_tensors: for each graph tensor the first tensor of the file that it equals, and how the file lays that out.
    """

    opset: int
    opsets: list[OperatorSetIdProto]
    folder: Path
    uses: Counter[str]
    values: dict[str, Value] = field(default_factory=dict)
    builder: Builder = field(default_factory=Builder)
    constant_nodes: int = 0
    file_tensors: dict[str, tuple[str, View]] = field(default_factory=dict)  # graph tensor -> name in the file, layout

    def initializers(self, graph: GraphProto) -> None:
        """Take up the graph's initializers."""
        for tensor in graph.initializer:
            self.values[tensor.name] = Const(read_tensor(tensor, self.folder))

    def run(self, nodes: Sequence[NodeProto]) -> None:
        """Handle every node in order."""
        for node in nodes:
            if node.op_type in QUANTIZED:
                refuse_operator(node)
            inputs = [self.read(node, name) for name in node.input]
            for name, value in zip(node.output, self._checked(node, inputs), strict=False):
                if name in self.values:
                    raise WesnpuError(f"{label(node)}: tensor '{name}' is produced twice")
                self.values[name] = value
                if isinstance(value, View) and not any(value.pad):
                    self.file_tensors.setdefault(value.tensor, (name, value))

    def read(self, node: NodeProto | None, name: str) -> Value | None:
        """The value of a name, exclusive when this is its only reader; None for an absent optional input."""
        if not name:
            return None
        if name not in self.values:
            reader = "the graph's outputs" if node is None else label(node)
            raise WesnpuError(f"{reader}: reads tensor '{name}', which nothing before it produces")
        value = self.values[name]
        if isinstance(value, View) and self.uses[name] > 1:
            return replace(value, exclusive=False)
        return value

    def _checked(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        try:
            return self._outputs(node, inputs)
        except WesnpuError:
            raise
        except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
            raise WesnpuError(f"{label(node)}: malformed node ({type(error).__name__}: {error})") from error

    def _outputs(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        if node.op_type == "If":
            return self._branch(node, inputs[0])
        if node.op_type in SHAPE_READERS and isinstance(inputs[0], View):
            return [self._constant(shape_of(node, inputs[0]))]
        if all(v is None or isinstance(v, Const) for v in inputs):
            arrays = [v.array if isinstance(v, Const) else None for v in inputs]
            return [self._constant(a) for a in fold(node, arrays, self.opsets)]
        if node.op_type not in HANDLERS or node.domain not in ("", "ai.onnx"):
            refuse_operator(node)
        step = Step(node, inputs, self.builder, self.opset)
        if any(isinstance(v, Tail) for v in inputs):
            return [tails.carry_on(step)]
        return [HANDLERS[node.op_type](step)]

    def _constant(self, array: np.ndarray) -> Const:
        self.constant_nodes += 1
        return Const(array)

    def _branch(self, node: NodeProto, condition: Value | None) -> list[Value]:
        if not isinstance(condition, Const):
            refuse(node, "its condition is not constant", "conditions that are constant for a fixed input shape")
        wanted = "then_branch" if bool(condition.array.reshape(())) else "else_branch"
        graph = next(a.g for a in node.attribute if a.name == wanted and a.type == AttributeProto.GRAPH)
        self.initializers(graph)
        for inner in graph.node:
            self.uses.update({name: 2 for name in inner.input})
        self.run(graph.node)
        results = (self.read(node, o.name) for o in graph.output)
        return [v for v in results if v is not None]

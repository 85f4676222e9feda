"""The float graph that the passes of quant work on: what the importer makes of an ONNX file.

Batch-free, NCHW. Only three node kinds remain after import; everything else was folded, lowered, cut off or refused.
BatchNormalization statistics are kept beside the folded convolution because DFQ needs them.
"""

from dataclasses import dataclass, field

import numpy as np

Shape = tuple[int, int, int]  # (C, H, W)


@dataclass
class BatchNorm:
    """Statistics of a folded BatchNormalization: its output per channel is distributed as N(beta, gamma^2)."""

    gamma: np.ndarray  # float64 (C,), scale as in the model
    beta: np.ndarray  # float64 (C,), shift as in the model


@dataclass
class Activation:
    """Clamp after a node: real bounds, None for unbounded. ReLU: (0, None); ReLU6: (0, 6); none: (None, None)."""

    low: float | None = None
    high: float | None = None


@dataclass
class Conv:
    """Dense or depthwise convolution; fully connected layers are one, poolings keep their own kind until lowering.

    weight float64 (O, I, KH, KW) or (C, 1, KH, KW) depthwise; bias float64 (O,).
    """

    name: str
    input: str
    output: str
    depthwise: bool
    weight: np.ndarray
    bias: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, left, bottom, right
    activation: Activation = field(default_factory=Activation)
    batch_norm: BatchNorm | None = None

    @property
    def inputs(self) -> tuple[str]:
        """The one tensor read."""
        return (self.input,)

    @property
    def kernel(self) -> tuple[int, int]:
        """(KH, KW)."""
        return self.weight.shape[2], self.weight.shape[3]

    def output_shape(self, *shapes: Shape) -> Shape:
        """(C, H, W) of the output; ValueError when weight and bias do not fit the input's."""
        (shape,) = shapes
        outputs, per_group = self.weight.shape[:2]
        expected = (shape[0], 1) if self.depthwise else (outputs, shape[0])
        if self.weight.ndim != 4 or (outputs, per_group) != expected or self.bias.shape != (outputs,):
            raise ValueError(f"Conv '{self.name}': weight {self.weight.shape}, bias {self.bias.shape} on input {shape}")
        return (outputs, *_window(self, shape))


@dataclass
class Add:
    """Element-wise addition of two tensors of equal shape, then an activation."""

    name: str
    inputs: tuple[str, str]
    output: str
    activation: Activation = field(default_factory=Activation)

    def output_shape(self, *shapes: Shape) -> Shape:
        """(C, H, W) of the output; ValueError when the operands differ."""
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            raise ValueError(f"Add '{self.name}': operands of shapes {shapes}; two equal shapes are needed")
        return shapes[0]


@dataclass
class Pool:
    """Average pooling; kernel = (KH, KW), global pooling has the kernel of its image."""

    name: str
    input: str
    output: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # count_include_pad = 1 semantics
    activation: Activation = field(default_factory=Activation)

    @property
    def inputs(self) -> tuple[str]:
        """The one tensor read."""
        return (self.input,)

    def output_shape(self, *shapes: Shape) -> Shape:
        """(C, H, W) of the output."""
        return (shapes[0][0], *_window(self, shapes[0]))


Node = Conv | Add | Pool


def _window(node: Conv | Pool, shape: Shape) -> tuple[int, int]:
    (top, left, bottom, right), (kh, kw), (sh, sw) = node.padding, node.kernel, node.stride
    height, width = (shape[1] + top + bottom - kh) // sh + 1, (shape[2] + left + right - kw) // sw + 1
    if min(height, width, sh, sw, kh, kw) < 1 or min(node.padding) < 0:
        window = f"kernel {node.kernel}, stride {node.stride}, padding {node.padding}"
        raise ValueError(f"'{node.name}': {window} does not fit {shape}")
    return height, width


@dataclass
class Graph:
    """Nodes in topological order; `shapes` gives (C, H, W) of every tensor, inputs included."""

    name: str
    input: str
    outputs: list[str]
    nodes: list[Node]
    shapes: dict[str, tuple[int, int, int]]
    host_tail: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def producer(self, tensor: str) -> Node | None:
        """The node whose output `tensor` is; None for the input."""
        return next((n for n in self.nodes if n.output == tensor), None)

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that read `tensor`, in order."""
        return [n for n in self.nodes if tensor in n.inputs]

    def validate(self) -> None:
        """ValueError naming the node when names repeat, order is not topological, or shapes do not agree."""
        known, names = {self.input}, set()
        for node in self.nodes:
            missing = [t for t in node.inputs if t not in known]
            if missing or node.output in known or node.name in names:
                raise ValueError(f"node '{node.name}': reads unknown {missing}, or repeats a name ('{node.output}')")
            shape = node.output_shape(*(self.shapes[t] for t in node.inputs))
            if self.shapes.get(node.output) != shape:
                raise ValueError(f"node '{node.name}': '{node.output}' is {self.shapes.get(node.output)}, not {shape}")
            known.add(node.output)
            names.add(node.name)
        if not self.outputs or set(self.outputs) - known or set(self.shapes) != known:
            raise ValueError(f"graph '{self.name}': outputs {self.outputs} or shapes name tensors that do not exist")

"""The float graph that the passes of quant work on: what the importer makes of an ONNX file.

Batch-free, NCHW. Only four node kinds remain after import; everything else was folded, lowered, cut off or refused.
BatchNormalization statistics are kept beside the folded convolution because DFQ needs them.
"""

from dataclasses import dataclass, field

import numpy as np


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
    """Dense or depthwise convolution (fully connected layers and poolings keep their own kinds until lowering).

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


@dataclass
class Add:
    """Element-wise addition of two tensors of equal shape, then an activation."""

    name: str
    inputs: tuple[str, str]
    output: str
    activation: Activation = field(default_factory=Activation)


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


Node = Conv | Add | Pool


@dataclass
class Graph:
    """Nodes in topological order; `shapes` gives (C, H, W) of every tensor, inputs included."""

    name: str
    input: str
    outputs: list[str]
    nodes: list[Node]
    shapes: dict[str, tuple[int, int, int]]
    onnx_names: dict[str, str]  # graph tensor -> tensor name in the simplified ONNX model, for onnxruntime
    host_tail: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

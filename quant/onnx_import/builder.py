"""Builds the graph node by node, folding affine maps and clamps into the node before where nothing else reads it."""

from collections.abc import Container
from dataclasses import dataclass, field, replace

import numpy as np

from quant.float_graph.graph import Activation, BatchNorm, Conv, Node
from quant.onnx_import.values import View, lay_out


@dataclass
class Builder:
    """Nodes and tensor shapes so far. `folded` lists in words what was folded, for the import report."""

    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    producers: dict[str, Node] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def emit(self, node: Node, batch: int, chw: tuple[int, int, int]) -> View:
        """Append a node whose output has the shape (C, H, W) `chw`; returns its (N, C, H, W) view."""
        node.output = _fresh(node.output, self.shapes)
        node.name = _fresh(node.name, {n.name for n in self.nodes})
        self.nodes.append(node)
        self.producers[node.output] = node
        self.shapes[node.output] = chw
        return lay_out(node.output, (batch, *chw))

    def affine(
        self, view: View, scale: np.ndarray, shift: np.ndarray, name: str, output: str, norm: BatchNorm | None = None
    ) -> View:
        """scale * x + shift per channel: into the convolution before, else an identity depthwise 1x1 convolution."""
        conv = self.producers.get(view.tensor)
        alone = view.exclusive and not any(view.pad)
        if not alone or not isinstance(conv, Conv) or conv.activation != Activation():
            return self._depthwise(view, scale, shift, name, output, norm)
        conv.weight = conv.weight * scale[:, None, None, None]
        conv.bias = conv.bias * scale + shift
        conv.batch_norm = norm or _moved(conv.batch_norm, scale, shift)
        self.folded.append(f"'{name}' into convolution '{conv.name}'")
        return self._rename(view, output)

    def activate(self, view: View, activation: Activation, name: str, output: str) -> View:
        """Clamp: into the node before, else into an identity depthwise 1x1 convolution of its own."""
        node = self.producers.get(view.tensor)
        if not view.exclusive or any(view.pad) or node is None:
            view = self._depthwise(view, *_identity(view), name, output)
            self.producers[view.tensor].activation = activation
            return view
        node.activation = compose(node.activation, activation)
        return self._rename(view, output)

    def settle(self, view: View) -> View:
        """The view with its pending padding carried out by an identity depthwise convolution."""
        if not any(view.pad):
            return view
        return self.identity(view, f"{view.tensor}.pad")

    def identity(self, view: View, name: str) -> View:
        """An identity depthwise 1x1 convolution, which also carries out any pending padding."""
        return self._depthwise(view, *_identity(view), name, name)

    def _depthwise(
        self, view: View, scale: np.ndarray, shift: np.ndarray, name: str, output: str, norm: BatchNorm | None = None
    ) -> View:
        weight = np.array(scale, dtype=np.float64).reshape(-1, 1, 1, 1)
        bias = np.array(shift, dtype=np.float64)
        conv = Conv(name, view.tensor, output, True, weight, bias, (1, 1), view.pad, batch_norm=norm)
        out = self.emit(conv, view.sizes[0], view.chw)
        return replace(out, dims=view.dims)

    def _rename(self, view: View, output: str) -> View:
        node = self.producers.pop(view.tensor)
        shape = self.shapes.pop(view.tensor)
        node.output = _fresh(output, self.shapes)
        self.producers[node.output], self.shapes[node.output] = node, shape
        return replace(view, tensor=node.output, exclusive=True)


def compose(first: Activation, second: Activation) -> Activation:
    """The clamp that `first` then `second` is."""
    low, high = (-np.inf if second.low is None else second.low), (np.inf if second.high is None else second.high)
    before = (-np.inf if first.low is None else first.low, np.inf if first.high is None else first.high)
    return clamp(*(min(max(bound, low), high) for bound in before))


def clamp(low: float | None, high: float | None) -> Activation:
    """min(max(x, low), high) with None or infinity for unbounded; the upper bound wins when low > high, as in ONNX."""
    low = None if low is None or low == -np.inf else float(low)
    high = None if high is None or high == np.inf else float(high)
    if low is not None and high is not None:
        low = min(low, high)
    return Activation(low, high)


def _fresh(name: str, taken: Container[str]) -> str:
    fresh, count = name, 1
    while fresh in taken:
        fresh, count = f"{name}.{count}", count + 1
    return fresh


def _identity(view: View) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(view.sizes[1]), np.zeros(view.sizes[1])


def _moved(norm: BatchNorm | None, scale: np.ndarray, shift: np.ndarray) -> BatchNorm | None:
    return None if norm is None else BatchNorm(norm.gamma * np.abs(scale), norm.beta * scale + shift)

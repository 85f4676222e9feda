"""Controlled stress: networks whose function stays what it is while their weights become hard to quantize.

Two changes of a ReLU network, each with a strength k in octaves:

- `inverse_cle`: gains 2^U(0, k) on the channels between a convolution and a depthwise one (the inverse of cross-layer
  equalization, Nagel et al. 2019, 1906.04721). Both layers' weights then spread per output channel. (A dense reader's
  would spread along its inputs as well, which no scale per output channel can follow.) The int8 tensor in between
  spreads too, and it has one scale: so weight methods are told apart over the whole range of k where activations stay
  real (`quantized_weights`), and up to about k = 6 on the integer network.
- `silent_outliers`: one more channel in each wide layer, 2^k times larger than the rest and silenced by its bias, as
  dying ReLU channels are in trained networks. No activation changes, so it tells them apart on the integer network,
  until about k = 8, where the outlier's multiplier would reach 1 and the output scale has to be raised for it.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.files import make_whole
from quant.evaluation.evaluate import compare_scores, float_scores, scores
from quant.float_graph.graph import Activation, Conv, Graph, Pool
from quant.images.batches import Images
from quant.plan.plan import Plan
from quant.recipe import execute, make_plan, quantize, recipe_passes

RELU = Activation(0.0, None)
STRENGTHS = tuple(range(0, 19, 2))


def consumer(graph: Graph, conv: Conv) -> Conv | None:
    """The only convolution that reads the ReLU of `conv`, through poolings if any; None where a gain cannot pass."""
    if conv.activation != RELU:
        return None
    tensor = conv.output
    while tensor not in graph.outputs:
        readers = graph.consumers(tensor)
        if len(readers) != 1:
            return None
        reader = readers[0]
        if isinstance(reader, Conv):
            return reader
        if not isinstance(reader, Pool) or reader.activation not in (Activation(), RELU):
            return None
        tensor = reader.output
    return None


def inverse_cle(graph: Graph, strength: float, seed: int) -> Graph:
    """A copy with gains 2^U(0, strength) on the channels of every conv-ReLU-depthwise pair, equal in function."""
    graph, generator = copy.deepcopy(graph), np.random.default_rng([seed, int(100 * strength)])
    for node in graph.nodes:
        reader = consumer(graph, node) if isinstance(node, Conv) else None
        if reader is None or not reader.depthwise:
            continue
        assert isinstance(node, Conv)
        gain = 2.0 ** generator.uniform(0, strength, len(node.bias))
        node.weight, node.bias = node.weight * gain[:, None, None, None], node.bias * gain
        reader.weight = reader.weight / gain[:, None, None, None]
        if node.batch_norm is not None:
            node.batch_norm.gamma, node.batch_norm.beta = node.batch_norm.gamma * gain, node.batch_norm.beta * gain
    return graph


def silent_outliers(graph: Graph, strength: float) -> Graph:
    """A copy in which every dense-ReLU-depthwise-ReLU-dense chain carries one more channel, which is silent.

    Its weights are a copy of the layer's largest channel times 2^strength, its bias is so negative that the ReLU gives
    0 for every image that stays within 64 times the channel's own scale; the depthwise layer takes a 2^strength larger
    filter for it too, and the last layer reads it with weight 0. The first layer is left alone.
    """
    graph = copy.deepcopy(graph)
    for node in graph.nodes[1:]:
        middle = consumer(graph, node) if isinstance(node, Conv) and not node.depthwise else None
        last = consumer(graph, middle) if middle is not None and middle.depthwise else None
        if middle is None or last is None or last.depthwise or middle.output != last.input:
            continue
        assert isinstance(node, Conv)
        _widen(node, strength, silent=True)
        _widen(middle, strength, silent=False)
        last.weight = np.concatenate([last.weight, np.zeros_like(last.weight[:, :1])], axis=1)
        for tensor in (node.output, middle.output):
            channels, height, width = graph.shapes[tensor]
            graph.shapes[tensor] = (channels + 1, height, width)
    return graph


def _widen(conv: Conv, strength: float, *, silent: bool) -> None:
    largest = int(np.abs(conv.weight).max(axis=(1, 2, 3)).argmax())
    weight = conv.weight[largest : largest + 1] * 2.0**strength
    bias = -64 * float(np.abs(weight).sum()) if silent else 0.0
    conv.weight, conv.bias = np.concatenate([conv.weight, weight]), np.append(conv.bias, bias)
    conv.batch_norm = None


def quantized_weights(plan: Plan) -> Graph:
    """The plan's graph with every weight at its quantized value, activations and biases real."""
    graph = copy.deepcopy(plan.graph)
    kept = {operation.name: operation for operation in plan.operations if operation.kind == "conv"}
    for node in graph.nodes:
        if isinstance(node, Conv):
            codes = plan.codes[kept[node.name].name]
            node.weight = codes.real
    return graph


@dataclass(frozen=True)
class Curve:
    """Top-1 in percent of one method at each strength."""

    method: str
    top1: tuple[float, ...]


def curves(
    make: Callable[[float], Graph],
    calibration: np.ndarray,
    images: Images,
    labels: np.ndarray,
    *,
    recipes: Sequence[str],
    strengths: Sequence[float] = STRENGTHS,
    integers: bool = True,
) -> list[Curve]:
    """Top-1 of the float network and of every recipe on the networks make(k), k in strengths.

    integers: run the quantized network in integers; otherwise quantize only the weights and run onnxruntime.
    """
    found: dict[str, list[float]] = {name: [] for name in ("float", *recipes)}
    for strength in strengths:
        graph = make(strength)
        found["float"].append(compare_scores(float_scores(graph, images), labels).top1 or 0.0)
        for recipe in recipes:
            values = _scores(graph, calibration, images, recipe, integers)
            found[recipe].append(compare_scores(values, labels).top1 or 0.0)
    return [Curve(name, tuple(values)) for name, values in found.items()]


def _scores(graph: Graph, calibration: np.ndarray, images: Images, recipe: str, integers: bool) -> np.ndarray:
    how = images.preprocessing
    if integers:
        return scores(quantize(graph, calibration, recipe=recipe, preprocessing=how), images)
    plan = make_plan(graph, calibration, recipe=recipe, preprocessing=how)
    execute(plan, recipe_passes(recipe))
    return float_scores(quantized_weights(plan), images)


def plot(panels: dict[str, list[Curve]], strengths: Sequence[float], path: Path) -> None:
    """Save the panels side by side as an image; written to a temporary file, then renamed."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(5 * len(panels), 4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, lines) in zip(axes, panels.items(), strict=True):
        for line in lines:
            axis.plot(strengths, line.top1, marker="o", markersize=3, label=line.method)
        axis.set(title=title, xlabel="strength k (octaves)", ylim=(0, 100))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("top-1 (%)")
    axes[0].legend()
    make_whole(path, lambda temporary: figure.savefig(temporary, format=path.suffix[1:], dpi=120))

"""Zero the channels that provably do nothing, so that they do not set a layer's weight scale."""

import numpy as np

from golden.network import Preprocessing
from quant.float_graph.graph import Activation, Add, Conv, Graph, Node
from quant.plan.plan import Plan
from quant.weights.weights import SMALLEST_NORMAL

Interval = tuple[np.ndarray, np.ndarray]
UNBOUNDED = 1e100  # stands for infinity, so that 0 times it is 0


def zero_dead_channels(plan: Plan) -> None:
    """Zero (1) weights below the smallest normal float32, (2) weights that read a channel which is always 0, and
    (3) all weights of an output channel that its clamp holds constant, whose bias becomes that constant.

    Always means: for every image, by interval arithmetic from the pixel range 0..255 through the network. Only the
    float graph is read, no calibration image.
    """
    zeroed, layers = 0, 0
    bounds = {plan.graph.input: input_interval(plan.graph, plan.preprocessing)}
    for node in plan.graph.nodes:
        inputs = [bounds[name] for name in node.inputs]
        count = _zero_inputs(node, inputs[0]) if isinstance(node, Conv) else 0
        before = linear_interval(node, inputs)
        count += _zero_outputs(node, before) if isinstance(node, Conv) else 0
        zeroed, layers = zeroed + count, layers + (count > 0)
        bounds[node.output] = clamped(before, node.activation)
    if zeroed:
        plan.note(f"zero_dead_channels: {zeroed} input or output channels in {layers} layers")


def input_interval(graph: Graph, preprocessing: Preprocessing | None) -> Interval:
    """Bounds of the real input per channel (C,), from pixels 0..255; infinite without preprocessing."""
    channels = graph.shapes[graph.input][0]
    if preprocessing is None:
        return np.full(channels, -np.inf), np.full(channels, np.inf)
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    low, high = -mean / std, (255 / preprocessing.value_range - mean) / std
    return np.broadcast_to(low, channels).copy(), np.broadcast_to(high, channels).copy()


def linear_interval(node: Node, inputs: list[Interval]) -> Interval:
    """Bounds of a node's value before its clamp, per channel (C,)."""
    if isinstance(node, Conv):
        return _conv_interval(node, inputs[0])
    if isinstance(node, Add):
        return inputs[0][0] + inputs[1][0], inputs[0][1] + inputs[1][1]
    return _with_padding(node.padding, inputs[0])


def clamped(interval: Interval, activation: Activation) -> Interval:
    """The interval after the clamp."""
    floor = -np.inf if activation.low is None else activation.low
    ceiling = np.inf if activation.high is None else activation.high
    return np.clip(interval[0], floor, ceiling), np.clip(interval[1], floor, ceiling)


def _with_padding(padding: tuple[int, ...], interval: Interval) -> Interval:
    low, high = interval
    return (np.minimum(low, 0), np.maximum(high, 0)) if any(padding) else (low, high)


def _conv_interval(conv: Conv, interval: Interval) -> Interval:
    low, high = (np.clip(end, -UNBOUNDED, UNBOUNDED) for end in _with_padding(conv.padding, interval))
    positive = np.maximum(conv.weight, 0).sum(axis=(2, 3))
    negative = np.minimum(conv.weight, 0).sum(axis=(2, 3))
    if conv.depthwise:
        positive, negative = positive[:, 0], negative[:, 0]
        return positive * low + negative * high + conv.bias, positive * high + negative * low + conv.bias
    return positive @ low + negative @ high + conv.bias, positive @ high + negative @ low + conv.bias


def _zero_inputs(conv: Conv, interval: Interval) -> int:
    """Rules 1 and 2; returns the number of input channels that are always 0 and were still read."""
    conv.weight = np.where(np.abs(conv.weight) < SMALLEST_NORMAL, 0.0, conv.weight)
    zero = (interval[0] == 0) & (interval[1] == 0)
    axis = 0 if conv.depthwise else 1
    read = np.abs(conv.weight).max(axis=tuple(a for a in range(4) if a != axis)) > 0
    weight = np.moveaxis(conv.weight.copy(), axis, 0)
    weight[zero] = 0.0
    conv.weight = np.moveaxis(weight, 0, axis)
    return int(np.count_nonzero(zero & read))


def _zero_outputs(conv: Conv, before: Interval) -> int:
    """Rule 3; returns the number of output channels newly zeroed."""
    if conv.activation == Activation():
        return 0
    low, high = conv.activation.low, conv.activation.high
    at_low = np.zeros(len(conv.bias), bool) if low is None else before[1] <= low
    at_high = np.zeros(len(conv.bias), bool) if high is None else before[0] >= high
    alive = np.abs(conv.weight).max(axis=(1, 2, 3)) > 0
    conv.weight = np.where((at_low | at_high)[:, None, None, None], 0.0, conv.weight)
    conv.bias = np.where(at_low, low or 0.0, np.where(at_high, high or 0.0, conv.bias))
    return int(np.count_nonzero((at_low | at_high) & alive))

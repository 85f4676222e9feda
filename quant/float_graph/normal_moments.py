"""Mean and variance of a clamped normal variable, and what BatchNormalization tells about every tensor's mean.

A BatchNormalization's output is taken as N(beta, gamma^2) per channel (Nagel et al. 2019, 1906.04721, appendix C).
"""

import math

import numpy as np

from quant.float_graph.graph import Activation, Add, Conv, Graph, Node, Pool

Moments = tuple[np.ndarray, np.ndarray]  # mean and variance per channel, float64 (C,)
_erf = np.vectorize(math.erf, otypes=[np.float64])


def clamped_normal(mean: np.ndarray, deviation: np.ndarray, activation: Activation) -> Moments:
    """Moments of min(max(X, low), high), X ~ N(mean, deviation^2); mean and deviation >= 0 float64 (C,).

    ReLU's mean is the known deviation phi(-mean/deviation) + mean (1 - Phi(-mean/deviation)).
    """
    low = -np.inf if activation.low is None else activation.low
    high = np.inf if activation.high is None else activation.high
    safe = np.where(deviation > 0, deviation, 1.0)
    a, b = (low - mean) / safe, (high - mean) / safe
    below, above = _distribution(a), _distribution(-b)
    inside = 1 - below - above
    # moments of the standard normal between a and b: of Z, and of Z squared
    first = _density(a) - _density(b)
    second = inside + _times(a) - _times(b)
    ends = _end(low, below) + _end(high, above)
    clamped = mean * inside + safe * first + ends
    square = mean**2 * inside + 2 * mean * safe * first + safe**2 * second
    square = square + _end(low, below, 2) + _end(high, above, 2)
    fixed = np.clip(mean, low, high)
    return (
        np.where(deviation > 0, clamped, fixed),
        np.where(deviation > 0, np.maximum(square - clamped**2, 0.0), 0.0),
    )


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def _times(z: np.ndarray) -> np.ndarray:
    """z phi(z), 0 at infinity."""
    return np.where(np.isfinite(z), z, 0.0) * _density(z)


def _distribution(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + _erf(z / math.sqrt(2)))


def _end(bound: float, share: np.ndarray, power: int = 1) -> np.ndarray:
    return bound**power * share if math.isfinite(bound) else np.zeros_like(share)


def tensor_moments(graph: Graph) -> dict[str, Moments]:
    """Moments of every tensor whose distribution BatchNormalization tells, after its clamp; others are left out."""
    before = moments_before_clamp(graph)
    clamps = {node.output: node.activation for node in graph.nodes}
    return {name: _clamped(moments, clamps[name]) for name, moments in before.items()}


def moments_before_clamp(graph: Graph) -> dict[str, Moments]:
    """Moments before the clamp; a tensor is taken as a normal variable per channel, its parts as independent.

    A convolution without BatchNormalization and an addition take theirs from their inputs where those are known.
    Poolings keep the moments of their input, whose variance is an upper bound. Padding is not looked at.
    """
    before: dict[str, Moments] = {}
    after: dict[str, Moments] = {}
    for node in graph.nodes:
        if isinstance(node, Conv) and node.batch_norm is not None:
            before[node.output] = node.batch_norm.beta, node.batch_norm.gamma**2
        elif all(name in after for name in node.inputs):
            before[node.output] = _propagated(node, [after[name] for name in node.inputs])
        else:
            continue
        after[node.output] = _clamped(before[node.output], node.activation)
    return before


def _clamped(moments: Moments, activation: Activation) -> Moments:
    return clamped_normal(moments[0], np.sqrt(moments[1]), activation)


def _propagated(node: Node, inputs: list[Moments]) -> Moments:
    mean, variance = inputs[0]
    if isinstance(node, Add):
        return mean + inputs[1][0], variance + inputs[1][1]
    if isinstance(node, Pool):
        return mean, variance
    sums, squares = node.weight.sum(axis=(2, 3)), np.square(node.weight).sum(axis=(2, 3))
    if node.depthwise:
        return sums[:, 0] * mean + node.bias, squares[:, 0] * variance
    return sums @ mean + node.bias, squares @ variance

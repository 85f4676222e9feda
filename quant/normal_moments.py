"""Mean and variance of a clamped normal variable, and what BatchNormalization tells about every tensor's mean.

A BatchNormalization's output is taken as N(beta, gamma^2) per channel (Nagel et al. 2019, 1906.04721, appendix C).
"""

import math

import numpy as np

from quant.graph import Activation, Add, Conv, Graph

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
    """Moments of every tensor whose distribution BatchNormalization tells; others are left out.

    Poolings keep the mean of their input (their variance is an upper bound); additions without a clamp add means and,
    taking operands as independent, variances. Padding is not looked at.
    """
    found: dict[str, Moments] = {}
    for node in graph.nodes:
        if isinstance(node, Conv):
            if node.batch_norm is not None:
                norm = node.batch_norm
                found[node.output] = clamped_normal(norm.beta, np.abs(norm.gamma), node.activation)
        elif all(name in found for name in node.inputs):
            mean, variance = (sum(found[name][i] for name in node.inputs) for i in (0, 1))
            if isinstance(node, Add):
                mean, variance = clamped_normal(mean, np.sqrt(variance), node.activation)
            found[node.output] = mean, variance
    return found

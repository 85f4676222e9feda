"""Analytic bias correction (Nagel et al. 2019, 1906.04721): no image is needed, BatchNormalization tells the means."""

import numpy as np

from quant.float_graph.normal_moments import tensor_moments
from quant.plan.operations import Operation
from quant.plan.plan import Plan


def analytic_bias_correction(plan: Plan) -> None:
    """b -= dW E[x] for every convolution whose input's mean is known; the others are counted in the log."""
    plan.corrections.clear()
    moments, unknown = tensor_moments(plan.graph), 0
    for operation in plan.operations:
        if operation.kind != "conv":
            continue
        if operation.input not in moments:
            unknown += 1
            continue
        plan.corrections[operation.name] = -rounding_error_mean(plan, operation, moments[operation.input][0])
    plan.note(f"analytic_bias_correction: {len(plan.corrections)} layers, {unknown} with an input of unknown mean")


def rounding_error_mean(plan: Plan, operation: Operation, mean: np.ndarray) -> np.ndarray:
    """(W_q - W) E[x] per output channel, float64 (O,); mean: E[x] (I,). Borders count like the inside."""
    weights = plan.codes[operation.name]
    error = (weights.real - operation.weight).sum(axis=(2, 3))
    return error[:, 0] * mean if operation.depthwise else error @ mean

"""Weight rounding: from real weights and chosen scales to integer codes."""

from dataclasses import replace

import numpy as np

from quant.operations import Operation
from quant.plan import Plan, Rounding
from quant.sum_rounding import sum_rounded
from quant.weights import WeightCodes, recode


def round_weights(plan: Plan) -> None:
    """Nearest codes, halves to even, clipped to the grid."""
    _round(plan, lambda operation, weights: recode(operation.weight, weights))


def round_weights_keeping_sums(plan: Plan) -> None:
    """Codes whose rounding errors cancel in every kernel and output channel (quant.sum_rounding)."""
    _round(plan, keeping_sums)


def keeping_sums(operation: Operation, weights: WeightCodes) -> WeightCodes:
    """The same scales and shifts with such codes; weights beyond the grid are clipped first."""
    step, limit = 1 << (8 - weights.bits), (1 << (weights.bits - 1)) - 1
    steps = operation.weight / (weights.real_scale.reshape(-1, 1, 1, 1) * step)
    codes = (sum_rounded(np.clip(steps, -limit - 0.5, limit + 0.5), limit) * step).astype(np.int8)
    return replace(weights, codes=codes)


def _round(plan: Plan, rounding: Rounding) -> None:
    plan.rounding = rounding
    for operation in plan.operations:
        plan.codes[operation.name] = rounding(operation, plan.codes[operation.name])

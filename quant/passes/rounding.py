"""Weight rounding: from real weights and chosen scales to integer codes."""

from dataclasses import replace

import numpy as np

from golden.sub_layer import block_width
from quant.plan.operations import Operation
from quant.plan.plan import Plan, Rounding
from quant.weights.sum_rounding import sum_rounded
from quant.weights.weights import WeightCodes, recode


def round_weights(plan: Plan) -> None:
    """Nearest codes, halves to even, clipped to the grid."""
    _round(plan, lambda operation, weights: recode(operation.weight, weights))


def round_weights_keeping_sums(plan: Plan) -> None:
    """Codes whose rounding errors cancel in every kernel and output channel (quant.weights.sum_rounding)."""
    _round(plan, keeping_sums)


def keeping_sums(operation: Operation, weights: WeightCodes) -> WeightCodes:
    """The same scales and shifts with such codes; weights beyond the grid are clipped first."""
    step, limit = 1 << (8 - weights.bits), (1 << (weights.bits - 1)) - 1
    steps = np.clip(operation.weight / (weights.unit * step), -limit - 0.5, limit + 0.5)
    blocks = [sum_rounded(block, limit) for block in _blocks(steps, weights)]  # within a block all steps are equal
    return replace(weights, codes=(np.concatenate(blocks, axis=1) * step).astype(np.int8))


def _blocks(values: np.ndarray, weights: WeightCodes) -> list[np.ndarray]:
    """The slices of input channels that have a scale of their own in every output channel."""
    if weights.block_shift is None:
        return [values]
    width = block_width(values.shape[1], weights.block_shift.shape[1])
    return np.split(values, range(width, values.shape[1], width), axis=1)


def _round(plan: Plan, rounding: Rounding) -> None:
    plan.rounding = rounding
    for operation in plan.operations:
        plan.codes[operation.name] = rounding(operation, plan.codes[operation.name])

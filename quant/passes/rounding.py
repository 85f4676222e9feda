"""Weight rounding: from real weights and chosen scales to integer codes."""

from dataclasses import replace

import numpy as np

from quant.plan import Plan
from quant.sum_rounding import sum_rounded
from quant.weights import recode


def round_weights(plan: Plan) -> None:
    """Nearest codes, halves to even, clipped to the grid."""
    for operation in plan.operations:
        plan.codes[operation.name] = recode(operation.weight, plan.codes[operation.name])


def round_weights_keeping_sums(plan: Plan) -> None:
    """Codes whose rounding errors cancel in every kernel and output channel (quant.sum_rounding)."""
    for operation in plan.operations:
        weights = plan.codes[operation.name]
        step, limit = 1 << (8 - weights.bits), (1 << (weights.bits - 1)) - 1
        steps = operation.weight / (weights.real_scale.reshape(-1, 1, 1, 1) * step)
        codes = (sum_rounded(steps, limit) * step).astype(np.int8)
        plan.codes[operation.name] = replace(weights, codes=codes)

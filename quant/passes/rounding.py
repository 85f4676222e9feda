"""Weight rounding: from real weights and chosen scales to integer codes."""

from quant.plan import Plan
from quant.weights import recode


def round_weights(plan: Plan) -> None:
    """Nearest codes, halves to even, clipped to the grid."""
    for operation in plan.operations:
        plan.codes[operation.name] = recode(operation.weight, plan.codes[operation.name])

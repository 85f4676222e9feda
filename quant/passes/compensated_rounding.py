"""Error-compensated rounding: what a code is off is made up for by the weights that are still to be rounded."""

from dataclasses import replace

import numpy as np

from golden.errors import WesnpuError
from quant.calibration_run import IntegerCalibration
from quant.compensation import compensated
from quant.input_moments import input_moments
from quant.passes.bias_correction import correct_bias
from quant.plan import Plan

FULL_BITS = 8  # of weights, at which rounding that needs no image does


def compensated_rounding(plan: Plan) -> None:
    """Codes of every convolution from the second moments of its integer input on the calibration images.

    Layer by layer in order, so that each layer sees what the rounded layers before it compute. Scales and shifts stay
    as they are and nothing leaves the grid. Where bias correction follows (plan.wants_means), which removes the mean of
    the error anyway, the moments are about the mean, and each layer's bias is corrected before the next layer sees
    its output: at 4 bits uncorrected means drift so far that the moments would be those of another network.
    """
    plan.corrections.clear()
    runner = IntegerCalibration(plan)
    for done, operation in enumerate(plan.operations, 1):
        if operation.kind == "conv":
            weights = plan.codes[operation.name]
            moments = input_moments(
                runner.live[operation.input], plan.scales[operation.input].zero_point, operation, plan.wants_means
            )
            step, limit = 1 << (8 - weights.bits), (1 << (weights.bits - 1)) - 1
            values = (operation.weight / (weights.unit * step)).reshape(len(operation.weight), -1)
            if not np.isfinite(moments).all():
                raise WesnpuError(f"layer {operation.name!r}: its calibration input is not finite")
            codes = (compensated(values, moments, limit) * step).astype(np.int8).reshape(operation.weight.shape)
            plan.codes[operation.name] = replace(weights, codes=codes)
        if plan.wants_means:
            correct_bias(plan, operation, runner)
        runner.advance(operation)
        plan.report("error-compensated rounding", done)


def compensated_rounding_below_8_bits(plan: Plan) -> None:
    """`compensated_rounding` where weights have fewer than 8 bits; with 8 the codes stay, and the log says which."""
    bits, few = plan.options.weight_bits, plan.options.weight_bits < FULL_BITS
    plan.note(f"rounding: {bits} bits, {'errors are compensated' if few else 'sums are kept'}")
    if few:
        compensated_rounding(plan)

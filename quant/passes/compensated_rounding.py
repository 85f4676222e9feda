"""Error-compensated rounding: what a code is off is made up for by the weights that are still to be rounded."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from golden.errors import WesnpuError
from quant.calibration.calibration_run import IntegerCalibration
from quant.calibration.input_moments import shrunk_moments
from quant.passes.bias_correction import correct_bias
from quant.passes.weight_scales import HEADROOM, SMALLEST_MULTIPLIER
from quant.plan.operations import Operation
from quant.plan.plan import Plan
from quant.weights.compensation import compensated, output_errors
from quant.weights.finer_steps import picked, trials
from quant.weights.signal_gain import unit_gain
from quant.weights.weights import WeightCodes, accumulator_excess

FULL_BITS = 8  # of weights, at which rounding that needs no image does
MULTIPLIER_BELOW = 1 - 2.0**-20  # m < 1, with a margin for the float product
Round = Callable[[Plan, Operation, np.ndarray], WeightCodes]  # with the moments of what the layer reads


def compensated_rounding(plan: Plan) -> None:
    """Codes of every convolution from the second moments of its integer input on the calibration images.

    Layer by layer in order, so that each layer sees what the rounded layers before it compute. Scales and shifts stay
    as they are and nothing leaves the grid. Where bias correction follows (plan.wants_means), which removes the mean of
    the error anyway, the moments are about the mean, and each layer's bias is corrected before the next layer sees
    its output: at 4 bits uncorrected means drift so far that the moments would be those of another network.
    """
    _each_layer(plan, with_its_steps)


def compensated_rounding_finer_steps(plan: Plan) -> None:
    """The same, and each channel takes that step of `finer_steps` whose rounded output has the least error.

    A finer step clips the channel's largest weights, which the others answer. What is clipped makes outputs smaller
    more often than larger, and such gains multiply from layer to layer, so the layer's scale is set anew for a gain
    of 1 (`quant.weights.signal_gain`).
    """
    _each_layer(plan, with_finer_steps)


def compensated_rounding_below_8_bits(plan: Plan) -> None:
    """The latter where weights have fewer than 8 bits; with 8 the codes stay, and the log says which."""
    bits, few = plan.options.weight_bits, plan.options.weight_bits < FULL_BITS
    plan.note(f"rounding: {bits} bits, {'errors are compensated' if few else 'sums are kept'}")
    if few:
        compensated_rounding_finer_steps(plan)


def _each_layer(plan: Plan, rounding: Round) -> None:
    plan.corrections.clear()
    runner = IntegerCalibration(plan)
    for done, operation in enumerate(plan.operations, 1):
        if operation.kind == "conv":
            zero_point = plan.scales[operation.input].zero_point
            moments = shrunk_moments(runner.live[operation.input], zero_point, operation, plan.wants_means)
            if not np.isfinite(moments).all():
                raise WesnpuError(f"layer {operation.name!r}: its calibration input is not finite")
            plan.codes[operation.name] = rounding(plan, operation, moments)
        if plan.wants_means:
            correct_bias(plan, operation, runner)
        runner.advance(operation)
        plan.report("error-compensated rounding", done)


def with_its_steps(plan: Plan, operation: Operation, moments: np.ndarray) -> WeightCodes:
    """The operation's scales and shifts with compensated codes."""
    return _rounded(operation, [plan.codes[operation.name]], moments)[0][0]


def with_finer_steps(plan: Plan, operation: Operation, moments: np.ndarray) -> WeightCodes:
    """Each channel with the step of least error, the layer (channels with a scale of their own: each) with gain 1.

    Where a multiplier would leave its range with that gain, the scale stays.
    """
    weights = plan.codes[operation.name]
    largest = plan.shift_limits.get(operation.name, np.full(len(weights.shift), plan.largest_shift))
    options, errors = _rounded(operation, trials(weights, largest), moments)
    for option, error in zip(options[1:], errors[1:], strict=True):
        error[_excess(plan, operation, option)] = np.inf
    chosen = picked(options, np.argmin(errors, axis=0))
    scaled = unit_gain(chosen, operation.weight, moments)
    return scaled if _has_multiplier(plan, operation, scaled) else chosen


def _rounded(
    operation: Operation, options: list[WeightCodes], moments: np.ndarray
) -> tuple[list[WeightCodes], np.ndarray]:
    """The options with their codes, and the error of each channel's output, float64 (options, O)."""
    bits, shape = options[0].bits, operation.weight.shape
    step, limit = 1 << (8 - bits), (1 << (bits - 1)) - 1
    units = [option.unit * step for option in options]
    values = np.stack([(operation.weight / unit).reshape(shape[0], -1) for unit in units])
    codes = compensated(values, moments, limit)
    made = [
        replace(option, codes=(own * step).astype(np.int8).reshape(shape))
        for option, own in zip(options, codes, strict=True)
    ]
    scales = np.stack([unit.reshape(shape[0], -1)[:, 0] for unit in units])
    return made, output_errors(values, codes, moments) * np.square(scales)


def _has_multiplier(plan: Plan, operation: Operation, weights: WeightCodes) -> bool:
    """Whether m = s_x s_w / s_y of the layer is in the shift scaler's range, m_c of every channel below 1."""
    ratio = plan.scales[operation.input].scale / plan.scales[operation.output].scale
    if weights.channel_scale is not None:
        return bool((ratio * weights.channel_scale).max() < MULTIPLIER_BELOW)
    return SMALLEST_MULTIPLIER <= ratio * weights.scale < MULTIPLIER_BELOW


def _excess(plan: Plan, operation: Operation, weights: WeightCodes) -> np.ndarray:
    """Channels whose accumulator might leave int32 with these weights, bool (O,)."""
    source, codes = plan.scales[operation.input], plan.code_range(operation.input)
    return accumulator_excess(weights, plan.bias(operation), source.scale, source.zero_point, codes, HEADROOM)

"""Weight scales: layer-wise, channel-wise, and the weight equalizing shift (WES, arXiv 2008.05767)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from golden.errors import WesnpuError
from quant.plan.operations import FIXED_CODE, Operation
from quant.plan.plan import Plan
from quant.weights.phase_search import best_phase
from quant.weights.weights import (
    WeightCodes,
    accumulator_excess,
    channel_ranges,
    equalizing_shifts,
    half_steps,
    largest_code,
    layer_scale,
    recode,
    rounded,
    saturated_channels,
)

HEADROOM = 2  # left in int32 for the bias correction that follows
HALF_STEP_LARGEST_SHIFT = 7  # a 3-bit shift beside the half-step bit
SMALLEST_MULTIPLIER = 2.0**-17  # m with M = 2^15 and e = 16


def layerwise_scales(plan: Plan) -> None:
    """One scale per layer, all n_c = 0."""
    each_convolution(plan, lambda operation, ranges: (_plain_scale(plan, ranges), np.zeros(len(ranges), np.uint8)))


def wes_scales(plan: Plan) -> None:
    """One scale per layer and n_c = floor(log2(max_c r_c / r_c)), lowered where the bias needs it.

    n_c is in 0..15, or what a narrow shift field holds (plan.largest_shift).
    """
    largest = plan.largest_shift
    each_convolution(plan, lambda operation, ranges: (_plain_scale(plan, ranges), equalizing_shifts(ranges, largest)))
    _note_saturated(plan)


def wes_half_scales(plan: Plan) -> None:
    """WES with a 3-bit shift and in the fourth bit half a step more: the factor 3/4 where it does not clip (Eq. 3h)."""
    plan.largest_shift = HALF_STEP_LARGEST_SHIFT
    wes_scales(plan)
    for operation in plan.operations:
        if operation.kind == "conv" and (ranges := channel_ranges(operation.weight)).any():
            weights = plan.codes[operation.name]
            finer = replace(weights, half_step=half_steps(ranges, weights.shift))
            plan.codes[operation.name] = recode(operation.weight, finer)
            fit_bias(plan, operation, HEADROOM)


def wes_phase_scales(plan: Plan) -> None:
    """WES with the layer scale chosen within its octave (quant.weights.phase_search), lowered likewise."""
    each_convolution(plan, lambda operation, ranges: best_phase(operation.weight, plan.options.weight_bits))
    _note_saturated(plan)


def _note_saturated(plan: Plan) -> None:
    for operation in plan.operations:
        count = saturated_channels(channel_ranges(operation.weight), plan.largest_shift)
        if count and operation.kind == "conv":
            plan.note(f"wes_scales: {operation.name}: {count} channels saturate at shift {plan.largest_shift}")


def channelwise_scales(plan: Plan) -> None:
    """One float scale per output channel, which needs a multiplier per channel: the baseline, not the engine's."""
    for operation in plan.operations:
        ranges, bits = checked_ranges(operation), plan.options.weight_bits
        if operation.kind != "conv":
            fixed_code(plan, operation)
            continue
        fallback = dead_scale(plan, operation)
        scale = np.where(ranges > 0, ranges / largest_code(bits), fallback)
        codes = rounded(operation.weight, scale, bits)
        plan.codes[operation.name] = WeightCodes(codes, 1.0, np.zeros(len(ranges), np.uint8), scale, bits)
        fit_bias(plan, operation, HEADROOM)


def _plain_scale(plan: Plan, ranges: np.ndarray) -> float:
    return layer_scale(float(ranges.max()), plan.options.weight_bits)


def each_convolution(plan: Plan, choose: Callable[[Operation, np.ndarray], tuple[float, np.ndarray]]) -> None:
    """choose: layer scale and shifts of a convolution that is not all zero, from its channels' ranges."""
    for operation in plan.operations:
        if operation.kind != "conv":
            fixed_code(plan, operation)
            continue
        ranges, bits = checked_ranges(operation), plan.options.weight_bits
        scale, shift = dead_scale(plan, operation), np.zeros(len(ranges), np.uint8)
        if ranges.any():
            scale, shift = choose(operation, ranges)
        shift = limited(plan, operation, shift)
        weights = WeightCodes(np.zeros(operation.weight.shape, np.int8), scale, shift, None, bits)
        plan.codes[operation.name] = recode(operation.weight, weights)
        fit_exponent(plan, operation)
        fit_bias(plan, operation, HEADROOM)


def checked_ranges(operation: Operation) -> np.ndarray:
    """max|W_c| per output channel, float64 (O,); WesnpuError for weights or biases that are no finite numbers."""
    for what, values in (("weight", operation.weight), ("bias", operation.bias)):
        if values.size == 0 or not np.isfinite(values).all():
            raise WesnpuError(f"layer {operation.name!r}: {what} is empty, NaN or infinite: must be finite numbers")
    return channel_ranges(operation.weight)


def limited(plan: Plan, operation: Operation, shift: np.ndarray) -> np.ndarray:
    """The shifts, lowered to what an earlier round of the re-check allows."""
    limit = plan.shift_limits.get(operation.name)
    shift = np.minimum(shift, plan.largest_shift)
    return (shift if limit is None else np.minimum(shift, limit)).astype(np.uint8)


def dead_scale(plan: Plan, operation: Operation) -> float:
    """Scale of weights that are all zero: m = 2^-8, fine enough for the bias that is left."""
    return plan.scales[operation.output].scale / plan.scales[operation.input].scale * 2.0**-8


def fixed_code(plan: Plan, operation: Operation) -> None:
    """Poolings and identities: code 64 for their one weight value, less where m would be too small."""
    scale = float(operation.weight.flat[0]) / FIXED_CODE
    shift = np.zeros(operation.weight.shape[0], np.uint8)
    weights = WeightCodes(np.zeros(operation.weight.shape, np.int8), scale, shift, None, plan.options.weight_bits)
    plan.codes[operation.name] = recode(operation.weight, weights)
    fit_exponent(plan, operation)


def of_group(channels: np.ndarray, group: int) -> np.ndarray:
    """Whether any channel of each one's group is marked, bool (O,)."""
    return np.repeat(np.add.reduceat(channels, np.arange(0, len(channels), group)) > 0, group)[: len(channels)]


def fit_exponent(plan: Plan, operation: Operation) -> None:
    """Scale s_w up by powers of two until e <= 16, and say so; equalized channels shift as much more."""
    weights = plan.codes[operation.name]
    multiplier = plan.scales[operation.input].scale * weights.scale / plan.scales[operation.output].scale
    doublings = 0
    while multiplier * 2.0**doublings < SMALLEST_MULTIPLIER:
        doublings += 1
    if not doublings:
        return
    weights.scale *= 2.0**doublings
    if weights.shift.any():
        weights.shift = np.minimum(weights.shift + doublings, plan.largest_shift).astype(np.uint8)
    plan.codes[operation.name] = recode(operation.weight, weights)
    plan.note(f"fit_exponent: {operation.name}: weight scale doubled {doublings} times so that e = 16")


def fit_bias(plan: Plan, operation: Operation, headroom: int) -> int:
    """Lower n_c (or raise a scale where n_c is 0) until bias and products fit int32; returns the channels changed."""
    source, codes = plan.scales[operation.input], plan.code_range(operation.input)
    changed = np.zeros(operation.weight.shape[0], bool)
    while True:
        weights = plan.codes[operation.name]
        excess = accumulator_excess(
            weights, plan.bias(operation), source.scale, source.zero_point, codes, headroom
        )
        if not excess.any():
            break
        excess = of_group(excess, weights.group)
        changed |= excess
        plan.codes[operation.name] = recode(operation.weight, _coarser(weights, excess, plan.largest_shift))
    if changed.any():
        plan.note(f"fit_bias: {operation.name}: shift lowered on {np.count_nonzero(changed)} channels for their bias")
    return int(np.count_nonzero(changed))


def _coarser(weights: WeightCodes, channels: np.ndarray, largest_shift: int) -> WeightCodes:
    """Less resolution on those channels: no half step, else one shift less, else twice the layer's scale.

    Other channels keep their real scale where their shift can grow.
    """
    if weights.channel_scale is not None:
        return replace(weights, channel_scale=np.where(channels, 2 * weights.channel_scale, weights.channel_scale))
    if weights.half_step is not None and weights.half_step[channels].any():
        return replace(weights, half_step=np.where(channels, 0, weights.half_step).astype(np.uint8))
    block_shift = weights.block_shift
    if block_shift is not None:  # coarser blocks keep their scale
        block_shift = np.where(channels[:, None] & (block_shift > 0), block_shift - 1, block_shift).astype(np.uint8)
    if (weights.shift[channels] > 0).all():
        return replace(weights, shift=weights.shift - channels, block_shift=block_shift)
    shift = np.where(channels, weights.shift, np.minimum(weights.shift + 1, largest_shift)).astype(np.uint8)
    return replace(weights, scale=2 * weights.scale, shift=shift, block_shift=block_shift)

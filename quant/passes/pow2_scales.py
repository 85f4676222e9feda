"""Power-of-two scales for weights and activations: every multiplier is 2^15, so a requantizer needs only its shifts."""

import math

import numpy as np

from quant.passes.weight_scales import each_convolution, fit_exponent
from quant.plan.operations import FIXED_CODE, Operation
from quant.plan.plan import Plan
from quant.weights.msqe import msqe_exponent, weighted_error
from quant.weights.power_of_two import ceil_exponent, scale_of_exponent
from quant.weights.weights import WeightCodes, largest_code, recode


def pow2_activation_scales(plan: Plan) -> None:
    """Round every activation scale up to a power of two, so nothing is clipped that was not before.

    Follows the ties: a larger scale never becomes the smaller one, and what the re-check raises is rounded up again.
    """
    for name, scale in plan.scales.items():
        exponent = ceil_exponent(scale.scale)
        if math.ldexp(1.0, exponent) != scale.scale:
            plan.scales[name] = scale_of_exponent(exponent, scale.low, scale.high, scale.top)


def pow2_scales(plan: Plan) -> None:
    """s_w = 2^k, k the smallest with max|W| <= 2^k q, q the largest code; all n_c = 0."""
    bits = plan.options.weight_bits
    each_convolution(plan, lambda operation, ranges: (_up(ranges.max(), bits), np.zeros(len(ranges), np.uint8)))
    _poolings(plan)


def pow2_channel_scales(plan: Plan) -> None:
    """A power of two per output channel: 2^k_c chosen like s_w, as shifts n_c = k - k_c of the layer scale 2^k.

    k is the largest of the k_c; n_c at most 15, and lowered where the bias needs it.
    """
    each_convolution(plan, lambda operation, ranges: channel_exponents(ranges, plan.options.weight_bits))
    _poolings(plan)


def pow2_msqe_scales(plan: Plan) -> None:
    """s_w = 2^k of least squared error over the layer's inliers (msqe_scale), which may clip; all n_c = 0."""
    bits = plan.options.weight_bits

    def choose(operation: Operation, ranges: np.ndarray) -> tuple[float, np.ndarray]:
        return msqe_scale(operation.weight.ravel(), bits), np.zeros(len(ranges), np.uint8)

    each_convolution(plan, choose)
    _poolings(plan)


def pow2_msqe_channel_scales(plan: Plan) -> None:
    """2^k_c of least squared error over each output channel's inliers, as shifts n_c of the largest, at most 15."""
    bits = plan.options.weight_bits

    def choose(operation: Operation, ranges: np.ndarray) -> tuple[float, np.ndarray]:
        own = [msqe_scale(channel.ravel(), bits) for channel in operation.weight[ranges > 0]]
        shift = np.zeros(len(ranges), np.uint8)
        shift[ranges > 0] = np.minimum(np.log2(max(own) / np.array(own)), 15)
        return max(own), shift

    each_convolution(plan, choose)
    _poolings(plan)


def msqe_scale(row: np.ndarray, bits: int) -> float:
    """Real value of the left-aligned code 1 at the scale of `quant.weights.msqe.msqe_exponent`.

    The smallest that clips nothing where all weights, outliers too, have a larger squared error with the former.
    """
    limit = (1 << (bits - 1)) - 1
    found, whole = msqe_exponent(row, limit), ceil_exponent(float(np.abs(row).max()) / limit)
    if weighted_error(row, limit, found) > weighted_error(row, limit, whole):
        found = whole
    return math.ldexp(1.0, found - (8 - bits))


def channel_exponents(ranges: np.ndarray, bits: int) -> tuple[float, np.ndarray]:
    """(2^k, n_c uint8 (O,)) from max|W_c|; n_c = 0 for dead channels."""
    scale = _up(ranges.max(), bits)
    own = np.array([_up(value, bits) if value > 0 else scale for value in ranges])
    return scale, np.clip(np.log2(scale / own), 0, 15).astype(np.uint8)


def _up(largest: float, bits: int) -> float:
    return math.ldexp(1.0, ceil_exponent(float(largest) / largest_code(bits)))


def _poolings(plan: Plan) -> None:
    """Poolings and additions: one code of 64..127 at 2^k for their weight; with 8 bits, as they store no weights.

    The code is 64 for windows of 2^n values. Otherwise the average is off by the code's rounding, at most 0.8 %.
    """
    for operation in plan.operations:
        if operation.kind != "conv":
            scale = math.ldexp(1.0, math.frexp(float(operation.weight.flat[0]) / FIXED_CODE)[1] - 1)
            shift = np.zeros(operation.weight.shape[0], np.uint8)
            weights = WeightCodes(np.zeros(operation.weight.shape, np.int8), scale, shift, None, 8)
            plan.codes[operation.name] = recode(operation.weight, weights)
            fit_exponent(plan, operation)
            _note_rounding(plan, operation)


def _note_rounding(plan: Plan, operation: Operation) -> None:
    weights = plan.codes[operation.name]
    error = float(weights.codes.flat[0]) * weights.scale / float(operation.weight.flat[0]) - 1
    if error:
        plan.note(f"pow2_scales: {operation.name}: the weight of its average is off by {100 * error:+.2f} %")

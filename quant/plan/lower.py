"""Lowering: learned scales, shifts and codes to the integer layers that golden runs."""

from typing import Any

import numpy as np

from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network, Residual, Tensor
from golden.requantize import INT32_MAX, INT32_MIN, Requantizer, ShiftScaler
from quant.plan.multiplier import channel_multipliers, layer_multiplier, residual_multiplier
from quant.plan.operations import Operation
from quant.plan.plan import Plan, clamp_codes


def lower_layer(plan: Plan, operation: Operation) -> ConvLayer:
    """One operation as an integer layer. WesnpuError names the layer: m >= 1, s_u > s_y or a bias outside int32."""
    weights, target = plan.codes[operation.name], plan.scales[operation.output]
    bias = integer_bias(plan, operation)
    lo, hi = clamp_codes(operation, target)
    residual = None
    if operation.residual is not None:
        theirs = plan.scales[operation.residual].scale
        residual = Residual(operation.residual, residual_multiplier(theirs, target.scale, operation.name))
    return ConvLayer(
        operation.name, operation.input, operation.output, operation.depthwise, weights.codes, bias, operation.stride,
        operation.padding, _requantizer(plan, operation, bias), lo, hi, residual, weights.bits,
        weights.block_shift,
    )


def integer_bias(plan: Plan, operation: Operation) -> np.ndarray:
    """b_c int32 (O,): the real bias in units of s_x s_w 2^-n_c, half to even, less z_x times the sum of the weights."""
    weights, source = plan.codes[operation.name], plan.scales[operation.input]
    unit = source.scale * weights.real_scale
    sums = weights.accumulator_codes.reshape(len(unit), -1).sum(axis=1, dtype=np.int64)
    bias = np.rint(plan.bias(operation) / unit) - source.zero_point * sums
    bad = np.flatnonzero((bias < INT32_MIN) | (bias > INT32_MAX))
    if bad.size:
        raise WesnpuError(f"layer {operation.name!r}: bias of channel {bad[0]} is {bias[bad[0]]:.4g}: must fit int32")
    return bias.astype(np.int32)


def _requantizer(plan: Plan, operation: Operation, bias: np.ndarray) -> Requantizer:
    weights, guard_bits = plan.codes[operation.name], plan.options.guard_bits
    source, target = plan.scales[operation.input].scale, plan.scales[operation.output].scale
    if weights.channel_scale is not None:
        multipliers, shifts = channel_multipliers(source, weights.channel_scale, target, operation.name)
        return ChannelMultiplier(multipliers, shifts, guard_bits=guard_bits)
    multiplier, exponent = layer_multiplier(source, weights.scale, target, operation.name)
    if not weights.codes.any() and not bias.any():
        multiplier, exponent = 0, 0  # dead layer
    return ShiftScaler(weights.shift, exponent, multiplier, guard_bits, weights.half_step)


def lower(plan: Plan, **fields: Any) -> Network:
    """The whole network; `fields` are passed on to golden's Network (name, labels, provenance, ...)."""
    names = [plan.graph.input] + [operation.output for operation in plan.operations]
    tensors = {
        name: Tensor(name, *plan.graph.shapes[name], plan.scales[name].scale, plan.scales[name].zero_point)
        for name in names
    }
    layers = tuple(lower_layer(plan, operation) for operation in plan.operations)
    return Network(
        input=plan.graph.input, outputs=tuple(plan.graph.outputs), tensors=tensors, layers=layers,
        guard_bits=plan.options.guard_bits, preprocessing=plan.preprocessing,
        host_tail=tuple(plan.graph.host_tail), **{"name": plan.graph.name or "network", **fields},
    )

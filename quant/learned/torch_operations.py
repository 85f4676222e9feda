"""Operations of a plan in torch: convolution with residual and clamp, int8 tensors by straight-through rounding."""

import torch
from torch import Tensor
from torch.nn import functional

from quant.plan.operations import Operation
from quant.plan.scales import Scale


def compute(operation: Operation, x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor | None) -> Tensor:
    """clamp(bias + conv(x, weight) + residual), float32 (N, O, H, W), with the padding and bounds of the operation."""
    top, left, bottom, right = operation.padding
    padded = functional.pad(x, (left, right, top, bottom))
    groups = len(weight) if operation.depthwise else 1
    y = functional.conv2d(padded, weight, bias, operation.stride, groups=groups)
    low, high = operation.activation.low, operation.activation.high
    y = y if residual is None else y + residual
    return y if low is None and high is None else y.clamp(low, high)


def rounded_activation(x: Tensor, scale: Scale, codes: tuple[int, int]) -> Tensor:
    """The real values of x's nearest codes (half up) within `codes`; the gradient passes where nothing is clipped."""
    low, high = ((code - scale.zero_point) * scale.scale for code in codes)
    clipped = x.clamp(low, high)
    nearest = torch.floor(clipped / scale.scale + 0.5) * scale.scale
    return clipped + (nearest - clipped).detach()

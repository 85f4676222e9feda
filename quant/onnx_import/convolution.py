"""Conv, and BatchNormalization folded into it."""

import numpy as np

from quant.float_graph.graph import BatchNorm, Conv
from quant.onnx_import import windows
from quant.onnx_import.step import Step
from quant.onnx_import.values import View


def conv(step: Step) -> View:
    """Dense, depthwise or grouped two-dimensional convolution, dilation 1; any auto_pad."""
    weight = step.required(1, "weight")
    if weight.ndim != 4:
        step.refuse(f"{weight.ndim - 2}-D convolution (weight of shape {weight.shape})", "two-dimensional convolution")
    view = step.image()
    windows.no_dilation(step)
    kernel, stride = (weight.shape[2], weight.shape[3]), windows.stride(step)
    stated = tuple(step.attribute("kernel_shape", kernel))
    if stated != kernel:
        step.refuse(f"kernel_shape {stated} does not match the weight's {kernel}", "equal shapes")
    weight, depthwise = _grouped(step, view, weight)
    bias = _bias(step, weight.shape[0])
    pads = windows.padding(step, view, kernel, stride)
    size = windows.output_size(step, view, kernel, stride, pads)
    pads = windows.add(view.pad, pads)
    node = Conv(step.name, view.tensor, step.output, depthwise, weight, bias, stride, pads)
    return step.builder.emit(node, view.sizes[0], (weight.shape[0], *size))


def _bias(step: Step, channels: int) -> np.ndarray:
    bias = step.parameter(2, "bias")
    if bias is None:
        return np.zeros(channels)
    if bias.shape != (channels,):
        step.refuse(f"bias of shape {bias.shape}", f"shape ({channels},)")
    return bias.copy()


def _grouped(step: Step, view: View, weight: np.ndarray) -> tuple[np.ndarray, bool]:
    group, channels, (out, per_group) = int(step.attribute("group", 1)), view.sizes[1], weight.shape[:2]
    if group < 1 or per_group * group != channels or out % group:
        step.refuse(
            f"weight of shape {weight.shape} with group {group} on {channels} channels",
            "input channels = group x weight channels, output channels a multiple of group",
        )
    if group == 1:
        return weight, False
    if group == channels == out:
        return weight, True
    kind = "depthwise convolution with channel multiplier" if group == channels else f"convolution of {group} groups"
    step.builder.warnings.append(f"{step}: {kind} becomes a dense one with zero weights ({group} x the products)")
    dense = np.zeros((out, channels, *weight.shape[2:]))
    for o in range(out):
        first = o // (out // group) * per_group
        dense[o, first : first + per_group] = weight[o]
    return dense, False


def batch_normalization(step: Step) -> View:
    """Folded into the convolution before; after anything else an identity depthwise 1x1 convolution."""
    if step.attribute("training_mode", 0) or len([o for o in step.node.output if o]) > 1:
        step.refuse("training_mode 1 or several outputs", "inference (training_mode 0, one output)")
    view = step.view()
    if len(view.dims) < 2:
        step.refuse(f"input of rank {len(view.dims)}", "(N, C, ...)")
    shape = (1, -1) + (1,) * (len(view.dims) - 2)
    scale, shift, mean, var = (
        step.per_channel(view, step.required(i, what).reshape(shape), what)
        for i, what in enumerate(("scale", "bias", "mean", "variance"), start=1)
    )
    spread = var + float(step.attribute("epsilon", 1e-5))
    if not np.all(spread > 0):
        step.refuse(f"variance + epsilon is {spread.min()}", "positive numbers")
    factor = scale / np.sqrt(spread)
    return step.builder.affine(view, factor, shift - mean * factor, step.name, step.output, BatchNorm(scale, shift))

"""Empirical bias correction, measured on the integer network (Nagel et al. 2019, 1906.04721, on real integers).

Layer by layer in order: the mean over calibration images and positions of what a layer computes before its clamp, in
integer arithmetic and with all earlier layers corrected, is brought to the float network's mean.
"""

from typing import Protocol

import numpy as np

from golden.network import ConvLayer
from quant.calibration.calibration_run import IntegerCalibration
from quant.plan.lower import lower_layer
from quant.plan.operations import Operation
from quant.plan.plan import Plan


class TensorMeans(Protocol):
    """What the correction asks of integer images that have run up to a layer."""

    def mean(self, tensor: str) -> np.ndarray:
        """Mean code over the images, float64 (C, H, W)."""
        ...

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """(C, H, W) of a tensor."""
        ...


def bias_correction(plan: Plan) -> None:
    """Fill plan.corrections; needs statistics.means (plan.wants_means)."""
    plan.corrections.clear()
    runner = IntegerCalibration(plan)
    for done, operation in enumerate(plan.operations, 1):
        correct_bias(plan, operation, runner)
        runner.advance(operation)
        plan.report("bias correction", done)


def correct_bias(plan: Plan, operation: Operation, runner: TensorMeans) -> None:
    """The correction of one operation that has none yet; additions have none."""
    if operation.kind != "add":
        integer = before_clamp_mean(plan, operation, runner)
        plan.corrections[operation.name] = plan.statistics.means[operation.output] - integer


def before_clamp_mean(plan: Plan, operation: Operation, runner: TensorMeans) -> np.ndarray:
    """Mean real value before the clamp per output channel, float64 (O,), of the integer layer on the integer inputs.

    Exact up to the requantizer's rounding: a convolution is linear, so its mean is that of the codes at every tap.
    """
    layer = lower_layer(plan, operation)
    source = plan.scales[operation.input]
    taps = tap_means(layer, runner.mean(operation.input) - source.zero_point, runner.shape(operation.output))
    products = layer.accumulator_weight * taps
    scale = source.scale * plan.codes[operation.name].real_scale
    mean = plan.bias(operation) + scale * products.sum(axis=(1, 2, 3))
    if operation.residual is not None:
        residual = plan.scales[operation.residual]
        mean += residual.scale * (runner.mean(operation.residual) - residual.zero_point).mean(axis=(1, 2))
    return mean


def tap_means(layer: ConvLayer, image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Mean over output positions of what each tap reads, float64: (C, 1, KH, KW) depthwise or (1, I, KH, KW) dense.

    image: (I, H, W), the mean image less its zero point, so that padding is 0. shape: of the layer's output.
    """
    (rows, columns), (step_y, step_x) = shape[1:], layer.stride
    top, left, bottom, right = layer.padding
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right)))
    means = np.empty((len(image), *layer.kernel))
    for y in range(layer.kernel[0]):
        for x in range(layer.kernel[1]):
            tap = padded[:, y : y + rows * step_y : step_y, x : x + columns * step_x : step_x]
            means[:, y, x] = tap[:, :rows, :columns].mean(axis=(1, 2))
    return means[:, None] if layer.depthwise else means[None]

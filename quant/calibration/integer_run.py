"""Calibration images through the integer layers of a plan, with every tensor kept."""

import numpy as np

from golden.network import Network
from golden.plan import LayerPlan
from quant.plan.input_scale import quantize_real
from quant.plan.lower import lower_layer
from quant.plan.operations import Operation
from quant.plan.plan import Plan


class IntegerRun:
    """int8 tensors (N, C, H, W) by name, filled layer by layer with the plan's present codes, scales and corrections.

    network: the plan lowered with the same scales.
    """

    def __init__(self, plan: Plan, network: Network, tensors: dict[str, np.ndarray]) -> None:
        self.plan, self.network, self.tensors = plan, network, tensors

    def enter(self, real: np.ndarray) -> None:
        """Quantize the network's input, float32 (N, C, H, W)."""
        scale = self.plan.scales[self.network.input]
        self.tensors[self.network.input] = quantize_real(real, scale.scale, scale.zero_point)

    def advance(self, operation: Operation) -> None:
        """Run one operation; WesnpuError where it cannot be lowered or its sums leave int32."""
        layer = lower_layer(self.plan, operation)
        layer.check_accumulator(*self.network.codes_read(layer))
        fast, images = LayerPlan(self.network, layer), self.tensors[layer.input]
        residuals = [None] * len(images) if layer.residual is None else self.tensors[layer.residual.tensor]
        done = [fast.run(*pair) for pair in zip(images, residuals, strict=True)]
        self.tensors[operation.output] = np.stack(done)

    def real(self, tensor: str) -> np.ndarray:
        """The tensor's real values, float64 (N, C, H, W)."""
        scale = self.plan.scales[tensor]
        return (self.tensors[tensor].astype(np.float64) - scale.zero_point) * scale.scale

    def mean(self, tensor: str) -> np.ndarray:
        """Mean code over the images, float64 (C, H, W)."""
        values = self.tensors[tensor]
        return values.sum(axis=0, dtype=np.int32) / len(values)

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """(C, H, W) of a tensor."""
        return self.network.tensors[tensor].shape


def first_images(plan: Plan, count: int) -> np.ndarray:
    """The first `count` calibration images, or all there are, float32 (N, C, H, W)."""
    parts: list[np.ndarray] = []
    for batch in plan.batches():
        parts.append(batch[: count - sum(map(len, parts))])
        if sum(map(len, parts)) == count:
            break
    return np.concatenate(parts)

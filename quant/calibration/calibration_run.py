"""Calibration images through the integer network, layer by layer, while its biases are still being learned."""

import numpy as np

from golden.plan import LayerPlan
from golden.run import last_readers
from quant.float_graph.graph import Graph
from quant.plan.input_scale import quantize_real
from quant.plan.lower import lower, lower_layer
from quant.plan.operations import Operation
from quant.plan.plan import Plan

MEMORY_BYTES = 512 * 2**20  # of int8 tensors alive at a time


def images_in_memory(graph: Graph) -> int:
    """How many images are held at a time: three of the largest tensor each within MEMORY_BYTES, at least one."""
    return max(1, MEMORY_BYTES // (3 * max(int(np.prod(shape)) for shape in graph.shapes.values())))


class IntegerCalibration:
    """Holds the int8 tensors that later layers still read, for the first `images_in_memory` calibration images."""

    def __init__(self, plan: Plan) -> None:
        """Quantize the calibration images; `plan` must be ready to lower."""
        self.plan, self.network = plan, lower(plan)
        self.last = last_readers(self.network)
        self.live: dict[str, np.ndarray] = {plan.graph.input: self._inputs()}

    def _inputs(self) -> np.ndarray:
        scale, left = self.plan.scales[self.plan.graph.input], images_in_memory(self.plan.graph)
        parts = []
        for batch in self.plan.batches():
            parts.append(quantize_real(batch[:left], scale.scale, scale.zero_point))
            left -= len(parts[-1])
            if not left:
                break
        return np.concatenate(parts)

    def mean(self, tensor: str) -> np.ndarray:
        """Mean code over the images, float64 (C, H, W)."""
        values = self.live[tensor]
        return values.sum(axis=0, dtype=np.int32) / len(values)

    def shape(self, tensor: str) -> tuple[int, int, int]:
        """(C, H, W) of a tensor."""
        return self.network.tensors[tensor].shape

    def advance(self, operation: Operation) -> None:
        """Run one operation, the next in order, with the present corrections; frees what nobody reads any more."""
        fast = LayerPlan(self.network, lower_layer(self.plan, operation))
        images, residuals = self.live[operation.input], self.live.get(operation.residual or "")
        output = np.empty((len(images), *self.shape(operation.output)), np.int8)
        for index, image in enumerate(images):
            output[index] = fast.run(image, None if residuals is None else residuals[index])
        self.live[operation.output] = output
        here = [layer.name for layer in self.network.layers].index(operation.name)
        for name in [name for name in self.live if self.last.get(name, -1) <= here]:
            del self.live[name]

"""Calibration images in two halves: one to search scales on, the other to judge what the search found."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from golden.errors import WesnpuError
from golden.run import run
from quant.calibration.calibrate import collect
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.passes.bias_correction import bias_correction
from quant.plan.input_scale import quantize_real
from quant.plan.lower import lower
from quant.plan.plan import Plan

IMAGES = 16  # of each half, at most
BATCH = 4


class HeldOut:
    """Float32 images of a plan's calibration: `search`, and `judge`, which shares none with it.

    Of n images the first half, at most IMAGES, is `search`, and as many that follow are `judge`; `judge` is empty if
    there is only one image.
    """

    def __init__(self, plan: Plan) -> None:
        """Reads the calibration images."""
        count = min(IMAGES, max(1, plan.images // 2))
        images = _first(plan.batches(), 2 * count)
        self.search, self.judge = images[:count], images[count:]
        self._wanted = FloatRunner(to_onnx(plan.graph), plan.graph.outputs)(images[count:]) if len(self.judge) else {}

    def loss(self, plan: Plan) -> float:
        """sum |y - y_float|^2 over the network's outputs on `judge`, y of the integer network; infinity if refused.

        Where the recipe corrects biases they are corrected on `judge` for this. The plan stays as it is. 0 without
        images.
        """
        if not len(self.judge):
            return 0.0
        trial = replace(plan, batches=lambda: iter([self.judge]), corrections={}, log=[], progress=None)
        try:
            if plan.wants_means:
                names = [node.output for node in plan.graph.nodes]
                trial.statistics = collect(plan.graph, [self.judge], means=names)
                bias_correction(trial)
            network = lower(trial)
        except WesnpuError:
            return math.inf
        scale = plan.scales[plan.graph.input]
        codes = run(network, quantize_real(self.judge, scale.scale, scale.zero_point)).outputs
        total = 0.0
        for name, wanted in self._wanted.items():
            tensor = network.tensors[name]
            real = (codes[name].astype(np.float64) - tensor.zero_point) * tensor.scale
            total += float(np.square(real - wanted).sum())
        return total


def _first(batches: Iterable[np.ndarray], count: int) -> np.ndarray:
    parts: list[np.ndarray] = []
    for batch in batches:
        parts.append(batch[: count - sum(map(len, parts))])
        if sum(map(len, parts)) == count:
            break
    return np.concatenate(parts)


def float_tensors(plan: Plan, images: np.ndarray, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Tensors of the float network as int8 codes of the plan's scales, (N, C, H, W), by name."""
    names = sorted(set(names) - {plan.graph.input})
    runner = FloatRunner(to_onnx(plan.graph), names)
    parts = [
        {name: _codes(plan, name, value) for name, value in (runner(images[i : i + BATCH]) if names else {}).items()}
        for i in range(0, len(images), BATCH)
    ]
    found = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return found | {plan.graph.input: _codes(plan, plan.graph.input, images)}


def _codes(plan: Plan, name: str, real: np.ndarray) -> np.ndarray:
    scale = plan.scales[name]
    return np.minimum(quantize_real(real, scale.scale, scale.zero_point), np.int8(scale.top))

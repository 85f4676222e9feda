"""Activation scales searched for by the similarity of the reading layers' outputs (PTQ-SL, 2110.07809)."""

import numpy as np

from quant.calibration.held_out import BATCH, HeldOut
from quant.calibration.input_moments import sampled_taps
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.passes.additions import tie_residual_scales
from quant.plan.operations import Operation
from quant.plan.plan import Plan
from quant.plan.scales import Scale, scale_of_range

FACTORS = np.linspace(0.01, 1.2, 100)  # of the range seen in calibration, as in the paper
POSITIONS = 256  # sampled output positions that a factor is judged on


def activation_search(plan: Plan) -> None:
    """Give each tensor that convolutions read the factor on its range whose codes change their outputs least.

    Squared error of the reading layers' outputs, each relative to its output's energy, with real weights and the float
    network's activations on the first BATCH images of one half. Input and outputs of the network keep their scales.
    Small factors clip: so the new scales stay only if the integer network comes closer to the float outputs on the
    other half.
    """
    images, before = HeldOut(plan), dict(plan.scales)
    if not len(images.judge):
        return
    old = images.loss(plan)
    plan.scales |= _searched(plan, images)
    tie_residual_scales(plan)
    changed, new = sum(before[name] != scale for name, scale in plan.scales.items()), images.loss(plan)
    if new >= old:
        plan.scales.update(before)
    verdict = "kept" if new < old else "dropped"
    plan.note(f"activation_search: {changed} scales {verdict}: squared error of the outputs {old:.6g} -> {new:.6g}")


def _searched(plan: Plan, images: HeldOut) -> dict[str, Scale]:
    """The best scale of every tensor that may change."""
    readers: dict[str, list[Operation]] = {}
    for operation in plan.operations:
        if operation.kind == "conv" and operation.input not in (plan.graph.input, *plan.graph.outputs):
            readers.setdefault(operation.input, []).append(operation)
    if not readers:
        return {}
    tensors = FloatRunner(to_onnx(plan.graph), readers)(images.search[:BATCH])
    return {name: best_scale(plan, name, tensors[name], operations) for name, operations in readers.items()}


def best_scale(plan: Plan, name: str, real: np.ndarray, readers: list[Operation]) -> Scale:
    """The scale among FACTORS with the least error, of equals the largest; the present one if the tensor is 0.

    real: float32 (N, C, H, W), the tensor; readers: the convolutions that read it.
    """
    low, high = plan.statistics.ranges[name]
    taps = [_taps(real, operation) for operation in readers]
    if not any(tap.any() for tap in taps):
        return plan.scales[name]
    best, least = plan.scales[name], np.inf
    for factor in FACTORS[::-1]:
        scale = scale_of_range(float(factor * low), float(factor * high), f"tensor {name!r}", plan.bits_of(name))
        error = sum(_error(tap, scale, operation) for tap, operation in zip(taps, readers, strict=True))
        if error < least:
            best, least = scale, error
    return best


def _taps(real: np.ndarray, operation: Operation) -> np.ndarray:
    """What the operation's taps read at about POSITIONS positions, float32 (positions, I, KH KW)."""
    taps = sampled_taps(real, 0, operation)
    return taps[:: max(1, len(taps) // POSITIONS)]


def _error(taps: np.ndarray, scale: Scale, operation: Operation) -> float:
    """Squared error of the operation's output from the input's codes, over the output's energy; 0 for no energy."""
    codes = np.clip(np.floor(taps / scale.scale + 0.5) + scale.zero_point, -128, scale.top)
    wanted = np.square(_output(taps, operation)).sum()
    error = np.square(_output((codes - scale.zero_point) * scale.scale - taps, operation)).sum()
    return float(error / wanted) if wanted > 0 else 0.0


def _output(taps: np.ndarray, operation: Operation) -> np.ndarray:
    weight = operation.weight.reshape(*operation.weight.shape[:2], -1)
    if operation.depthwise:
        return np.einsum("pct,ct->pc", taps, weight[:, 0])
    return taps.reshape(len(taps), -1) @ weight.reshape(len(weight), -1).T

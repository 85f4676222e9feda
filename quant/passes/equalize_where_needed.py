"""Cross-layer equalization only where the network's own channel ranges ask for it."""

import numpy as np

from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.passes.cross_layer_equalization import Group, cross_layer_equalization, find_factors, tensor_groups
from quant.plan.plan import Plan

IMAGES = 16  # calibration images that channel ranges are taken from
GAIN = 0.5  # bits that an average channel must gain


def equalize_where_needed(plan: Plan) -> None:
    """Equalize if the activation channels gain at least GAIN bits on average, and note both figures.

    A channel of range r_c in an int8 tensor of range r has log2(r / r_c) bits fewer than the largest: no scale of
    weights gives them back. Equalization divides r_c by its factor, which may as well make that worse.
    """
    groups = [group for group in tensor_groups(plan.graph) if not group.refused]
    if not groups:
        plan.note("equalize_where_needed: no tensor can be equalized")
        return
    find_factors(groups)
    before, after = lost_bits(plan, groups)
    needed = before - after >= GAIN
    decision = "equalized" if needed else f"left as it is, {GAIN} bits are asked for"
    plan.note(f"equalize_where_needed: {before:.2f} bits lost by a channel, {after:.2f} if equalized: {decision}")
    if needed:
        cross_layer_equalization(plan)


def lost_bits(plan: Plan, groups: list[Group]) -> tuple[float, float]:
    """Mean of log2(r / r_c) over the live channels that the groups' convolutions write: as they are, and divided by s.

    r_c: largest magnitude on the first IMAGES calibration images, after the clamp; r: the largest r_c of the tensor.
    """
    outputs = {conv.output: group for group in groups for conv in group.producers}
    ranges = _channel_ranges(plan, list(outputs))
    before = np.concatenate([_lost(ranges[name]) for name in outputs])
    after = np.concatenate([_lost(ranges[name] / np.exp2(group.octaves)) for name, group in outputs.items()])
    return (float(before.mean()), float(after.mean())) if before.size else (0.0, 0.0)


def _lost(ranges: np.ndarray) -> np.ndarray:
    live = ranges[ranges > 0]
    return np.log2(live.max() / live) if live.size else live


def _channel_ranges(plan: Plan, tensors: list[str]) -> dict[str, np.ndarray]:
    runner, left = FloatRunner(to_onnx(plan.graph), tensors), IMAGES
    found = {name: np.zeros(plan.graph.shapes[name][0]) for name in tensors}
    for batch in plan.batches():
        for name, values in runner(batch[:left]).items():
            found[name] = np.maximum(found[name], np.abs(values).max(axis=(0, 2, 3)))
        left -= min(left, len(batch))
        if not left:
            break
    return found

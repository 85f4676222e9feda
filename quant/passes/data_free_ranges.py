"""Data-free activation ranges (Nagel et al. 2019, 1906.04721): from BatchNormalization, without any image."""

import numpy as np

from quant.float_graph.graph import Node
from quant.float_graph.normal_moments import Moments, moments_before_clamp
from quant.passes.activation_ranges import activation_ranges
from quant.passes.dead_channels import Interval, clamped, input_interval
from quant.plan.input_scale import exact_input_scale
from quant.plan.plan import Plan
from quant.plan.scales import scale_of_range

SIGMAS = 6.0


def data_free_ranges(plan: Plan) -> None:
    """Fill plan.scales: mean - 6 sigma .. mean + 6 sigma within the clamp, the widest over the channels.

    The input's range is that of the pixels 0..255. Tensors without BatchNormalization before them, and an input
    without preprocessing, take theirs from the calibration images as `activation_ranges` does; the log counts them.
    """
    graph, moments = plan.graph, moments_before_clamp(plan.graph)
    intervals = {node.output: interval(moments[node.output], node) for node in graph.nodes if node.output in moments}
    if plan.preprocessing is not None:
        intervals[graph.input] = input_interval(graph, plan.preprocessing)
    missing = len(graph.shapes) - len(intervals)
    if missing:
        activation_ranges(plan)
    for name, (low, high) in intervals.items():
        plan.statistics.ranges[name] = float(low.min()), float(high.max())
        plan.scales[name] = scale_of_range(
            *plan.statistics.ranges[name], f"tensor {name!r}", plan.bits_of(name)
        )
    plan.scales[graph.input] = exact_input_scale(plan.preprocessing) or plan.scales[graph.input]
    plan.note(f"data_free_ranges: {len(intervals)} tensors without any image, {missing} from calibration images")


def interval(moments: Moments, node: Node) -> Interval:
    """SIGMAS deviations on both sides of the mean, within the node's clamp, per channel (C,)."""
    reach = SIGMAS * np.sqrt(moments[1])
    return clamped((moments[0] - reach, moments[0] + reach), node.activation)

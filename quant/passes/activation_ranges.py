"""Activation ranges of the float network on the calibration images, and int8 scales from them."""

from quant.calibration.calibrate import collect
from quant.calibration.calibration_run import images_in_memory
from quant.plan.input_scale import exact_input_scale
from quant.plan.plan import Plan
from quant.plan.scales import CODES, EMPTY_RANGE_SCALE, scale_of_range


def activation_ranges(plan: Plan) -> None:
    """Fill plan.statistics and plan.scales for every tensor; the input takes an exact scale where pixels allow one.

    Only the input's scale can come from the preprocessing; every other tensor takes the observer's range.
    """
    means = [node.output for node in plan.graph.nodes] if plan.wants_means else []
    plan.statistics = collect(
        plan.graph,
        plan.batches(),
        observer=plan.options.observer,
        means=means,
        means_images=images_in_memory(plan.graph),
        progress=lambda images: plan.report("calibration", images),
    )
    for name, (low, high) in plan.statistics.ranges.items():
        plan.scales[name] = scale_of_range(low, high, f"tensor {name!r}", plan.bits_of(name))
        if max(high, 0.0) - min(low, 0.0) < CODES * 2.0**-126:
            plan.note(f"activation_ranges: {name} is 0 on every calibration image, scale {EMPTY_RANGE_SCALE}")
    exact = exact_input_scale(plan.preprocessing)
    if exact is not None:
        plan.scales[plan.graph.input] = exact
        plan.note(f"activation_ranges: input code = pixel - 128 exactly, scale {exact.scale}")

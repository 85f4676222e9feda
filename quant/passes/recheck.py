"""The re-check before lowering: multipliers below 1, residual order, accumulators within int32."""

from quant.passes.weight_scales import fit_bias
from quant.plan.multiplier import smallest_output_scale
from quant.plan.plan import Plan

EXACT = 1  # no headroom is left after bias correction


def recheck(plan: Plan) -> bool:
    """Repair what fails, note it, and tell whether anything changed (then the recipe repeats from the ties)."""
    changed = _raise_scales(plan)
    for operation in plan.operations:
        if fit_bias(plan, operation, EXACT):
            plan.shift_limits[operation.name] = plan.codes[operation.name].shift.copy()
            changed.append(operation.name)
    if changed:
        plan.note(f"recheck: repeats for {', '.join(dict.fromkeys(changed))}")
    return bool(changed)


def _raise_scales(plan: Plan) -> list[str]:
    """Raise output scales to the smallest that keeps m < 1 and s_u <= s_y; returns the names of those layers."""
    changed = []
    for operation in plan.operations:
        weight_scale = float(plan.codes[operation.name].real_scale.max())
        if plan.codes[operation.name].channel_scale is None:
            weight_scale = plan.codes[operation.name].scale
        needed = smallest_output_scale(plan.scales[operation.input].scale, weight_scale)
        if operation.residual is not None:
            needed = max(needed, plan.scales[operation.residual].scale)
        ours = plan.scales[operation.output]
        if needed > ours.scale:
            plan.scales[operation.output] = ours.raised_to(needed)
            plan.note(f"recheck: {operation.output}: scale raised by {needed / ours.scale:.4f} to keep m < 1")
            changed.append(operation.name)
    return changed

"""Fusion of additions and the order of scales that Eq. 7 needs."""

from quant.plan.operations import fuse
from quant.plan.plan import Plan


def fuse_additions(plan: Plan) -> None:
    """The graph as engine operations in plan.operations; additions go into producing convolutions where they can."""
    plan.operations = fuse(plan.graph, plan.scales)
    for operation in plan.operations:
        if operation.kind == "add":
            plan.note(f"fuse_additions: {operation.name} is an identity depthwise 1x1, no convolution can absorb it")


def tie_residual_scales(plan: Plan) -> None:
    """One forward sweep that raises s_y to s_u where a residual operand has the larger scale (Eq. 7)."""
    for operation in plan.operations:
        if operation.residual is None:
            continue
        ours, theirs = plan.scales[operation.output], plan.scales[operation.residual]
        if theirs.scale > ours.scale:
            plan.scales[operation.output] = ours.raised_to(theirs.scale)
            factor = theirs.scale / ours.scale
            plan.note(f"tie_residual_scales: {operation.output}: scale raised by {factor:.4f} to its residual's")

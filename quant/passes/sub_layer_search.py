"""Sub-layer scales searched for by the similarity of each layer's output (PTQ-SL, 2110.07809)."""

from collections.abc import Callable

import numpy as np

from quant.calibration.held_out import HeldOut, float_tensors
from quant.calibration.input_moments import input_moments
from quant.float_graph.output_sensitivity import output_sensitivity
from quant.passes.sub_layer_scales import Grid, check_sizes, each_sub_layer, plain_grid
from quant.plan.operations import Operation
from quant.plan.plan import Plan
from quant.weights.block_search import LayerOutput, search
from quant.weights.sub_layer import shifts_of, usable_blocks


def sub_layer_search_l2(group: int, blocks: int) -> Callable[[Plan], None]:
    """The search by least squared error of each layer's output."""
    return _search_pass(group, blocks, "l2")


def sub_layer_search_cosine(group: int, blocks: int) -> Callable[[Plan], None]:
    """The search by cosine similarity of each layer's output."""
    return _search_pass(group, blocks, "cosine")


def sub_layer_search_hessian(group: int, blocks: int) -> Callable[[Plan], None]:
    """The search by squared error, each channel's times how much the network's outputs depend on it."""
    return _search_pass(group, blocks, "hessian")


def _search_pass(group: int, blocks: int, similarity: str) -> Callable[[Plan], None]:
    """Three grids for the whole network: plain, searched without clipping, searched with it.

    Layers are searched one by one with the float network's activations on half of the images. Of the three grids that
    one stays whose integer network is closest to the float outputs on the other half, the earlier of equals: so nothing
    clips unless that helps images that the search has not seen. With a single image the grid is the plain one.
    """
    check_sizes(group, blocks)

    def scales(plan: Plan) -> None:
        images = HeldOut(plan)
        grids = {"plain": {op.name: plain_grid(plan, op, group, blocks) for op in _convolutions(plan)}}
        if len(images.judge):
            grids |= _searched(plan, images, group, blocks, similarity)
        losses = {}
        for name, grid in grids.items():
            _use(plan, group, grid)
            losses[name] = images.loss(plan)
        chosen = min(losses, key=losses.__getitem__)
        _use(plan, group, grids[chosen])
        told = ", ".join(f"{name} {loss:.6g}" for name, loss in losses.items())
        plan.note(f"sub_layer_search: {chosen} of {told}: squared error of the outputs on {len(images.judge)} images")

    return scales


def _use(plan: Plan, group: int, grids: dict[str, Grid]) -> None:
    each_sub_layer(plan, group, lambda operation: grids[operation.name])


def _convolutions(plan: Plan) -> list[Operation]:
    return [operation for operation in plan.operations if operation.kind == "conv" and operation.weight.any()]


def _searched(
    plan: Plan, images: HeldOut, group: int, blocks: int, similarity: str
) -> dict[str, dict[str, Grid]]:
    """The two searched grids by operation name."""
    operations, bits = _convolutions(plan), plan.options.weight_bits
    tensors = float_tensors(plan, images.search, [operation.input for operation in operations])
    sensitivity = output_sensitivity(plan.graph)
    grids: dict[str, dict[str, Grid]] = {"without clipping": {}, "with clipping": {}}
    for done, operation in enumerate(operations, 1):
        zero_point = plan.scales[operation.input].zero_point
        moments = input_moments(tensors[operation.input], zero_point, operation, plan.wants_means).astype(np.float64)
        output = LayerOutput(operation.weight, moments, sensitivity[operation.output])
        usable = usable_blocks(operation.weight.shape[1], blocks)
        for name, clip in (("without clipping", False), ("with clipping", True)):
            found = search(output, bits=bits, group=group, blocks=usable, similarity=similarity, clip=clip)
            grids[name][operation.name] = (found.scale, *shifts_of(found.octaves, group, len(operation.weight)))
        plan.report("scale search", done)
    return grids

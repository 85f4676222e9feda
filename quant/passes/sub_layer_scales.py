"""Sub-layer weight scales (PTQ-SL, 2110.07809): a power of two per group of output channels and block of inputs."""

from collections.abc import Callable

import numpy as np

from golden.errors import WesnpuError
from golden.layer import SIZE_MAX
from quant.passes.weight_scales import HEADROOM, checked_ranges, dead_scale, fit_bias, fit_exponent, fixed_code, limited
from quant.plan.operations import Operation
from quant.plan.plan import Plan
from quant.weights.sub_layer import block_octaves, shifts_of, usable_blocks
from quant.weights.weights import WeightCodes, layer_scale, recode

Grid = tuple[float, np.ndarray, np.ndarray | None]  # layer scale, n_c, d


def sub_layer_scales(group: int, blocks: int) -> Callable[[Plan], None]:
    """The pass that sets one layer scale, n_c per `group` output channels, and d of Eq. 8 for `blocks` input blocks.

    Every block's scale is the smallest s_w 2^-n that clips nothing, within d <= 3. With blocks = 1 all d are 0 and the
    engine runs the network. Layers with fewer inputs have fewer blocks, depthwise layers one. WesnpuError for sizes
    outside 1..65535.
    """
    check_sizes(group, blocks)

    def scales(plan: Plan) -> None:
        each_sub_layer(plan, group, lambda operation: plain_grid(plan, operation, group, blocks))

    return scales


def check_sizes(group: int, blocks: int) -> None:
    """WesnpuError for sizes outside 1..65535."""
    for name, size in (("group", group), ("blocks", blocks)):
        if not 1 <= size <= SIZE_MAX:
            raise WesnpuError(f"sub-layer {name} is {size}: must be in 1..{SIZE_MAX}")


def plain_grid(plan: Plan, operation: Operation, group: int, blocks: int) -> Grid:
    """The grid that clips nothing."""
    weight, top = operation.weight, float(np.abs(operation.weight).max())
    octaves = block_octaves(weight, group, usable_blocks(weight.shape[1], blocks), top)
    return layer_scale(top, plan.options.weight_bits), *shifts_of(octaves, group, len(weight))


def each_sub_layer(plan: Plan, group: int, choose: Callable[[Operation], Grid]) -> None:
    """Codes for every operation; choose: the grid of a convolution that is not all zero."""
    for operation in plan.operations:
        if operation.kind != "conv":
            fixed_code(plan, operation)
            continue
        outputs = len(operation.weight)
        grid: Grid = (dead_scale(plan, operation), np.zeros(outputs, np.uint8), None)
        if checked_ranges(operation).any():
            grid = choose(operation)
        plan.codes[operation.name] = _codes(plan, operation, grid, group)
        fit_exponent(plan, operation)
        fit_bias(plan, operation, HEADROOM)


def _codes(plan: Plan, operation: Operation, grid: Grid, group: int) -> WeightCodes:
    """Nearest codes on the grid; where the re-check lowered n_c, d is less by as much."""
    scale, wanted, coarser = grid
    shift = limited(plan, operation, wanted)
    if coarser is not None:
        coarser = np.maximum(coarser.astype(np.int64) - (wanted - shift)[:, None], 0).astype(np.uint8)
    none = np.zeros(operation.weight.shape, np.int8)
    return recode(operation.weight, WeightCodes(none, scale, shift, None, plan.options.weight_bits, group, coarser))

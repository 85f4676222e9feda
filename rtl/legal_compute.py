"""Which COMPUTE commands an engine refuses."""

from amaranth.hdl import Const, Mux

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode


def legal_compute(c, config: EngineConfig):
    """Whether every field is within the range of docs/commands.md; c: views of the fields (rtl.command.fields)."""
    groups_per_block = WORD_BYTES // config.lanes
    windowed = (c.mode == Mode.WINDOW) | (c.mode == Mode.GATHER)
    strides = ((c.stride_x == 1) | (c.stride_x == 2)) & ((c.stride_y == 1) | (c.stride_y == 2))
    grids = (c.grid == 3) | ((c.grid == 5) & (c.mode == Mode.WINDOW) & (config.window_kernel == 5))
    kernel = (c.kernel_height != 0) & (c.kernel_width != 0) & ((c.mode == Mode.SEQUENTIAL) | (c.vectors != 0))
    chained = c.continues | c.partial
    step = Mux(c.stride_x == 1, config.pixels, 1)
    one_step = ~windowed & (c.groups == 1) & (c.output_rows == 1) & (c.output_width <= step)
    return (
        strides
        & (~chained | one_step)
        & Mux(windowed, grids & (c.passes != 0) & Const(config.window_kernel > 1), kernel)
        & ((c.mode != Mode.GATHER) | Const(config.gathers))
        & (c.first_group < groups_per_block)
        & (c.output_rows != 0)
        & (c.output_width != 0)
        & (c.groups != 0)
        & (c.input_height != 0)
        & (c.input_width != 0)
        & ((c.multiplier == 0) | c.multiplier[15])
        & (c.exponent <= 16)
        & (c.low <= c.high)
        & ((c.residual_multiplier <= 1 << 15) | ~c.residual)
    )

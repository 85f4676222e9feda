"""Which COMPUTE commands an engine refuses."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import Mode, Unit, length_units
from rtl import command as cmd
from rtl.interfaces import BEAT_BITS


def legal_terms(c, config: EngineConfig) -> list:
    """What must hold for every field to be within the range of docs/commands.md; c: views (rtl.command.fields)."""
    groups_per_block = WORD_BYTES // config.lanes
    windowed = (c.mode == Mode.WINDOW) | (c.mode == Mode.GATHER)
    strides = ((c.stride_x == 1) | (c.stride_x == 2)) & ((c.stride_y == 1) | (c.stride_y == 2))
    grids = (c.grid == 3) | ((c.grid == 5) & (c.mode == Mode.WINDOW) & (config.window_kernel == 5))
    kernel = (c.kernel_height != 0) & (c.kernel_width != 0) & ((c.mode == Mode.SEQUENTIAL) | (c.vectors != 0))
    chained = c.continues | c.partial
    step = Mux(c.stride_x == 1, config.pixels, 1)
    one_step = ~windowed & (c.groups == 1) & (c.output_rows == 1) & (c.output_width <= step)
    return [
        strides,
        ~chained | one_step,
        Mux(windowed, grids & (c.passes != 0) & Const(config.window_kernel > 1), kernel),
        (c.mode != Mode.GATHER) | Const(config.gathers),
        c.first_group < groups_per_block,
        c.output_rows != 0,
        c.output_width != 0,
        c.groups != 0,
        c.input_height != 0,
        c.input_width != 0,
        (c.multiplier == 0) | c.multiplier[15],
        c.exponent <= 16,
        c.low <= c.high,
        (c.residual_multiplier <= 1 << 15) | ~c.residual,
    ]


def legal_compute(c, config: EngineConfig):
    """Whether all of them hold."""
    return Cat(*legal_terms(c, config)).all()


class LegalCompute(wiring.Component):
    """Looks at a command that waits.

    Members: `command`; `valid`: it is there and stays for the next cycle; `seen`: it was there in the cycle before;
    `refused`: a field is out of range. Latency: 2 cycles from the first one with `valid` to `refused`; both are low in
    the cycle after one without it.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "command": In(length_units(Unit.COMPUTE) * BEAT_BITS),
                "valid": In(1),
                "seen": Out(1),
                "refused": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        found = Cat(*legal_terms(cmd.fields(Unit.COMPUTE, self.command), self._config))
        terms = Signal(len(found), name="terms")
        m.d.sync += [
            terms.eq(found),
            self.seen.eq(self.valid),
            self.refused.eq(self.valid & self.seen & ~terms.all()),
        ]
        return m

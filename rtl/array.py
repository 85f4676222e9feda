"""The MAC array: pixels x lanes dot products of `taps` INT8 pairs, accumulated to int32 (Eq. 1)."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig

ACC_BITS = 32


class MacArray(wiring.Component):
    """acc = (bias if first else acc) + sum over taps of x * w, for every pixel and lane.

    Members: `x[pixel][lane][tap]`, `w[lane][tap]`: INT8 operands; one cycle later `accumulate`, `first` and
    `bias[lane]`; one cycle later `acc[pixel][lane]` holds the sum. Latency: 2 cycles from operands. No flow control:
    the caller issues only
    what it can take.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        taps = data.ArrayLayout(8, config.taps)
        super().__init__(
            {
                "x": In(data.ArrayLayout(data.ArrayLayout(taps, config.lanes), config.pixels)),
                "w": In(data.ArrayLayout(taps, config.lanes)),
                "accumulate": In(1),
                "first": In(1),
                "bias": In(data.ArrayLayout(signed(ACC_BITS), config.lanes)),
                "acc": Out(data.ArrayLayout(data.ArrayLayout(signed(ACC_BITS), config.lanes), config.pixels)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        dot_bits = 16 + (config.taps - 1).bit_length()
        for lane in range(config.lanes):
            weights = [self.w[lane][t].as_signed() for t in range(config.taps)]
            for pixel in range(config.pixels):
                products = [self.x[pixel][lane][t].as_signed() * weights[t] for t in range(config.taps)]
                dot = Signal(signed(dot_bits), name=f"dot_{pixel}_{lane}", reset_less=True)
                m.d.sync += dot.eq(sum(products[1:], products[0]))
                acc = self.acc[pixel][lane]
                with m.If(self.accumulate):
                    m.d.sync += acc.eq(Mux(self.first, self.bias[lane], acc) + dot)
        return m

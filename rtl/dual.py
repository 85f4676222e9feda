"""Two INT8 products side by side, the unit that a multiplier of two products takes the place of."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class DualProducts(wiring.Component):
    """y0 = a0 b0, y1 = a1 b1. Latency: 0 cycles. Members: `a0`, `b0`, `a1`, `b1`: INT8; `y0`, `y1`: 16 bits, signed.

    Synthesis for iCE40 UltraPlus makes one SB_MAC16 of it (fpga/dual.py); elsewhere it is what it says.
    """

    def __init__(self):
        factor, product = In(signed(8)), Out(signed(16))
        super().__init__({"a0": factor, "b0": factor, "a1": factor, "b1": factor, "y0": product, "y1": product})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.y0.eq(self.a0 * self.b0), self.y1.eq(self.a1 * self.b1)]
        return m

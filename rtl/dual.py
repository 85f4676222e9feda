"""Two INT8 products side by side, the unit that a multiplier of two products takes the place of."""

from amaranth.hdl import Instance, Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MODULE = "DUAL8"
#: What the module is, unless synthesis puts a multiplier of the device in its place (fpga/dual.py).
VERILOG = f"""
module {MODULE}(a0, b0, a1, b1, y0, y1);
  input signed [7:0] a0, b0, a1, b1;
  output signed [15:0] y0, y1;
  assign y0 = a0 * b0;
  assign y1 = a1 * b1;
endmodule
"""


def with_products(text: str) -> str:
    """Verilog with the module beside what uses it."""
    return text + VERILOG if f"{MODULE} " in text else text


class DualProducts(wiring.Component):
    """y0 = a0 b0, y1 = a1 b1. Latency: 0 cycles. Members: `a0`, `b0`, `a1`, `b1`: INT8; `y0`, `y1`: 16 bits, signed.

    In Verilog the module `DUAL8`, which synthesis for iCE40 UltraPlus makes one SB_MAC16 of.
    """

    def __init__(self):
        factor, product = In(signed(8)), Out(signed(16))
        super().__init__({"a0": factor, "b0": factor, "a1": factor, "b1": factor, "y0": product, "y1": product})

    def elaborate(self, platform):
        m = Module()
        m.submodules.products = Instance(
            MODULE, i_a0=self.a0, i_b0=self.b0, i_a1=self.a1, i_b1=self.b1, o_y0=self.y0, o_y1=self.y1
        )
        return m

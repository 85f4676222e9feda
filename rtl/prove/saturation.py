"""The saturation of Eq. 3 never changes an output, although |r| may reach 255 output codes (Eq. 7 with s_u <= s_y).

The output does not decrease when the product grows, and M >= 0. So where x = floor(acc 2^G / 2^s) lies above
(below) the limits of t, its output lies at or above (at or below) that of the saturated t: they are equal if the
saturated t already gives `high` (`low`). That is proved here. With M = 0 nothing depends on t; else M >= 2^15.
"""

from amaranth.hdl import Assert, Assume, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.prove.proof import Proof

MODULE = "rtl.prove.saturation"
T_MINUS_GUARD = 11  # bits of t beyond the guard bits
WIDE = signed(40)


class SaturationHarness(wiring.Component):
    """Free M, r, z_y, low and high; combinational."""

    multiplier: In(16)
    residual: In(WIDE)
    output_zero_point: In(signed(8))
    low: In(signed(8))
    high: In(signed(8))
    negative: In(1)

    def __init__(self, guard_bits: int):
        self._guard_bits = guard_bits
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        guard = self._guard_bits
        largest_residual = 255 << (16 + guard)
        at_limit = self.multiplier << (guard + T_MINUS_GUARD - 1)  # the limit of t, times M
        product, q, y = Signal(WIDE), Signal(WIDE), Signal(WIDE)
        m.d.comb += [
            Assume(self.multiplier >= 1 << 15),
            Assume((self.residual <= largest_residual) & (self.residual >= -largest_residual)),
            Assume(self.low <= self.high),
            product.eq(Mux(self.negative, -at_limit, at_limit - self.multiplier)),
            q.eq(((product + self.residual + (1 << (15 + guard))) >> (16 + guard)) + self.output_zero_point),
            y.eq(Mux(q < self.low, self.low, Mux(q > self.high, self.high, q))),
            Assert(y == Mux(self.negative, self.low, self.high)),
        ]
        return m


def _proof(guard_bits: int) -> Proof:
    return Proof(
        name=f"saturation_g{guard_bits}",
        claim=f"G = {guard_bits}, T = {guard_bits + T_MINUS_GUARD}: the saturation of Eq. 3 never changes an output",
        module=MODULE,
        harness=lambda namespace: namespace.SaturationHarness(guard_bits),
        depth=1,
        bugs=(("T_MINUS_GUARD" + " = 11", "T_MINUS_GUARD = 10"), ("residual" + " = 255", "residual = 512")),
    )


PROOFS = (_proof(5), _proof(7))

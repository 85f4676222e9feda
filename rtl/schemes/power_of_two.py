"""No multiplier: a rounding shift per output channel (Eq. 13)."""

from amaranth.hdl import Cat, Const, Signal, signed

from rtl.schemes.lane import ACC_BITS, FRACTION_BITS, VALUE_BITS, SchemeLane


class PowerOfTwoLane(SchemeLane):
    """v = floor(acc 2^15 / 2^s_c).

    Members besides SchemeLane's: `shift` s_c, 0..31.
    """

    channel = {"shift": 5}
    front_stages = 3

    def _front(self, m):
        scaled = Signal(signed(ACC_BITS + FRACTION_BITS))
        m.d.comb += scaled.eq(Cat(Const(0, FRACTION_BITS), self.acc).as_signed())
        return self._shift_and_saturate(m, scaled, self.shift, VALUE_BITS)

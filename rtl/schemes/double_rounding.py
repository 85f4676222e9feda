"""The requantizer of gemmlowp and TensorFlow Lite, which rounds twice (Eq. 10 to 12)."""

from amaranth.hdl import Cat, Const, Mux, Signal, signed

from rtl.schemes.lane import ACC_BITS, FRACTION_BITS, VALUE_BITS
from rtl.schemes.multiplier import MultiplierLane

CODE_BITS = VALUE_BITS - FRACTION_BITS


class DoubleRoundingLane(MultiplierLane):
    """h = floor((acc M_c + 2^30) / 2^31), v = sign(h) floor(|h| / 2^k_c + 1/2), q = v + r / 2^15 rounded by itself.

    Members besides SchemeLane's: `multiplier` M_c, 0..2^31-1; `shift` k_c, 0..31.
    """

    def __init__(self):
        super().__init__(32)
        self.front_stages = 8

    def _front(self, m):
        product, stages = self._product(m)
        h = Signal(signed(ACC_BITS), reset_less=True)
        m.d.sync += h.eq(((product >> 30) + 1) >> 1)

        k = self._later(m, self.shift, stages, "shift")
        half, below = Signal(31, reset_less=True), Signal(30, reset_less=True)  # 2^(k-1) and 2^(k-1) - 1, 0 for k = 0
        m.d.sync += [half.eq((1 << k) >> 1), below.eq(((1 << k) - 1) >> 1)]

        rounded = Signal(signed(ACC_BITS + 1), reset_less=True)
        m.d.sync += rounded.eq(h + Mux(h[-1], below, half))
        amount = self._later(m, k, 2, "amount")
        code = self._shift_and_saturate(m, rounded, amount, CODE_BITS)
        return Cat(Const(0, FRACTION_BITS), code).as_signed()

    def _addend(self, m):
        """r rounded to whole codes, halves away from zero."""
        (product,) = self._residual_parts(m)
        used = self._constant(m, "residual", self.front_stages - 1)
        nudged = Signal(signed(26))
        m.d.comb += nudged.eq(product + Mux(product[-1], (1 << 14) - 1, 1 << 14))
        code = Signal(signed(10), reset_less=True)
        m.d.sync += code.eq(Mux(used, nudged >> FRACTION_BITS, 0))
        return Cat(Const(0, FRACTION_BITS), code).as_signed()



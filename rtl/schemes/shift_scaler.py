"""The shift scaler with fields of 2, 3 and 4 bits per output channel, and with a half-step bit (Eq. 2 to 5, 3h)."""

from amaranth.hdl import Cat, Const, Mux, Signal, signed

from rtl.schemes.lane import ACC_BITS, VALUE_BITS, SchemeLane
from rtl.schemes.shift_add import STAGES, shift_add

GUARD_BITS = 7
SHIFTED_BITS = GUARD_BITS + 11  # T


class ShiftScalerLane(SchemeLane):
    """v = floor(t M / 2^(G+1)), t = sat_T(floor(acc (1 + 2 h_c) 2^G / 2^(n_c + e + 2 h_c))), G = 7.

    Parameters: bits: of n_c, 2..4.  half_step: whether there is an h_c; else it is 0.

    Members besides SchemeLane's: `shift` n_c; with half_step `half_step` h_c.
    """

    front_stages = 5

    def __init__(self, bits: int, *, half_step: bool = False):
        if bits not in (2, 3, 4):
            raise ValueError(f"ShiftScalerLane bits = {bits!r} must be in 2..4")
        self.channel = {"shift": bits} | ({"half_step": 1} if half_step else {})
        super().__init__()

    def _front(self, m):
        half = self.half_step if "half_step" in self.channel else Const(0, 1)
        amount = Signal(6 if "half_step" in self.channel else 5, reset_less=True)
        acc = Signal(signed(ACC_BITS + 2 if "half_step" in self.channel else ACC_BITS), reset_less=True)
        m.d.sync += [
            amount.eq(self.shift + self.constants.exponent + (half << 1)),
            acc.eq(self.acc + Mux(half, self.acc << 1, 0)),
        ]
        scaled = Signal(signed(len(acc) + GUARD_BITS))
        m.d.comb += scaled.eq(Cat(Const(0, GUARD_BITS), acc).as_signed())
        t = self._shift_and_saturate(m, scaled, amount, SHIFTED_BITS)
        product = Signal(signed(SHIFTED_BITS + 16), reset_less=True)
        m.d.sync += product.eq(self._times(m, "product", t, self._constant(m, "multiplier", 4)))
        return product[SHIFTED_BITS + 16 - VALUE_BITS :].as_signed()


class ResidualByAddersLane(ShiftScalerLane):
    """The same, its residual multiplied by adders: one multiplier in the lane and not two."""

    product_stages = STAGES

    def _residual_times(self, m, difference, multiplier) -> tuple:
        return shift_add(m, difference, multiplier)

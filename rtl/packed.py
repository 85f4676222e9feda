"""Two INT8 products with a common factor in one multiplier of 18 x 18 bits: two pixels share a weight."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OFFSET = 128  # makes x0 a number from 0 to 255
PLACE = 10  # x1 stands 2^PLACE above x0
LOW_BITS = 6  # bits of a product above PLACE: 16 - PLACE


class PackedProducts(wiring.Component):
    """P = (x0 + 128 + 2^10 x1) w in parts of which both products are made, for every x0, x1 and w.

        (x0 + 128) w = 2^10 carry + below        x1 w = above - carry

    above = floor(P / 2^10) and below = P mod 2^10. carry = floor((x0 + 128) w / 2^10) lies in -32..31, so six bits
    decide it: those of above - x1 w, and the six low bits of x1 w take no multiplier. The packed operand lies in
    -131072..130303, which 18 bits hold. The parts are given so that sums of many products are taken apart once.

    Latency: 1 cycle. Members: `x0`, `x1`, `w`: INT8; `carry`, `above`, `below`.
    """

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "x0": In(signed(8)),
                "x1": In(signed(8)),
                "w": In(signed(8)),
                "carry": Out(signed(LOW_BITS)),
                "above": Out(signed(16)),
                "below": Out(unsigned(PLACE)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packed = Cat(self.x0[:7], ~self.x0[7], Const(0, PLACE - 8), self.x1).as_signed()
        product = Signal(signed(26), reset_less=True)
        m.d.sync += product.eq(packed * self.w)
        m.d.comb += [
            self.above.eq(product >> PLACE),
            self.below.eq(product[:PLACE]),
            self.carry.eq(product[PLACE : PLACE + LOW_BITS] - self._low_bits(m)),
        ]
        return m

    def _low_bits(self, m):
        """x1 w mod 64 beside `product`, from two bits of x1 at a time: synthesis would give `*` a multiplier.

        Every sum is cut to the bits that count, which also keeps synthesis from making one large adder of all.
        """
        digits = []
        for i in range(0, LOW_BITS, 2):
            digit = Signal(LOW_BITS - i, name=f"digit_{i}", reset_less=True)
            once, twice = (Mux(self.x1[i + j], self.w[: LOW_BITS - i - j], 0) for j in range(2))
            m.d.sync += digit.eq(once + (twice << 1))
            digits.append(digit)
        low = digits[-1]
        for i, digit in reversed(list(enumerate(digits[:-1]))):
            total = Signal.like(digit, name=f"low_{i}", reset_less=True)
            m.d.comb += total.eq(digit + (low << 2))
            low = total
        return low

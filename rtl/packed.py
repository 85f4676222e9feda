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

    Latency: 2 cycles; operands and product are in registers that can be those inside a multiplier of the device.
    Members: `x0`, `x1`, `w`: INT8; `carry`, `above`, `below`.
    """

    latency = 2

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
        packed, w = Signal(signed(18), reset_less=True), Signal(signed(8), reset_less=True)
        product = Signal(signed(26), reset_less=True)
        m.d.sync += [
            packed.eq(Cat(self.x0[:7], ~self.x0[7], Const(0, PLACE - 8), self.x1)),
            w.eq(self.w),
            product.eq(packed * w),
        ]
        m.d.comb += [
            self.above.eq(product >> PLACE),
            self.below.eq(product[:PLACE]),
            self.carry.eq(product[PLACE : PLACE + LOW_BITS] - self._low_bits(m)),
        ]
        return m

    def _low_bits(self, m):
        """x1 w mod 64 beside `product`, from two bits of x1 at a time: synthesis would give `*` a multiplier.

        Two addends a sum, cut to the bits that count, and of the top digit gates: synthesis would make compressors
        and one large adder of more.
        """
        first, second, top = self._digits(m)
        low = Signal(LOW_BITS, name="low", reset_less=True)
        total = Signal(4)
        m.d.comb += total.eq(first[2:] + second)
        carried = total[3] ^ top[1] ^ (total[2] & top[0])
        m.d.sync += low.eq(Cat(first[:2], total[:2], total[2] ^ top[0], carried))
        return low

    def _digits(self, m) -> list:
        """w times the two bits of x1 at places 0, 2 and 4, in units of their place, up to 2^6."""
        digits = []
        for place in range(0, LOW_BITS, 2):
            bits = LOW_BITS - place
            digit = Signal(bits, name=f"digit_{place}", reset_less=True)
            once, twice = (Mux(self.x1[place + i], self.w[: bits - i], 0) << i for i in range(2))
            if bits == 2:
                m.d.sync += digit.eq(once ^ twice)  # 2 w has no bit 0: nothing is carried
            else:
                m.d.sync += digit.eq(once + twice)
            digits.append(digit)
        return digits

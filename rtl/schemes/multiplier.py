"""A multiplier per output channel, rounded once (Eq. 9): 16 or 32 bits."""

from amaranth.hdl import Cat, Const, Signal, signed

from rtl.schemes.lane import ACC_BITS, FRACTION_BITS, VALUE_BITS, SchemeLane

HALF = 16  # bits of one digit of the operands
SHIFT_MIN = {16: 16, 32: 31}  # k_c of Eq. 9


class MultiplierLane(SchemeLane):
    """v = floor(acc M_c / 2^(k_c - 15)): M_c in 0..2^bits-1 (bits = 16) or 0..2^31-1 (bits = 32).

    The product is made of those of 16-bit digits, two multipliers of 17 x 17 bits for `bits` = 16 and four for 32.

    Parameters: bits: 16 or 32.

    Members besides SchemeLane's: `multiplier` M_c; `shift`: k_c - 16, 0..31 (bits = 16), k_c - 31, 0..23 (bits = 32).
    """

    def __init__(self, bits: int):
        if bits not in SHIFT_MIN:
            raise ValueError(f"MultiplierLane bits = {bits!r} must be one of {tuple(SHIFT_MIN)}")
        self._bits = bits
        self.channel = {"multiplier": bits if bits == 16 else 31, "shift": 5}
        self.front_stages = 5 if bits == 16 else 6
        super().__init__()

    def _front(self, m):
        product, stages = self._product(m)
        least = SHIFT_MIN[self._bits] - FRACTION_BITS
        scaled = Signal(signed(product.shape().width))
        shift = self._later(m, self.shift, stages, "shift")
        m.d.comb += scaled.eq(product >> least)
        return self._shift_and_saturate(m, scaled, shift, VALUE_BITS)

    def _product(self, m):
        """(acc M_c, registers that it is behind the inputs)."""
        low, high = self.acc[:HALF], self.acc[HALF:].as_signed()
        if self._bits == 16:
            parts = self._digits(m, "low", low, high, self.multiplier)
            product = Signal(signed(ACC_BITS + 16), reset_less=True)
            m.d.sync += product.eq(parts[0] + (parts[1] << HALF))
            return product, 2
        sums = []
        for name, digit in (("low", self.multiplier[:HALF]), ("high", self.multiplier[HALF:])):
            parts = self._digits(m, name, low, high, digit)
            total = Signal(signed(ACC_BITS + HALF), name=f"sum_{name}", reset_less=True)
            m.d.sync += total.eq(parts[0] + (parts[1] << HALF))
            sums.append(total)
        product = Signal(signed(ACC_BITS + 31), reset_less=True)
        kept = Cat(sums[0][:HALF])
        m.d.sync += product.eq(Cat(kept, (sums[1] + sums[0][HALF:].as_signed())[: ACC_BITS + 15]))
        return product, 3

    def _digits(self, m, name, low, high, digit):
        """The registered products of both digits of the accumulator with one of M_c."""
        parts = []
        for part, value in (("low", low), ("high", high)):
            wide = value if part == "high" else Cat(value, Const(0, 1)).as_signed()
            register = Signal(signed(2 * HALF + 1), name=f"product_{part}_{name}", reset_less=True)
            m.d.sync += register.eq(self._times(m, f"{part}_{name}", wide, digit))
            parts.append(register)
        return parts

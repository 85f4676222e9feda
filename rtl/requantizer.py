"""One shift-scaler lane: from a 32-bit accumulator to an INT8 result, a fixed number of cycles later (Eq. 2..7)."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import LayerConstants

ACC_BITS = 32
FINE_BITS = 2  # the fine shift is 0..3, the coarse one the rest of the 5-bit shift
STAGES = ("amount", "coarse", "fine", "saturated", "product", "sum", "offset", "compared", "output")


class RequantizerLane(wiring.Component):
    """y = clamp(floor((t M + r + 2^(15+G)) / 2^(16+G)) + z_y, low, high).

    t = sat_T(floor(acc 2^G / 2^(shift + exponent))). With `residual` (and constants.residual set)
    r = (u - z_u) M_u 2^(G+1), else 0. Any multiplier, exponent and residual multiplier that the ports can carry is
    computed exactly as written, as long as shift + exponent stays in 0..31 (exponent 0..16).

    Latency: `latency` cycles, registers behind every stage. Throughput: one result per cycle; there is no flow
    control, because whoever issues must know where the result goes anyway (credits, rtl/results.py). Constants may
    differ from cycle to cycle. One T x 17 bit signed multiplier, with `residual` one 9 x 17 bit besides.

    Parameters: guard_bits: G, 5 or 7 (T = G + 11).  residual: whether Eq. 7 is built in.
    steady: constants do not change while a result is under way, so none travels beside it.

    Members: `acc` int32; `shift` n_c, 0..15; `constants`; `residual` u, int8; `output` y, int8; `shifted` t, T bits
    (Eq. 3); `product` p, G + 27 bits (Eq. 4). The last three belong to one input, `latency` cycles before.
    """

    def __init__(self, *, guard_bits: int = 7, residual: bool = True, steady: bool = False):
        if guard_bits not in (5, 7):
            raise ValueError(f"RequantizerLane guard_bits = {guard_bits!r} must be one of (5, 7)")
        self._guard_bits = guard_bits
        self._with_residual = residual
        self._steady = steady
        members = {
            "acc": In(signed(ACC_BITS)),
            "shift": In(4),
            "constants": In(LayerConstants),
            "output": Out(signed(8)),
            "shifted": Out(signed(self.shifted_bits)),
            "product": Out(signed(self.product_bits)),
        }
        if residual:
            members["residual"] = In(signed(8))
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from input to output."""
        return len(STAGES)

    @property
    def shifted_bits(self) -> int:
        """T = G + 11, bits of t."""
        return self._guard_bits + 11

    @property
    def product_bits(self) -> int:
        """G + 27, bits of p = t M: |t| <= 2^(G+10), M < 2^16."""
        return self._guard_bits + 27

    def elaborate(self, platform):
        m = Module()
        self._delays: dict[str, list] = {}
        t = self._shift(m)
        p = self._multiply(m, t)
        self._round_and_clamp(m, p)
        m.d.comb += [
            self.shifted.eq(self._delayed(m, "trace_shifted", t, "saturated", "output")),
            self.product.eq(self._delayed(m, "trace_product", p, "product", "output")),
        ]
        return m

    def _delayed(self, m, name, value, since, until):
        """`value`, which belongs to stage `since` (None: the input), as it is beside the registers of `until`."""
        have = -1 if since is None else STAGES.index(since)
        line = self._delays.setdefault(name, [value])
        while len(line) <= STAGES.index(until) - have:
            register = Signal(value.shape(), name=f"{name}_{STAGES[have + len(line)]}", reset_less=True)
            m.d.sync += register.eq(line[-1])
            line.append(register)
        return line[STAGES.index(until) - have]

    def _constant(self, m, name, stage):
        """Field `name` of the layer constants as it is beside the registers of `stage`."""
        value = getattr(self.constants, name)
        return value if self._steady else self._delayed(m, name, value, None, stage)

    def _times(self, m, name, a, b):
        """The multiplier `name`. Proofs put a cut here: solvers do not multiply two variables."""
        return a * b

    def _shift(self, m):
        """Eq. 2 and 3: t, beside stage "saturated"."""
        guard, kept = self._guard_bits, self.shifted_bits
        amount = Signal(5, reset_less=True)
        m.d.sync += amount.eq(self.shift + self.constants.exponent)
        acc = self._delayed(m, "acc", self.acc, None, "amount")

        coarse = Signal(signed(ACC_BITS + guard), reset_less=True)
        scaled = Cat(Const(0, guard), acc).as_signed()
        m.d.sync += coarse.eq(scaled >> Cat(Const(0, FINE_BITS), amount[FINE_BITS:]))
        fine_amount = self._delayed(m, "fine_amount", amount[:FINE_BITS], "amount", "coarse")

        exact = Signal(signed(ACC_BITS + guard))
        fine, outside, negative = Signal(kept, reset_less=True), Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += exact.eq(coarse >> fine_amount)
        m.d.sync += [
            fine.eq(exact[:kept]),
            outside.eq(exact[kept - 1 :].any() & ~exact[kept - 1 :].all()),
            negative.eq(coarse[-1]),
        ]

        saturated = Signal(signed(kept), reset_less=True)
        limit = Cat((~negative).replicate(kept - 1), negative)
        m.d.sync += saturated.eq(Mux(outside, limit, fine))
        return saturated

    def _multiply(self, m, t):
        """Eq. 4: p, beside stage "product"."""
        product = Signal(signed(self.product_bits), reset_less=True)
        m.d.sync += product.eq(self._times(m, "product", t, self._constant(m, "multiplier", "saturated")))
        return product

    def _addend(self, m):
        """(r + 2^(15+G)) / 2^(G+1), beside stage "product"; 25 bits hold it for every residual multiplier."""
        half = 1 << 14
        if not self._with_residual:
            return Const(half, signed(25))
        difference = Signal(signed(9), reset_less=True)
        u = self._delayed(m, "operand", self.residual, None, "amount")
        m.d.sync += difference.eq(u - self._constant(m, "residual_zero_point", "amount"))
        difference = self._delayed(m, "difference", difference, "coarse", "fine")  # the multiplier's own register

        residual_product = Signal(signed(25), reset_less=True)
        multiplier = self._constant(m, "residual_multiplier", "fine")
        m.d.sync += residual_product.eq(self._times(m, "residual_product", difference, multiplier))

        addend = Signal(signed(25), reset_less=True)
        used = self._constant(m, "residual", "saturated")
        m.d.sync += addend.eq(Mux(used, residual_product, 0) + half)
        return addend

    def _round_and_clamp(self, m, p) -> None:
        """Eq. 5 to 7: y, beside stage "output"."""
        guard = self._guard_bits
        total = Signal(signed(guard + 28), reset_less=True)
        m.d.sync += total.eq(p + Cat(Const(0, guard + 1), self._addend(m)).as_signed())

        offset = Signal(signed(12), reset_less=True)  # |q| <= 1536, so q + z_y needs exactly 12 bits
        m.d.sync += offset.eq((total >> (16 + guard)) + self._constant(m, "output_zero_point", "sum"))

        low, high = self._constant(m, "low", "offset"), self._constant(m, "high", "offset")
        below, above = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [below.eq(offset < low), above.eq(offset > high)]
        within = self._delayed(m, "within", offset[:8].as_signed(), "offset", "compared")

        output = Signal(signed(8), reset_less=True)
        low, high = self._constant(m, "low", "compared"), self._constant(m, "high", "compared")
        m.d.sync += output.eq(Mux(below, low, Mux(above, high, within)))
        m.d.comb += self.output.eq(output)

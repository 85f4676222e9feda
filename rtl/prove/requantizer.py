"""The requantizer lane computes Eq. 2..7 for all accumulators, shifts and constants, at any time.

The two multipliers are cut: the front claims show that they are given the right operands, the back claims that
whatever they answer (any number of the product's width) is used as the equations say, other constants every cycle.
"""

from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.interfaces import LayerConstants
from rtl.prove.proof import Proof, delayed, harness_module
from rtl.requantizer import ACC_BITS, STAGES

MODULE = "rtl.requantizer"
EXPONENT_MAX = 16
RESIDUAL_LIMIT = 255 * 65535


class Cut:
    """A multiplier taken out: its operands, and the product that is put in its place."""

    def __init__(self, a_shape, product_shape, stage: str):
        self.a = Signal(a_shape)
        self.b = Signal(16)
        self.product = Signal(product_shape)
        self.age = STAGES.index(stage) + 1  # cycles from the lane's input to the operands


def cut_lane(lane_class, guard_bits: int, residual: bool):
    """A lane of `lane_class` with `cuts`: name -> Cut."""

    class CutLane(lane_class):
        def _times(self, m, name, a, b):
            cut = self.cuts[name]
            m.d.comb += [cut.a.eq(a), cut.b.eq(b)]
            return cut.product

    lane = CutLane(guard_bits=guard_bits, residual=residual)
    lane.cuts = {"product": Cut(signed(guard_bits + 11), signed(guard_bits + 27), "saturated")}
    if residual:
        lane.cuts["residual_product"] = Cut(signed(9), signed(25), "fine")
    return lane


class LaneHarness(wiring.Component):
    """Free inputs every cycle; every claim is about what came `latency` cycles (or a stage's) ago."""

    def __init__(self, lane_class, *, guard_bits: int, residual: bool):
        self._lane = cut_lane(lane_class, guard_bits, residual)
        self._guard_bits = guard_bits
        members = {"acc": In(signed(ACC_BITS)), "shift": In(4), "constants": In(LayerConstants), "u": In(signed(8))}
        members |= {f"cut_{name}": In(cut.product.shape()) for name, cut in self._lane.cuts.items()}
        super().__init__(members)

    def elaborate(self, platform):
        m = harness_module()
        m.submodules.lane = lane = self._lane
        m.d.comb += [lane.acc.eq(self.acc), lane.shift.eq(self.shift), lane.constants.eq(self.constants)]
        m.d.comb += Assume(self.constants.exponent <= EXPONENT_MAX)
        for name, cut in lane.cuts.items():
            m.d.comb += cut.product.eq(getattr(self, f"cut_{name}"))
        age = Signal(range(lane.latency + 1))
        self._warm = Signal()
        m.d.comb += self._warm.eq(age == lane.latency)
        with m.If(~self._warm):
            m.d.sync += age.eq(age + 1)
        self._front(m)
        self._back(m)
        return m

    def _claim(self, m, condition) -> None:
        with m.If(self._warm):
            m.d.comb += Assert(condition)

    def _operands(self, m, name, a, b) -> None:
        cut = self._lane.cuts[name]
        self._claim(m, cut.a == delayed(m, a, cut.age, f"{name}_a"))
        self._claim(m, cut.b == delayed(m, b, cut.age, f"{name}_b"))

    def _front(self, m) -> None:
        """Eq. 2, 3 and the operands of Eq. 4, 7."""
        guard, lane = self._guard_bits, self._lane
        limit = 1 << (guard + 10)
        exact, t = Signal(signed(ACC_BITS + guard)), Signal(signed(guard + 11))
        s = Signal(6)
        m.d.comb += [
            s.eq(self.shift + self.constants.exponent),
            exact.eq(Cat(Const(0, guard), self.acc).as_signed() >> s),
            t.eq(Mux(exact < -limit, -limit, Mux(exact > limit - 1, limit - 1, exact))),
        ]
        self._operands(m, "product", t, self.constants.multiplier)
        self._claim(m, lane.shifted == delayed(m, t, lane.latency, "t"))
        if "residual_product" in lane.cuts:
            difference = Signal(signed(9))
            m.d.comb += [lane.residual.eq(self.u), difference.eq(self.u - self.constants.residual_zero_point)]
            self._operands(m, "residual_product", difference, self.constants.residual_multiplier)

    def _back(self, m) -> None:
        """Eq. 5 to 7, in widths that nothing can leave."""
        guard, lane = self._guard_bits, self._lane
        wide = signed(64)
        p, r, q, y = Signal(wide), Signal(wide), Signal(wide), Signal(wide)
        constants = Signal(LayerConstants)
        m.d.comb += constants.as_value().eq(delayed(m, self.constants.as_value(), lane.latency, "constants"))
        cut = lane.cuts["product"]
        m.d.comb += p.eq(delayed(m, cut.product, lane.latency - cut.age, "p"))
        if "residual_product" in lane.cuts:
            cut = lane.cuts["residual_product"]
            m.d.comb += Assume((cut.product <= RESIDUAL_LIMIT) & (cut.product >= -RESIDUAL_LIMIT))
            product = delayed(m, cut.product, lane.latency - cut.age, "r")
            m.d.comb += r.eq(Mux(constants.residual, product << (guard + 1), 0))
        m.d.comb += q.eq(((p + r + (1 << (15 + guard))) >> (16 + guard)) + constants.output_zero_point)
        m.d.comb += y.eq(Mux(q < constants.low, constants.low, Mux(q > constants.high, constants.high, q)))
        self._claim(m, lane.product == p)
        self._claim(m, lane.output == y)


def _proof(guard_bits: int, residual: bool, bugs) -> Proof:
    def harness(namespace):
        return LaneHarness(namespace.RequantizerLane, guard_bits=guard_bits, residual=residual)

    kind = "residual" if residual else "plain"
    return Proof(
        name=f"requantizer_g{guard_bits}_{kind}",
        claim=f"the lane (G = {guard_bits}, {kind}) equals Eq. 2..7 for every input and every change of constants",
        module=MODULE, harness=harness, depth=len(STAGES) + 1, bugs=bugs,
    )


ARITHMETIC_BUGS = (
    ("half = 1 << 14", "half = 1 << 13"),
    ("exact[kept - 1 :].any() & ~exact[kept - 1 :].all()", "exact[kept:].any() & ~exact[kept:].all()"),
    ("Cat((~negative).replicate(kept - 1), negative)", "Cat((~negative).replicate(kept - 1), 0)"),
    ("m.d.sync += total.eq(p + ", "m.d.sync += total.eq(p - "),
    ("above.eq(offset > high)", "above.eq(offset >= low)"),
)
TIMING_BUGS = (
    ('"output_zero_point", "sum"', '"output_zero_point", "product"'),
    ('self._constant(m, "residual", "saturated")', 'self._constant(m, "residual", "product")'),
    ("difference.eq(u - ", "difference.eq(u + "),
    ("offset = Signal(signed(12)", "offset = Signal(signed(11)"),
    ("addend = Signal(signed(25)", "addend = Signal(signed(24)"),
)

PROOFS = (
    _proof(5, False, ARITHMETIC_BUGS[:1]),
    _proof(7, False, ARITHMETIC_BUGS),
    _proof(5, True, TIMING_BUGS[:1]),
    _proof(7, True, TIMING_BUGS),
)

# amaranth: UnusedElaboratable=no
"""The shift scalers to compare with (rtl/schemes) compute their equations for all operands, at any time.

Multipliers are cut, as in the proof of the engine's lane: the claims are that they are given the right operands and
that whatever they answer is used as the equations say. The equations are those of docs/arithmetic.md with the common
power of two of all other addends taken out of the rounding:
floor((p + a 2^j) / 2^k) = floor((floor(p / 2^j) + a) / 2^(k-j)), for j = G + 1 = 8.
"""

from amaranth.hdl import Assert, Assume, Const, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.interfaces import LayerConstants
from rtl.prove.proof import Proof, delayed, harness_module
from rtl.prove.requantizer import EXPONENT_MAX, RESIDUAL_LIMIT
from rtl.schemes.lane import ACC_BITS, FRACTION_BITS, RESIDUAL_STAGES

WIDE = signed(56)  # that no value leaves
LIMIT_T = 1 << 17  # of t at G = 7


def cut(lane):
    """`lane` with every multiplier taken out: lane.cuts, name -> (a, b, product), in the order of their making."""
    lane.cuts = {}

    def times(m, name, a, b):
        product = Signal((a * b).shape(), name=f"cut_{name}")
        operands = Signal(a.shape(), name=f"cut_{name}_a"), Signal(b.shape(), name=f"cut_{name}_b")
        m.d.comb += [operands[0].eq(a), operands[1].eq(b)]
        lane.cuts[name] = (*operands, product)
        return product

    lane._times = times
    return lane


class SchemeHarness(wiring.Component):
    """Free inputs every cycle; every claim is about what came `latency` cycles (or a multiplier's stage) ago."""

    def __init__(self, lane):
        self._lane = cut(lane)
        channel = {f"c_{field}": In(bits) for field, bits in lane.channel.items()}
        products = {f"p_{number}": In(signed(40)) for number in range(2)}
        super().__init__({"acc": In(signed(ACC_BITS)), "constants": In(LayerConstants), "u": In(signed(8)),
                          **channel, **products})

    def elaborate(self, platform):
        m = harness_module()
        lane = self._lane
        m.submodules.lane = lane.elaborate(None)  # the cuts come into being here
        m.d.comb += [lane.acc.eq(self.acc), lane.constants.eq(self.constants), lane.residual.eq(self.u)]
        m.d.comb += [getattr(lane, name).eq(getattr(self, f"c_{name}")) for name in lane.channel]
        m.d.comb += Assume(self.constants.exponent <= EXPONENT_MAX)
        age = Signal(range(lane.latency + 1))
        self._warm = Signal()
        m.d.comb += self._warm.eq(age == lane.latency)
        with m.If(~self._warm):
            m.d.sync += age.eq(age + 1)
        for number, (_, _, product) in enumerate(lane.cuts.values()):
            m.d.comb += product.eq(getattr(self, f"p_{number}"))
        self._back(m, self._value(m))
        return m

    def _claim(self, m, condition) -> None:
        with m.If(self._warm):
            m.d.comb += Assert(condition)

    def _operands(self, m, name, age, a, b):
        """Claims what the multiplier `name` is given `age` cycles after the inputs; its product beside the output."""
        given_a, given_b, product = self._lane.cuts[name]
        self._claim(m, given_a == delayed(m, a, age, f"{name}_a"))
        self._claim(m, given_b == delayed(m, b, age, f"{name}_b"))
        return delayed(m, product, self._lane.latency - age, f"{name}_p")

    def _wide(self, m, value, name):
        signal = Signal(WIDE, name=name)
        m.d.comb += signal.eq(value)
        return signal

    def _value(self, m):
        """The scaled accumulator that belongs to the output, in units of 2^-15 codes."""
        half = self.c_half_step if "half_step" in self._lane.channel else Const(0, 1)
        exact, t = Signal(WIDE), Signal(signed(18))
        amount = Signal(6)
        m.d.comb += [
            amount.eq(self.c_shift + self.constants.exponent + 2 * half),
            exact.eq((Mux(half, 3 * self.acc, self.acc) << 7) >> amount),
            t.eq(Mux(exact < -LIMIT_T, -LIMIT_T, Mux(exact > LIMIT_T - 1, LIMIT_T - 1, exact))),
        ]
        return self._wide(m, self._operands(m, "product", 4, t, self.constants.multiplier) >> 8, "value")

    def _residual(self, m):
        """r / 2^8 that belongs to the output."""
        start = self._lane.front_stages - RESIDUAL_STAGES
        difference = Signal(signed(9))
        m.d.comb += difference.eq(self.u - self.constants.residual_zero_point)
        _, _, now = self._lane.cuts["residual_product"]
        m.d.comb += Assume((now <= RESIDUAL_LIMIT) & (now >= -RESIDUAL_LIMIT))
        return self._operands(m, "residual_product", start + 1, difference, self.constants.residual_multiplier)

    def _back(self, m, value) -> None:
        """Eq. 5 to 7, in widths that nothing can leave."""
        constants = Signal(LayerConstants)
        before = delayed(m, self.constants.as_value(), self._lane.latency, "constants")
        m.d.comb += constants.as_value().eq(before)
        r = self._wide(m, Mux(constants.residual, self._residual(m), 0), "r")
        q, y = Signal(WIDE), Signal(WIDE)
        m.d.comb += q.eq(((value + r + (1 << 14)) >> FRACTION_BITS) + constants.output_zero_point)
        m.d.comb += y.eq(Mux(q < constants.low, constants.low, Mux(q > constants.high, constants.high, q)))
        self._claim(m, self._lane.output == y)


def _proof(name: str, make, *bugs: tuple[str, str]) -> Proof:
    return Proof(
        name=f"scheme_{name}", claim=f"the lane {name} equals Eq. 2..7 (3h) for all inputs, other constants each time",
        module="rtl.schemes.shift_scaler", harness=lambda namespace: SchemeHarness(make(namespace.ShiftScalerLane)),
        depth=9, bugs=bugs,
    )


PROOFS = (
    _proof(
        "shift-4", lambda lane: lane(4), ('self._constant(m, "multiplier", 4)', 'self._constant(m, "multiplier", 3)'),
        ("SHIFTED_BITS = GUARD_BITS + 11", "SHIFTED_BITS = 17"),
    ),
    _proof("shift-3", lambda lane: lane(3), ("front_stages = 5", "front_stages = 4")),
    _proof("shift-2", lambda lane: lane(2), ("Const(0, GUARD_BITS)", "Const(1, GUARD_BITS)")),
    _proof(
        "half-step", lambda lane: lane(3, half_step=True), ("(half << 1)", "half"),
        ("signed(ACC_BITS + 2 if", "signed(ACC_BITS + 1 if"),
    ),
)

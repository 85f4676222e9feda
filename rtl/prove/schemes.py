# amaranth: UnusedElaboratable=no
"""The requantizer lanes to compare with (rtl/schemes) compute their equations for all operands, at any time.

Multipliers are cut, as in the proof of the engine's lane: the claims are that they are given the right operands and
that whatever they answer is used as the equations say. With the digits' products cut, "acc M" is their sum, each at its
place. The equations are those of docs/arithmetic.md with the common power of two of all other addends taken out of the
rounding: floor((p + a 2^j) / 2^k) = floor((floor(p / 2^j) + a) / 2^(k-j)), for j = k - 15 and G = 7.
"""

from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.interfaces import LayerConstants
from rtl.prove.proof import Proof, delayed, harness_module
from rtl.prove.requantizer import EXPONENT_MAX, RESIDUAL_LIMIT
from rtl.schemes.catalogue import SCHEMES
from rtl.schemes.lane import ACC_BITS, FRACTION_BITS

HALF = 16
DIGITS = {"low_low": 0, "high_low": HALF, "low_high": HALF, "high_high": 2 * HALF}  # place of a digits' product
DIGIT_RANGE = {"low": (0, (1 << HALF) - 1), "high": (-(1 << HALF - 1), (1 << HALF - 1) - 1)}  # of the accumulator
SHIFT_STAGES = 3  # registers of _shift_and_saturate


def cut(lane):
    """`lane` with every multiplier taken out: lane.cuts, name -> (a, b, product), in the order of their making.

    What it shifts and saturates is named: lane.scaled, lane.amount, lane.saturated.
    """
    lane.cuts = {}

    def times(m, name, a, b):
        product = Signal((a * b).shape(), name=f"cut_{name}")
        operands = Signal(a.shape(), name=f"cut_{name}_a"), Signal(b.shape(), name=f"cut_{name}_b")
        m.d.comb += [operands[0].eq(a), operands[1].eq(b)]
        lane.cuts[name] = (*operands, product)
        return product

    def shift_and_saturate(m, value, amount, kept):
        lane.scaled, lane.amount = value, amount
        lane.saturated = type(lane)._shift_and_saturate(lane, m, value, amount, kept)
        return lane.saturated

    def residual_times(m, difference, multiplier):
        product = times(m, "residual_product", difference, multiplier)
        return (lane._later(m, product, lane.product_stages, "residual_product"),)

    lane._times, lane._shift_and_saturate = times, shift_and_saturate
    if lane.product_stages > 1:  # adders, which rtl/schemes/test_shift_add.py gives all operands
        lane._residual_times = residual_times
    return lane


class SchemeHarness(wiring.Component):
    """Free inputs every cycle; every claim is about what came a stage's number of cycles ago.

    The claims follow the stages, so that each leans on that before it: operands of the multipliers, what is shifted,
    saturation, the output.
    """

    def __init__(self, name: str, lane):
        self._name, self._lane = name, cut(lane)
        self._shape = signed(66 if "multiplier" in lane.channel else 56)  # that no value leaves
        channel = {f"c_{field}": In(bits) for field, bits in lane.channel.items()}
        products = {f"p_{number}": In(signed(40)) for number in range(5)}
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
        with m.If(age != lane.latency):
            m.d.sync += age.eq(age + 1)
        self._age = age
        for number, (_, _, product) in enumerate(lane.cuts.values()):
            m.d.comb += product.eq(getattr(self, f"p_{number}"))
        self._back(m, self._value(m))
        return m

    def _claim(self, m, age, condition) -> None:
        """`condition` tells of inputs of `age` cycles ago. Claims of a greater age may lean on it."""
        with m.If(self._age >= age):
            m.d.comb += Assert(condition)

    def _operands(self, m, name, age, a, b):
        """Claims that the multiplier `name` is given a and b, `age` cycles after the inputs; its product."""
        given_a, given_b, product = self._lane.cuts[name]
        self._claim(m, age, (given_a == a) & (given_b == b))
        return product

    def _constant(self, m, name, age):
        return delayed(m, getattr(self.constants, name), age, f"{name}_of_inputs")

    def _wide(self, m, value, name):
        signal = Signal(self._shape, name=name)
        m.d.comb += signal.eq(value)
        return signal

    def _value(self, m):
        """The scaled accumulator that belongs to the output, in units of 2^-15 codes; whole codes where the scheme
        rounds it by itself."""
        lane, start = self._lane, self._lane.front_stages - SHIFT_STAGES
        if "multiplier" in lane.channel:
            product = self._digits(m)
            if self._name == "double-rounding":
                self._rounds_halves_away(m, start, product)
            else:
                self._shifts(m, start, product >> (1 if self._name == "multiplier-16" else 16), self.c_shift)
        elif self._name == "power-of-two":
            self._shifts(m, start, self.acc << FRACTION_BITS, self.c_shift)
        else:
            return self._shift_scaler(m)
        return delayed(m, self._saturates(m, start), lane.latency - lane.front_stages, "value")

    def _shift_scaler(self, m):
        lane, start = self._lane, 1
        half = self.c_half_step if "half_step" in lane.channel else Const(0, 1)
        self._shifts(
            m, start, Mux(half, 3 * self.acc, self.acc) << 7, self.c_shift + self.constants.exponent + 2 * half
        )
        self._saturates(m, start)
        age = lane.front_stages - 1
        product = self._operands(m, "product", age, lane.saturated, self._constant(m, "multiplier", age))
        return delayed(m, product >> 8, lane.latency - age, "value")

    def _shifts(self, m, age, scaled, amount) -> None:
        """Claims that the lane shifts `scaled` by `amount`, both of the inputs, `age` cycles later."""
        self._claim(m, age, self._lane.scaled == delayed(m, self._wide(m, scaled, "scaled"), age, "scaled"))
        self._claim(m, age, self._lane.amount == delayed(m, self._wide(m, amount, "amount"), age, "amount"))

    def _rounds_halves_away(self, m, age, product) -> None:
        """Claims that the lane shifts h (Eq. 10) with what makes the shift's floor round, and that this is Eq. 11."""
        lane = self._lane
        h = delayed(m, self._wide(m, (product + (1 << 30)) >> 31, "h"), age, "h")
        k = delayed(m, self.c_shift, age, "k")
        self._claim(m, age, lane.scaled == h + (((1 << k) - (h < 0)) >> 1))
        self._claim(m, age, lane.amount == k)
        h, k = delayed(m, h, 1, "h_later"), delayed(m, k, 1, "k_later")
        size = self._wide(m, Mux(h < 0, -h, h), "size")
        quotient = self._wide(m, (size + ((1 << k) >> 1)) >> k, "quotient")
        shifted = delayed(m, lane.scaled, 1, "scaled_later") >> delayed(m, lane.amount, 1, "amount_later")
        self._claim(m, age + 1, shifted == Mux(h < 0, -quotient, quotient))

    def _saturates(self, m, age):
        """Claims that the lane saturates what it begins to shift after `age` cycles; that value, unsaturated."""
        lane = self._lane
        scaled, amount = delayed(m, lane.scaled, SHIFT_STAGES, "shifted"), delayed(m, lane.amount, SHIFT_STAGES, "by")
        exact = self._wide(m, scaled >> amount, "exact")
        limit = 1 << len(lane.saturated) - 1
        kept = Mux(exact < -limit, -limit, Mux(exact > limit - 1, limit - 1, exact))
        self._claim(m, age + SHIFT_STAGES, lane.saturated == kept)
        return exact

    def _digits(self, m):
        """acc M_c from the products of its digits."""
        low = Cat(self.acc[:HALF], Const(0, 1)).as_signed()
        operands = {"low": low, "high": self.acc[HALF:].as_signed()}
        total = 0
        for name in (one for one in self._lane.cuts if one in DIGITS):
            part, digit = name.split("_")
            multiplier = self.c_multiplier[HALF:] if digit == "high" else self.c_multiplier[:HALF]
            product = self._operands(m, name, 0, operands[part], multiplier)
            # What a product of these digits can be: sums of others would not fit the registers behind.
            least, most = DIGIT_RANGE[part]
            largest, (_, _, now) = (1 << len(multiplier)) - 1, self._lane.cuts[name]
            m.d.comb += Assume((now <= most * largest) & (now >= least * largest))
            total += product << DIGITS[name]
        return self._wide(m, total, "product")

    def _residual(self, m):
        """r / 2^8 that belongs to the output."""
        start = self._lane.residual_start
        difference = Signal(signed(9))
        m.d.comb += difference.eq(self.u - self.constants.residual_zero_point)
        _, _, now = self._lane.cuts["residual_product"]
        m.d.comb += Assume((now <= RESIDUAL_LIMIT) & (now >= -RESIDUAL_LIMIT))
        given = delayed(m, difference, start + 1, "difference"), self._constant(m, "residual_multiplier", start + 1)
        product = self._operands(m, "residual_product", start + 1, *given)
        return delayed(m, product, self._lane.latency - start - 1, "residual")

    def _back(self, m, value) -> None:
        """Eq. 5 to 7 (10 to 12), in widths that nothing can leave."""
        constants = Signal(LayerConstants)
        before = delayed(m, self.constants.as_value(), self._lane.latency, "constants")
        m.d.comb += constants.as_value().eq(before)
        r = self._wide(m, Mux(constants.residual, self._residual(m), 0), "r")
        q, y = Signal(self._shape), Signal(self._shape)
        if self._name == "double-rounding":
            size = self._wide(m, Mux(r < 0, -r, r), "r_size")
            rounded = self._wide(m, (size + (1 << 14)) >> FRACTION_BITS, "r_rounded")
            m.d.comb += q.eq(value + Mux(r < 0, -rounded, rounded) + constants.output_zero_point)
        else:
            m.d.comb += q.eq(((value + r + (1 << 14)) >> FRACTION_BITS) + constants.output_zero_point)
        m.d.comb += y.eq(Mux(q < constants.low, constants.low, Mux(q > constants.high, constants.high, q)))
        self._claim(m, self._lane.latency, self._lane.output == y)


def _proof(name: str, module: str, make, *bugs: tuple[str, str]) -> Proof:
    return Proof(
        name=f"scheme_{name}",
        claim=f"the lane {name} equals its equations for all inputs, with other constants each time",
        module=f"rtl.schemes.{module}", harness=lambda namespace: SchemeHarness(name, make(namespace)),
        depth=SCHEMES[name]().latency + 1, bugs=bugs,
    )


PROOFS = (
    _proof(
        "shift-4", "shift_scaler", lambda made: made.ShiftScalerLane(4),
        ('self._constant(m, "multiplier", 4)', 'self._constant(m, "multiplier", 3)'),
        ("SHIFTED_BITS = GUARD_BITS + 11", "SHIFTED_BITS = 17"),
    ),
    _proof(
        "shift-4-adders", "shift_scaler", lambda made: made.ResidualByAddersLane(4),
        ("self.constants.exponent + ", ""),
    ),
    _proof(
        "shift-3", "shift_scaler", lambda made: made.ShiftScalerLane(3), ("front_stages = 5", "front_stages = 4"),
    ),
    _proof(
        "shift-2", "shift_scaler", lambda made: made.ShiftScalerLane(2),
        ("Const(0, GUARD_BITS)", "Const(1, GUARD_BITS)"),
    ),
    _proof(
        "half-step", "shift_scaler", lambda made: made.ShiftScalerLane(3, half_step=True), ("(half << 1)", "half"),
        ("signed(ACC_BITS + 2 if", "signed(ACC_BITS + 1 if"),
    ),
    _proof(
        "power-of-two", "power_of_two", lambda made: made.PowerOfTwoLane(),
        ("signed(ACC_BITS + FRACTION_BITS)", "signed(ACC_BITS + 14)"),
    ),
    _proof(
        "multiplier-16", "multiplier", lambda made: made.MultiplierLane(16), ("signed(ACC_BITS + 16)", "signed(47)"),
    ),
    _proof(
        "multiplier-32", "multiplier", lambda made: made.MultiplierLane(32),
        ("sums[0][HALF:].as_signed()", "sums[0][HALF:]"), ("32: 31}  # k_c", "32: 30}  # k_c"),
    ),
    _proof(
        "double-rounding", "double_rounding", lambda made: made.DoubleRoundingLane(),
        ("Mux(h[-1], below, half)", "half"), ("(1 << 14) - 1, 1 << 14", "1 << 14, 1 << 14"),
    ),
)

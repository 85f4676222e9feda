"""What the requantizer lanes to compare with have in common: residual, rounding and clamp (Eq. 5 to 7 at G = 7)."""

from functools import reduce
from operator import add

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.interfaces import LayerConstants

ACC_BITS = 32
FRACTION_BITS = 15  # of what is added and rounded
VALUE_BITS = 26  # of the scaled accumulator: 10 integer bits and a sign beside them
FINE_BITS = 2  # the fine part of a shift is 0..3


class SchemeLane(wiring.Component):
    """y = clamp(floor((v + r + 2^14) / 2^15) + z_y, low, high), with v the accumulator as the scheme scales it.

    v is in units of 2^-15 output codes, floored and saturated to VALUE_BITS bits, which changes no output (as in Eq. 3:
    the residual is at most 255 codes). r = (u - z_u) M_u where constants.residual is set, else 0: Eq. 7 in this unit.
    That equals one rounding of the whole sum, because every number added is a multiple of what the floor cut off.

    Latency: `latency` cycles, registers behind every stage. Throughput: one result per cycle, no flow control.

    A scheme gives `channel`, its parameters per output channel as name -> bits, `front_stages` and `_front`. The
    product of the residual takes `product_stages` registers.

    Members: `acc` int32; one input for each parameter; `constants`; `residual` u, int8; `output` y, int8.
    """

    channel: dict[str, int] = {}
    front_stages = 0
    product_stages = 1

    def __init__(self):
        members = {name: In(bits) for name, bits in self.channel.items()}
        super().__init__(
            {
                "acc": In(signed(ACC_BITS)), "constants": In(LayerConstants), "residual": In(signed(8)),
                "output": Out(signed(8)), **members,
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from input to output."""
        return self.front_stages + 3

    def _front(self, m):
        """v, registered `front_stages` times after the inputs."""
        raise NotImplementedError

    def elaborate(self, platform):
        m = Module()
        v = self._front(m)
        addend = self._addend(m)
        self._round_and_clamp(m, v, addend)
        return m

    def _later(self, m, value, stages, name):
        """`value`, `stages` registers later."""
        for stage in range(stages):
            register = Signal(value.shape(), name=f"{name}_{stage}", reset_less=True)
            m.d.sync += register.eq(value)
            value = register
        return value

    def _constant(self, m, name, stage):
        """Field `name` of the layer constants as it is beside the registers of `stage` (0: the inputs)."""
        return self._later(m, getattr(self.constants, name), stage, f"{name}_for_{stage}")

    def _times(self, m, name, a, b):
        """The multiplier `name`. Proofs put a cut here: solvers do not multiply two variables."""
        return a * b

    @property
    def residual_start(self) -> int:
        """Registers from the inputs to the difference: behind that come its own, those of the product, the addend's."""
        return self.front_stages - self.product_stages - 2

    def _residual_parts(self, m) -> tuple:
        """Numbers whose sum is (u - z_u) M_u, registered `front_stages - 1` times after the inputs."""
        start = self.residual_start
        difference = Signal(signed(9), reset_less=True)
        u = self._later(m, self.residual, start, "operand")
        m.d.sync += difference.eq(u - self._constant(m, "residual_zero_point", start))
        return self._residual_times(m, difference, self._constant(m, "residual_multiplier", start + 1))

    def _residual_times(self, m, difference, multiplier) -> tuple:
        """Numbers whose sum is the product, `product_stages` registers later."""
        product = Signal(signed(25), reset_less=True)
        m.d.sync += product.eq(self._times(m, "residual_product", difference, multiplier))
        return (product,)

    def _addend(self, m):
        """r, beside v."""
        addend = Signal(signed(25), reset_less=True)
        used = self._constant(m, "residual", self.front_stages - 1)
        m.d.sync += addend.eq(reduce(add, (Mux(used, part, 0) for part in self._residual_parts(m))))
        return addend

    def _round_and_clamp(self, m, v, addend) -> None:
        stage = self.front_stages
        total = Signal(signed(VALUE_BITS + 1), reset_less=True)
        m.d.sync += total.eq(v + addend)
        offset = Signal(signed(13), reset_less=True)
        zero_point = Cat(Const(1, 1), self._constant(m, "output_zero_point", stage + 1)).as_signed()
        m.d.sync += offset.eq(((total >> FRACTION_BITS - 1) + zero_point) >> 1)  # the 1 is a half: rounded half up
        output = Signal(signed(8), reset_less=True)
        low, high = self._constant(m, "low", stage + 2), self._constant(m, "high", stage + 2)
        m.d.sync += output.eq(Mux(offset < low, low, Mux(offset > high, high, offset[:8].as_signed())))
        m.d.comb += self.output.eq(output)

    def _shift_and_saturate(self, m, value, amount, kept):
        """sat(value >> amount) of `kept` bits, three registers later: coarse, fine, saturated."""
        coarse = Signal(value.shape(), reset_less=True)
        fine_amount = Signal(FINE_BITS, reset_less=True)
        m.d.sync += [coarse.eq(value >> (amount[FINE_BITS:] << FINE_BITS)), fine_amount.eq(amount[:FINE_BITS])]
        exact = Signal(value.shape())
        fine, outside, negative = Signal(kept, reset_less=True), Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += exact.eq(coarse >> fine_amount)
        m.d.sync += [
            fine.eq(exact[:kept]), negative.eq(coarse[-1]),
            outside.eq(exact[kept - 1 :].any() & ~exact[kept - 1 :].all()),
        ]
        saturated = Signal(signed(kept), reset_less=True)
        limit = (~negative).replicate(kept - 1)
        m.d.sync += saturated.eq(Mux(outside, limit | (negative << (kept - 1)), fine))
        return saturated

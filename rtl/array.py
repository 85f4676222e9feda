"""The MAC array: pixels x lanes dot products of `taps` INT8 pairs, accumulated to int32 (Eq. 1)."""

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from compiler.pipeline import PRODUCT
from rtl.delay import delayed
from rtl.dual import DualProducts
from rtl.packed import OFFSET, PLACE, PackedProducts

ACC_BITS = 32
PRODUCT_BITS = 16


class MacArray(wiring.Component):
    """acc = (bias if first else acc) + sum over taps of x * w, for every pixel and lane.

    Members: `x[pixel][lane][tap]`, `w[lane][tap]`: INT8 operands; `dot_latency` cycles later `accumulate`, `first` and
    `bias[lane]`; one cycle later `acc[pixel][lane]` holds the sum. config.multiplier says how products are made. There
    is a register before and behind each, which can be those inside a multiplier of the device; then they are added in
    pairs, a register behind every level of adders. An engine without queues, which is made for few cells, has one
    register behind all of that. No flow control: the caller issues only what it can take.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        taps = data.ArrayLayout(8, config.taps)
        super().__init__(
            {
                "x": In(data.ArrayLayout(data.ArrayLayout(taps, config.lanes), config.pixels)),
                "w": In(data.ArrayLayout(taps, config.lanes)),
                "accumulate": In(1),
                "first": In(1),
                "bias": In(data.ArrayLayout(signed(ACC_BITS), config.lanes)),
                "acc": Out(data.ArrayLayout(data.ArrayLayout(signed(ACC_BITS), config.lanes), config.pixels)),
            }
        )

    @property
    def dot_latency(self) -> int:
        """Cycles from operands to dot products: products, log2(taps) levels of adders, with packing the parting."""
        if self._config.in_order:
            return 1
        return PRODUCT + (self._config.taps - 1).bit_length() + int(self._config.multiplier == "packed18")

    @property
    def latency(self) -> int:
        """Cycles from operands to accumulators."""
        return self.dot_latency + 1

    def elaborate(self, platform):
        m = Module()
        packed = self._config.multiplier == "packed18"
        if not packed:
            self._hold_operands(m)
        dots = self._packed_dots if packed else self._plain_dots
        for lane in range(self._config.lanes):
            for pixel, dot in enumerate(dots(m, lane)):
                acc = Signal(signed(ACC_BITS), name=f"acc_{pixel}_{lane}", reset_less=True)
                m.d.comb += self.acc[pixel][lane].eq(acc)
                with m.If(self.accumulate):
                    m.d.sync += acc.eq(Mux(self.first, self.bias[lane], acc) + dot)
        return m

    def _hold_operands(self, m) -> None:
        """A register for each operand; none without queues."""
        self._x, self._w = self.x, self.w
        if self._config.in_order:
            return
        self._x = Signal.like(self.x, name="held_x", reset_less=True)
        self._w = Signal.like(self.w, name="held_w", reset_less=True)
        m.d.sync += [self._x.eq(self.x), self._w.eq(self.w)]

    def _plain_dots(self, m, lane: int) -> list:
        """The dot products of a lane, one multiplier a product, without queues maybe one for two."""
        config, dots = self._config, []
        for pixel in range(config.pixels):
            name = f"{pixel}_{lane}"
            products = []
            for t in range(config.taps):
                product = Signal(signed(PRODUCT_BITS), name=f"product_{name}_{t}", reset_less=True)
                domain = m.d.comb if config.in_order else m.d.sync
                if config.multiplier != "dual8":
                    domain += product.eq(self._x[pixel][lane][t].as_signed() * self._w[lane][t].as_signed())
                products.append(product)
            if config.multiplier == "dual8":
                self._dual(m, products, self._x[pixel][lane], self._w[lane], name)
            if config.in_order:
                dot_bits = PRODUCT_BITS + (config.taps - 1).bit_length()
                dot = Signal(signed(dot_bits), name=f"dot_{name}", reset_less=True)
                m.d.sync += dot.eq(sum(products[1:], products[0]))
                dots.append(dot)
            else:
                dots.append(added_in_pairs(m, products, name=f"dot_{name}"))
        return dots

    def _dual(self, m, products, x, w, name: str) -> None:
        """Drives the products of a lane, two with each multiplier."""
        for t in range(0, len(products), 2):
            m.submodules[f"products_{name}_{t}"] = dual = DualProducts()
            m.d.comb += [
                dual.a0.eq(x[t]), dual.b0.eq(w[t]), dual.a1.eq(x[t + 1]), dual.b1.eq(w[t + 1]),
                products[t].eq(dual.y0), products[t + 1].eq(dual.y1),
            ]

    def _packed_dots(self, m, lane: int) -> list:
        """The dot products of a lane, one multiplier for the products of two pixels (rtl.packed)."""
        config, dots = self._config, []
        weights = [self.w[lane][t].as_signed() for t in range(config.taps)]
        weight_sum = added_in_pairs(m, weights, name=f"weights_{lane}")
        weight_sum = delayed(m, weight_sum, PackedProducts.latency, name=f"weight_sum_{lane}")
        for pixel in range(0, config.pixels, 2):
            name = f"{pixel}_{lane}"
            parts = [PackedProducts() for _ in range(config.taps)]
            for t, part in enumerate(parts):
                m.submodules[f"products_{name}_{t}"] = part
                m.d.comb += [
                    part.x0.eq(self.x[pixel][lane][t]),
                    part.x1.eq(self.x[pixel + 1][lane][t]),
                    part.w.eq(weights[t]),
                ]
            carry, above, below = (
                added_in_pairs(m, [getattr(part, kind) for part in parts], name=f"{kind}_{name}")
                for kind in ("carry", "above", "below")
            )
            even, odd = (
                Signal(signed(len(above)), name=f"dot_{pixel + i}_{lane}", reset_less=True) for i in range(2)
            )
            m.d.sync += [even.eq((carry << PLACE) + below - weight_sum * OFFSET), odd.eq(above - carry)]
            dots += [even, odd]
        return dots


def added_in_pairs(m: Module, terms: list, *, name: str):
    """The sum of `terms`, a power of two of them and of one shape: log2(len(terms)) cycles later.

    One register a level: synthesis makes adders with carry chains of them, and no tree of compressors.
    """
    level = 0
    while len(terms) > 1:
        level += 1
        shape = Shape(len(terms[0]) + 1, signed=terms[0].shape().signed)
        sums = [Signal(shape, name=f"{name}_{level}_{i}", reset_less=True) for i in range(len(terms) // 2)]
        m.d.sync += [total.eq(terms[2 * i] + terms[2 * i + 1]) for i, total in enumerate(sums)]
        terms = sums
    return terms[0]

"""A block between registers: what makes its clock frequency measurable without a pin for every bit."""

from amaranth.hdl import Cat, ClockSignal, DomainRenamer, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

CLOCK = "clk"


class Harness(wiring.Component):
    """Every input bit of `block` comes from a shift register, every output bit goes into a signature register.

    So each path of the block starts and ends at a register, as inside an engine, and nothing can be optimised away:
    the inputs are arbitrary and each output changes the signature. Two pins, whatever the block has.

    A block that takes its clock by a member `clk` gets that of the registers.

    Members: `serial`: next input bit; `remainder`: last bit of the signature.
    """

    def __init__(self, block: wiring.Component):
        self._block = block
        super().__init__({"serial": In(1), "remainder": Out(1)})

    def elaborate(self, platform):
        m = Module()
        own_clock = CLOCK in self._block.signature.members
        m.submodules.block = DomainRenamer("block")(self._block) if own_clock else self._block
        inputs, outputs = self._ports()
        chain = Signal(len(inputs), reset_less=True)
        signature = Signal(len(outputs), reset_less=True)
        m.d.sync += [
            chain.eq(Cat(self.serial, chain)),
            signature.eq(Cat(signature[-1], signature[:-1]) ^ outputs),
        ]
        m.d.comb += [inputs.eq(chain), self.remainder.eq(signature[-1])]
        if own_clock:
            m.d.comb += self._block.clk.eq(ClockSignal())
        return m

    def _ports(self):
        inputs, outputs = [], []
        for path, member, value in self._block.signature.flatten(self._block):
            if path == (CLOCK,):
                continue
            if isinstance(port := Value.cast(value), Signal):  # streams that are always ready have constants
                (inputs if member.flow is In else outputs).append(port)
        return Cat(*inputs), Cat(*outputs)

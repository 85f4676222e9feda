"""The AXI4-Lite subordinate: one access and one answer per transfer, answers held until taken."""

from amaranth.hdl import Assert, Signal
from amaranth.lib.wiring import In

from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds


class LiteHarness(StreamHarness):
    """The AXI4-Lite subordinate: one access and one answer per transfer, answers held, never stuck."""

    def __init__(self, subordinate):
        self._subordinate = subordinate
        super().__init__(
            {
                "awvalid": In(1), "awaddr": In(12), "wvalid": In(1), "wdata": In(32), "bready": In(1),
                "arvalid": In(1), "araddr": In(12), "rready": In(1), "answer": In(32), "refused": In(2),
            }
        )

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.subordinate = dut = self._subordinate
        axi = dut.axi
        inputs = ("awvalid", "awaddr", "wvalid", "wdata", "bready", "arvalid", "araddr", "rready")
        m.d.comb += [getattr(axi, name).eq(getattr(self, name)) for name in inputs]
        m.d.comb += [dut.read_data.eq(self.answer), dut.write_error.eq(self.refused[0])]
        m.d.comb += dut.read_error.eq(self.refused[1])
        holds(m, Assert, self.started, axi.bvalid, axi.bready, axi.bresp, "b")
        holds(m, Assert, self.started, axi.rvalid, axi.rready, axi.rdata, "rdata")
        holds(m, Assert, self.started, axi.rvalid, axi.rready, axi.rresp, "rresp")
        self._transfers(m, axi.awvalid & axi.awready, axi.awready, dut.write, axi.awaddr[2:], dut.write_address, "aw")
        self._transfers(m, axi.wvalid & axi.wready, axi.wready, dut.write, axi.wdata, dut.write_data, "w")
        self._transfers(m, axi.arvalid & axi.arready, axi.arready, dut.read, axi.araddr[2:], dut.read_address, "ar")
        self._answers(m, dut.write, axi.bvalid, axi.bready, [(axi.bresp, self.refused[0] * 2)], "b")
        answer = [(axi.rresp, self.refused[1] * 2), (axi.rdata, self.answer)]
        self._answers(m, dut.read, axi.rvalid, axi.rready, answer, "r")
        with m.If(~axi.awready & ~axi.wready & ~axi.bvalid):
            m.d.comb += Assert(dut.write)
        with m.If(~axi.arready & ~axi.rvalid):
            m.d.comb += Assert(dut.read)
        return m

    def _transfers(self, m, taken, ready, access, payload, used, name) -> None:
        """Transfers taken and not yet used by an access: 0 or 1; the access sees the payload of its transfer."""
        pending, kept = Signal(name=f"{name}_pending"), Signal(payload.shape(), name=f"{name}_kept")
        m.d.sync += pending.eq(pending + taken - access)
        with m.If(taken):
            m.d.sync += kept.eq(payload)
        m.d.comb += [Assert(ready == ~pending), Assert(~access | pending)]
        with m.If(pending):
            m.d.comb += Assert(used == kept)

    def _answers(self, m, access, valid, ready, payload, name) -> None:
        """Accesses not yet answered: 0 or 1; the answer is that of the access."""
        owed = Signal(name=f"{name}_owed")
        m.d.sync += owed.eq(owed + access - (valid & ready))
        m.d.comb += [Assert(owed == valid), Assert(~access | ~owed)]
        for i, (signal, value) in enumerate(payload):
            kept = Signal(signal.shape(), name=f"{name}_{i}_kept")
            with m.If(access):
                m.d.sync += kept.eq(value)
            with m.If(valid):
                m.d.comb += Assert(signal == kept)


PROOFS = (
    Proof(
        name="axi4_lite", claim="AXI4-Lite: one access and one answer per transfer, answers held, never stuck",
        module="rtl.axi4_lite", harness=lambda space: LiteHarness(space.Axi4LiteSubordinate(address_bits=12)), depth=4,
        bugs=(
            ("self.write.eq(aw_held & w_held & ~axi.bvalid)", "self.write.eq(aw_held & w_held)"),
            ("m.d.comb += ready.eq(~held)", "m.d.comb += ready.eq(1)"),
            ("with m.Elif(ready):", "with m.Else():"),
        ),
    ),
)

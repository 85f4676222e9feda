"""Stream stages hold what they offer, and every beat comes out once, in order, unchanged."""

from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.prove.proof import Proof, harness_module

AXI4, LITE = "rtl.axi4", "rtl.axi4_lite"
HALF = 64


def previous(m: Module, value, name: str) -> Signal:
    """`value` one cycle ago."""
    register = Signal(value.shape(), name=f"{name}_before", reset_less=True)
    m.d.sync += register.eq(value)
    return register


def holds(m: Module, prop, started, valid, ready, payload, name: str) -> None:
    """`prop` (Assert or Assume): what was offered and not taken is offered again, unchanged."""
    was_valid, was_ready = previous(m, valid, f"{name}_valid"), previous(m, ready, f"{name}_ready")
    was = previous(m, payload, f"{name}_payload")
    with m.If(started & was_valid & ~was_ready):
        m.d.comb += prop(valid & (payload == was))


class StreamHarness(wiring.Component):
    """Common part: `started`, high from the second cycle on, when "one cycle ago" means something."""

    def __init__(self, members: dict):
        super().__init__(members)

    def begin(self) -> Module:
        m = harness_module()
        self.started = Signal()
        m.d.sync += self.started.eq(1)
        return m


class AddressHarness(StreamHarness):
    """AR or AW of the AXI4 adaptor: a register stage with room for one request."""

    def __init__(self, adaptor, channel: str):
        self._adaptor, self._channel = adaptor, channel
        super().__init__({"valid": In(1), "address": In(32), "length": In(4), "ready": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.adaptor = adaptor = self._adaptor
        request = getattr(adaptor.memory, {"ar": "read_request", "aw": "write_request"}[self._channel])
        axi = {name: getattr(adaptor.axi, self._channel + name) for name in ("valid", "ready", "addr", "len")}
        m.d.comb += [
            request.valid.eq(self.valid), request.payload.address.eq(self.address),
            request.payload.length.eq(self.length), axi["ready"].eq(self.ready),
        ]
        inside, address, length = Signal(), Signal(32), Signal(4)  # requests taken and not passed on: 0 or 1
        taken, passed = request.valid & request.ready, axi["valid"] & axi["ready"]
        m.d.sync += inside.eq(inside + taken - passed)
        with m.If(taken):
            m.d.sync += [address.eq(self.address), length.eq(self.length)]
        beats = (length + 1) * (16 // adaptor._bus_bytes)
        m.d.comb += [Assert(inside == axi["valid"]), Assert(~taken | ~inside | passed)]
        with m.If(axi["valid"]):
            m.d.comb += Assert((axi["addr"] == address) & (axi["len"] + 1 == beats))
        holds(m, Assert, self.started, axi["valid"], axi["ready"], axi["addr"], "address")
        holds(m, Assert, self.started, axi["valid"], axi["ready"], axi["len"], "length")
        with m.If(~inside):
            m.d.comb += Assert(request.ready)  # never stuck
        return m


class WriteHarness(StreamHarness):
    """W of the AXI4 adaptor, both widths; a beat of the memory side is `parts` beats of the bus."""

    def __init__(self, adaptor):
        self._adaptor = adaptor
        super().__init__({"valid": In(1), "data": In(128), "last": In(1), "ready": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.adaptor = adaptor = self._adaptor
        beat, axi = adaptor.memory.write_data, adaptor.axi
        m.d.comb += [
            beat.valid.eq(self.valid), beat.payload.data.eq(self.data), beat.payload.last.eq(self.last),
            axi.wready.eq(self.ready),
        ]
        holds(m, Assume, self.started, self.valid, beat.ready, self.data, "data")
        holds(m, Assume, self.started, self.valid, beat.ready, self.last, "last")
        holds(m, Assert, self.started, axi.wvalid, axi.wready, axi.wdata, "wdata")
        holds(m, Assert, self.started, axi.wvalid, axi.wready, axi.wlast, "wlast")
        data, last = Signal(128), Signal()
        with m.If(beat.valid & beat.ready):
            m.d.sync += [data.eq(self.data), last.eq(self.last)]
        if adaptor._bus_bytes == 16:
            self._whole(m, beat, axi, data, last)
        else:
            self._halves(m, beat, axi, data, last)
        return m

    def _whole(self, m, beat, axi, data, last) -> None:
        inside = Signal()
        taken, passed = beat.valid & beat.ready, axi.wvalid & axi.wready
        m.d.sync += inside.eq(inside + taken - passed)
        m.d.comb += [Assert(inside == axi.wvalid), Assert(~taken | ~inside | passed), Assert(beat.ready | inside)]
        with m.If(axi.wvalid):
            m.d.comb += Assert((axi.wdata == data) & (axi.wlast == last))

    def _halves(self, m, beat, axi, data, last) -> None:
        """`upper`: the next half that passes is the upper one, so its beat was taken when it was stored."""
        upper = Signal()
        m.d.sync += upper.eq(upper ^ (axi.wvalid & axi.wready))
        m.d.comb += Assert(self._adaptor._second_write == upper ^ axi.wvalid)
        with m.If(axi.wvalid & ~upper):
            m.d.comb += Assert(self.valid & (axi.wdata == self.data[:HALF]) & ~axi.wlast)
        with m.If(axi.wvalid & upper):
            m.d.comb += Assert((axi.wdata == data[HALF:]) & (axi.wlast == last))
        with m.If(beat.valid & beat.ready):  # a beat is taken exactly when its lower half leaves or has left
            m.d.comb += Assert(self._adaptor._second_write & (upper | (axi.wvalid & axi.wready)))


class ReadHarness(StreamHarness):
    """R of the AXI4 adaptor on a 64-bit bus."""

    def __init__(self, adaptor):
        self._adaptor = adaptor
        super().__init__({"valid": In(1), "data": In(HALF), "response": In(2), "ready": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.adaptor = adaptor = self._adaptor
        beat, axi = adaptor.memory.read_data, adaptor.axi
        m.d.comb += [
            axi.rvalid.eq(self.valid), axi.rdata.eq(self.data), axi.rresp.eq(self.response), beat.ready.eq(self.ready)
        ]
        holds(m, Assume, self.started, axi.rvalid, axi.rready, self.data, "rdata")
        holds(m, Assume, self.started, axi.rvalid, axi.rready, self.response, "rresp")
        holds(m, Assert, self.started, beat.valid, beat.ready, beat.payload.as_value(), "beat")
        waiting, lower, failed = Signal(), Signal(HALF), Signal()  # halves taken and not passed on
        taken, passed = axi.rvalid & axi.rready, beat.valid & beat.ready
        m.d.sync += waiting.eq(waiting ^ taken)
        with m.If(taken & ~waiting):
            m.d.sync += [lower.eq(self.data), failed.eq(self.response[1])]
        m.d.comb += [
            Assert(adaptor._second_read == waiting),
            Assert(passed == (taken & waiting)),
            Assert(waiting | axi.rready),
            Assert(~waiting | ~self.valid | beat.valid),
        ]
        with m.If(waiting):  # what waits is what came first
            m.d.comb += [Assert(beat.payload.data[:HALF] == lower), Assert(adaptor._first_failed == failed)]
        with m.If(passed):
            m.d.comb += Assert(beat.payload.data[HALF:] == self.data)
            m.d.comb += Assert(beat.payload.error == failed | self.response[1])
        return m


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


def _axi4(name, claim, harness, *bugs) -> Proof:
    return Proof(name=name, claim=claim, module=AXI4, harness=harness, depth=4, bugs=bugs)


ADDRESS_BUG = ("m.d.comb += request.ready.eq(~valid | ready)", "m.d.comb += request.ready.eq(1)")
WHOLE_BUG = ("m.d.comb += [beat.ready.eq(~axi.wvalid | axi.wready), ", "m.d.comb += [beat.ready.eq(axi.wready), ")

PROOFS = (
    *(
        _axi4(
            f"axi4_{channel}_{bus_bytes * 8}",
            f"{channel.upper()} of the {bus_bytes * 8}-bit adaptor: every request once, held until taken",
            lambda space, c=channel, b=bus_bytes: AddressHarness(space.Axi4Adaptor(bus_bytes=b), c),
            ADDRESS_BUG,
        )
        for channel in ("ar", "aw")
        for bus_bytes in (8, 16)
    ),
    _axi4(
        "axi4_w_128", "W of the 128-bit adaptor: every beat once, held until taken",
        lambda space: WriteHarness(space.Axi4Adaptor(bus_bytes=16)), WHOLE_BUG,
    ),
    _axi4(
        "axi4_w_64", "W of the 64-bit adaptor: both halves of every beat once, in order, held until taken",
        lambda space: WriteHarness(space.Axi4Adaptor(bus_bytes=8)),
        ("second.eq(second ^ beat.valid)", "second.eq(~second)"),
        ("axi.wlast.eq(beat.payload.last & second)", "axi.wlast.eq(beat.payload.last)"),
        ("beat.ready.eq(free & second)", "beat.ready.eq(second)"),
    ),
    _axi4(
        "axi4_r_64", "R of the 64-bit adaptor: every two halves make one beat, in order, held until taken",
        lambda space: ReadHarness(space.Axi4Adaptor(bus_bytes=8)),
        ("axi.rready.eq(beat.ready | ~second)", "axi.rready.eq(1)"),
        ("beat.payload.error.eq(error | axi.rresp[1])", "beat.payload.error.eq(error & axi.rresp[1])"),
    ),
    Proof(
        name="axi4_lite", claim="AXI4-Lite: one access and one answer per transfer, answers held, never stuck",
        module=LITE, harness=lambda space: LiteHarness(space.Axi4LiteSubordinate(address_bits=12)), depth=4,
        bugs=(
            ("self.write.eq(aw_held & w_held & ~axi.bvalid)", "self.write.eq(aw_held & w_held)"),
            ("m.d.comb += ready.eq(~held)", "m.d.comb += ready.eq(1)"),
            ("with m.Elif(ready):", "with m.Else():"),
        ),
    ),
)

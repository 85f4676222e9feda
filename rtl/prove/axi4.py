# amaranth: UnusedElaboratable=no
"""The channels of the AXI4 adaptor hold what they offer, and every beat comes out once, in order, unchanged."""

from amaranth.hdl import Assert, Assume, Cat, Signal
from amaranth.lib.wiring import In

from rtl.prove.follow import Follow
from rtl.prove.proof import Proof
from rtl.prove.skid_buffer import item_in
from rtl.prove.streams import StreamHarness, holds

AXI4 = "rtl.axi4"
HALF = 64


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
        super().__init__({"valid": In(1), "data": In(128), "last": In(1), "ready": In(1), "chosen": In(1)})

    def elaborate(self, platform):
        m = self.begin()
        m.submodules.adaptor = module = self._adaptor.elaborate(platform)
        adaptor = self._adaptor
        beat, axi = adaptor.memory.write_data, adaptor.axi
        m.d.comb += [
            beat.valid.eq(self.valid), beat.payload.data.eq(self.data), beat.payload.last.eq(self.last),
            axi.wready.eq(self.ready),
        ]
        holds(m, Assume, self.started, self.valid, beat.ready, self.data, "data")
        holds(m, Assume, self.started, self.valid, beat.ready, self.last, "last")
        holds(m, Assert, self.started, axi.wvalid, axi.wready, axi.wdata, "wdata")
        holds(m, Assert, self.started, axi.wvalid, axi.wready, axi.wlast, "wlast")
        if adaptor._bus_bytes == 16:
            self._whole(m, beat, axi, module.submodules.write_beats)
        else:
            self._halves(m, beat, axi)
        return m

    def _whole(self, m, beat, axi, beats) -> None:
        taken, passed, offered = beat.valid & beat.ready, axi.wvalid & axi.wready, Cat(axi.wdata, axi.wlast)
        item = Follow(m, entered=taken, left=passed, item=Cat(self.data, self.last), chosen=self.chosen, room=2)
        m.d.comb += [
            Assert(item.inside == axi.wvalid + beats.full),
            Assert(axi.wvalid | ~beats.full),
            Assert(beat.ready == ~beats.full),
            Assert(offered == beats.o.payload.as_value()),
            Assert(~item.watched | (item.kept == item_in(beats, item.ahead))),
        ]

    def _halves(self, m, beat, axi) -> None:
        """`upper`: the next half that passes is the upper one, so its beat was taken when it was stored."""
        data, last = Signal(128), Signal()
        with m.If(beat.valid & beat.ready):
            m.d.sync += [data.eq(self.data), last.eq(self.last)]
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


def _axi4(name, claim, harness, *bugs) -> Proof:
    return Proof(name=name, claim=claim, module=AXI4, harness=harness, depth=4, bugs=bugs)


ADDRESS_BUG = ("m.d.comb += request.ready.eq(~valid | ready)", "m.d.comb += request.ready.eq(1)")
WHOLE_BUGS = (
    ("axi.wvalid.eq(beats.o.valid)", "axi.wvalid.eq(beats.i.valid)"),
    ("axi.wlast.eq(beats.o.payload.last)", "axi.wlast.eq(beats.i.payload.last)"),
    ("beats.o.ready.eq(axi.wready)", "beats.o.ready.eq(1)"),
)

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
        lambda space: WriteHarness(space.Axi4Adaptor(bus_bytes=16)), *WHOLE_BUGS,
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
)

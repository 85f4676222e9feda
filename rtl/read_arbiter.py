"""The read side of the memory port: bursts of three clients in turn, data handed back in request order."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.command import NUMBER_BITS
from rtl.interfaces import BEAT_BITS, ReadBeat, Request
from rtl.queue import Queue
from rtl.transfer import BurstRequest

CLIENTS = ("fetch", "weights", "load")
FETCH = CLIENTS.index("fetch")
OUTSTANDING = 64


class ReadArbiter(wiring.Component):
    """Grants fetch first, weights and load in turn; refuses bursts that are not `inside` their region.

    Members: `request_<client>`, `beat_<client>`; `hold`: accept no new burst; `discard`: drop arriving data;
    `request`, `read_data`: memory side; `outside` / `bus_error` with numbers; `fetch_error`: the beat that fetch gets
    is an error, which fetch reports itself; `idle`: nothing is outstanding. Throughput: a burst and a beat per cycle;
    bursts of one beat follow each other in every second cycle. Latency: 1 cycle each.
    """

    def __init__(self, *, queue_memory: str = "distributed"):
        self._queue_memory = queue_memory
        members = {
            "hold": In(1),
            "discard": In(1),
            "request": Out(stream.Signature(Request)),
            "read_data": In(stream.Signature(ReadBeat)),
            "outside": Out(1),
            "outside_number": Out(NUMBER_BITS),
            "bus_error": Out(1),
            "bus_error_number": Out(NUMBER_BITS),
            "fetch_error": Out(1),
            "idle": Out(1),
        }
        for client in CLIENTS:
            members[f"request_{client}"] = In(stream.Signature(BurstRequest))
            members[f"beat_{client}"] = Out(stream.Signature(BEAT_BITS))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        tag_layout = data.StructLayout({"client": 2, "length": 4, "number": NUMBER_BITS})
        m.submodules.tags = tags = Queue(width=tag_layout.size, depth=OUTSTANDING, memory=self._queue_memory)
        self._grant(m, tags)
        self._return(m, tags, tag_layout)
        return m

    def _grant(self, m, tags) -> None:
        requests = [getattr(self, f"request_{client}") for client in CLIENTS]
        turn = Signal()  # 1: load goes before weights
        chosen = Signal(2)
        fetch, weights, load = (request.valid for request in requests)
        with m.If(fetch):
            m.d.comb += chosen.eq(0)
        with m.Elif(weights & (~load | ~turn)):
            m.d.comb += chosen.eq(1)
        with m.Else():
            m.d.comb += chosen.eq(2)
        burst = data.View(BurstRequest, Array(r.payload.as_value() for r in requests)[chosen])
        any_valid = Cat(fetch, weights, load).any()
        free = ~self.request.valid | self.request.ready
        granted = Signal()
        m.d.comb += [
            granted.eq(any_valid & burst.inside & free & tags.w_rdy & ~self.hold),
            self.outside.eq(any_valid & ~burst.inside),
            self.outside_number.eq(burst.number),
            tags.w_data.eq(Cat(chosen, burst.length, burst.number)),
            tags.w_en.eq(granted),
        ]
        for index, request in enumerate(requests):
            m.d.comb += request.ready.eq(granted & (chosen == index))
        with m.If(granted):
            m.d.sync += [
                self.request.valid.eq(1),
                self.request.payload.address.eq(burst.address),
                self.request.payload.length.eq(burst.length),
                turn.eq(chosen == 1),
            ]
        with m.Elif(self.request.ready):
            m.d.sync += self.request.valid.eq(0)

    def _return(self, m, tags, tag_layout) -> None:
        """`tag` is that of the burst whose beats come, `following` that behind it; a beat waits for its client here."""
        tag = Signal(tag_layout, reset_less=True)
        tagged = Signal()
        serves = Signal(len(CLIENTS))  # the client that `tag` names, one bit each
        left = Signal(4, reset_less=True)  # beats behind the next one
        ends = Signal()  # there is none
        following = Signal(tag_layout, reset_less=True)
        follows = Signal()
        moves = Signal()
        held = Signal(ReadBeat, reset_less=True)
        holds = Signal(len(CLIENTS))  # the client for which it is, if it is for one
        beats = [getattr(self, f"beat_{client}") for client in CLIENTS]
        taken = Signal()
        free = ~(holds & ~Cat(b.ready for b in beats)).any()
        m.d.comb += [
            self.read_data.ready.eq(tagged & free),
            taken.eq(self.read_data.valid & self.read_data.ready),
            tags.r_en.eq(~follows),
            moves.eq(~tagged | (taken & ends)),
            self.fetch_error.eq(held.error),
            self.idle.eq(~tagged & ~follows & tags.empty & ~self.request.valid),
        ]
        for index, client_beat in enumerate(beats):
            m.d.comb += [client_beat.payload.eq(held.data), client_beat.valid.eq(holds[index])]
        with m.If(free):
            m.d.sync += [held.eq(self.read_data.payload), holds.eq(Mux(taken, serves, 0))]
        with m.If(self.discard):
            m.d.sync += holds.eq(0)
        failed = taken & self.read_data.payload.error & ~self.discard & ~serves[FETCH]
        m.d.sync += [self.bus_error.eq(failed), self.bus_error_number.eq(tag.number)]
        with m.If(~follows):
            m.d.sync += [following.eq(tags.r_data), follows.eq(tags.r_rdy)]
        with m.Elif(moves):
            m.d.sync += follows.eq(0)
        with m.If(moves):
            m.d.sync += [
                tag.eq(following),
                tagged.eq(follows),
                serves.eq(1 << following.client),
                left.eq(following.length),
                ends.eq(following.length == 0),
            ]
        with m.Elif(taken):
            m.d.sync += [left.eq(left - 1), ends.eq(left == 1)]

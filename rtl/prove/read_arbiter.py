# amaranth: UnusedElaboratable=no
"""The read arbiter: every granted burst is requested once, and its beats go to the client that asked, all of them."""

from amaranth.hdl import Assert, Assume, Cat, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In

from rtl.interfaces import ReadBeat
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds, previous
from rtl.read_arbiter import CLIENTS, FETCH, OUTSTANDING
from rtl.transfer import BurstRequest


class Granted(data.Struct):
    """What a client asked for, and which client."""

    burst: BurstRequest
    client: unsigned(2)


class ArbiterHarness(StreamHarness):
    """Free clients and a free memory; `discard` (an abort, where data is dropped on purpose) is low."""

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.ReadArbiter()
        members = {"ready": In(1), "valid": In(1), "payload": In(ReadBeat), "hold": In(1)}
        members |= {"chosen": In(1), "followed": In(1)}
        for client in CLIENTS:
            members |= {f"{client}_valid": In(1), f"{client}_request": In(BurstRequest)}
            members |= {f"{client}_ready": In(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        self._drive(m, dut)
        requests = [getattr(dut, f"request_{client}") for client in CLIENTS]
        beats = [getattr(dut, f"beat_{client}") for client in CLIENTS]
        grants = [request.valid & request.ready for request in requests]
        granted, item = Signal(), Signal(Granted)
        m.d.comb += [granted.eq(Cat(grants).any()), Assert(sum(grants) <= 1), Assert(~granted | ~self.hold)]
        for i, request in enumerate(requests):
            with m.If(grants[i]):
                m.d.comb += [item.burst.eq(request.payload), item.client.eq(i)]
        self._requested_once(m, dut, granted, item.burst)
        self._answered(m, dut, module.submodules.tags, granted, item, beats)
        return m

    def _drive(self, m, dut) -> None:
        m.d.comb += [dut.hold.eq(self.hold), dut.request.ready.eq(self.ready)]
        m.d.comb += [dut.read_data.valid.eq(self.valid), dut.read_data.payload.eq(self.payload)]
        for client in CLIENTS:
            request, beat = getattr(dut, f"request_{client}"), getattr(dut, f"beat_{client}")
            m.d.comb += [
                request.valid.eq(getattr(self, f"{client}_valid")),
                request.payload.eq(getattr(self, f"{client}_request")),
                beat.ready.eq(getattr(self, f"{client}_ready")),
            ]
            holds(m, Assert, self.started, beat.valid, beat.ready, beat.payload, client)
        holds(m, Assume, self.started, self.valid, dut.read_data.ready, self.payload.as_value(), "read_data")
        holds(m, Assert, self.started, dut.request.valid, dut.request.ready, dut.request.payload.as_value(), "request")

    def _requested_once(self, m, dut, granted, burst) -> None:
        passed = dut.request.valid & dut.request.ready
        asked = Follow(
            m, entered=granted, left=passed, item=burst.as_value(), chosen=self.chosen, room=1, name="request"
        )
        kept = BurstRequest(asked.kept)
        m.d.comb += Assert(asked.inside == dut.request.valid)
        with m.If(asked.watched):
            m.d.comb += Assert(dut.request.payload.address == kept.address[:32])
            m.d.comb += Assert(dut.request.payload.length == kept.length)

    def _answered(self, m, dut, tags, granted, item, beats) -> None:
        """`passed_on`: beats of the followed burst that its client has."""
        taken, left = dut.read_data.valid & dut.read_data.ready, self._signals["left"]
        tag, tagged, ends = (self._signals[name] for name in ("tag", "tagged", "ends"))
        following, follows = self._signals["following"], self._signals["follows"]
        burst = Follow(
            m, entered=granted, left=tagged & taken & ends, item=item.as_value(), chosen=self.chosen,
            room=OUTSTANDING + 2, name="burst",
        )
        tags.is_well_formed(m)
        kept, passed_on, turn = Granted(burst.kept), Signal(5), Signal()
        queued = tags.entry(m, burst.ahead - tagged - follows)
        waiting = Mux(follows & (burst.ahead == tagged), following.as_value(), queued)
        expected = Cat(kept.client, kept.burst.length, kept.burst.number)
        self._delivered(m, dut, beats, taken)
        m.d.comb += [
            turn.eq(burst.watched & (burst.ahead == 0)),
            Assert(burst.inside == tags.level + follows + tagged),
            Assert(dut.idle == ((burst.inside == 0) & ~dut.request.valid)),
            Assert(~burst.watched | (Mux(turn & tagged, tag.as_value(), waiting) == expected)),
            Assert(~tagged | ((left <= tag.length) & (ends == (left == 0)))),
            Assert(~tagged | (self._signals["serves"] == (1 << tag.client)[: len(CLIENTS)])),
            Assert(~turn | ((Mux(tagged, tag.length - left, 0) == passed_on) & (passed_on <= kept.burst.length))),
            Assert(turn | (passed_on == 0)),
            Assert(~burst.leaves | (passed_on == kept.burst.length)),
        ]
        with m.If(turn & taken):
            m.d.sync += passed_on.eq(passed_on + 1)
            m.d.comb += Assert(self._signals["serves"] == (1 << kept.client)[: len(CLIENTS)])
            with m.If(burst.leaves):
                m.d.sync += passed_on.eq(0)
        with m.If(turn & self.valid & tagged):  # never stuck
            busy = Cat(b.valid & ~b.ready for b in beats).any()
            m.d.comb += Assert(dut.read_data.ready == ~busy)

    def _delivered(self, m, dut, beats, taken) -> None:
        """A beat that is taken is offered in the next cycle to the client that `serves` names, until it takes it.

        That of the followed burst is its own.
        """
        offered = Cat(b.valid for b in beats)
        left = Cat(b.valid & b.ready for b in beats).any()
        client = previous(m, Mux(taken, self._signals["serves"], 0), "client")
        failed = taken & self.payload.error & ~self._signals["serves"][FETCH]
        number = previous(m, self._signals["tag"].number, "number")
        item = Follow(
            m, entered=taken & (self._signals["serves"] != 0), left=left, item=self.payload.as_value(),
            chosen=self.followed, room=1, name="beat",
        )
        m.d.comb += [
            Assert(item.inside == offered.any()),
            Assert(sum(offered) <= 1),
            Assert(~item.watched | (self._signals["held"].as_value() == item.kept)),
            Assert(~offered.any() | (Cat(b.payload == self._signals["held"].data for b in beats).all())),
            Assert(~self.started | (dut.bus_error == previous(m, failed, "failed"))),
            Assert(~self.started | ~dut.bus_error | (dut.bus_error_number == number)),
        ]
        with m.If(self.started & (client != 0)):
            m.d.comb += Assert(offered == client)


PROOFS = (
    Proof(
        name="read_arbiter", module="rtl.read_arbiter", harness=lambda space: ArbiterHarness(space), depth=2,
        claim="every granted burst is requested once, held, and all its beats go to its client, once, in order",
        bugs=(
            ("free & tags.w_rdy & ~self.hold)", "free & ~self.hold)"),
            ("free & tags.w_rdy & ~self.hold)", "free & tags.w_rdy)"),
            ("free = ~self.request.valid | self.request.ready", "free = 1"),
            ("moves.eq(~tagged | (taken & ends))", "moves.eq(~tagged | ends)"),
            ("tags.r_en.eq(~follows)", "tags.r_en.eq(~follows | moves)"),
            ("with m.Elif(moves):", "with m.Elif(taken):"),
            ("tagged & free)", "tagged)"),
            ("holds.eq(Mux(taken, serves, 0))", "holds.eq(serves)"),
            ("left.eq(following.length)", "left.eq(0)"),
            ("with m.Elif(self.request.ready):", "with m.Else():"),
        ),
    ),
)

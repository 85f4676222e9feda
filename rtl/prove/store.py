# amaranth: UnusedElaboratable=no
"""STORE: every word read is written once, in order, in the burst it was read for; its buffers never overflow."""

from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal
from amaranth.lib.wiring import In

from compiler.encoding import Unit, length_units
from rtl.interfaces import BEAT_BITS
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof, delayed
from rtl.prove.skid_buffer import item_in
from rtl.prove.streams import StreamHarness, holds, previous, stays
from rtl.scratchpad import ADDRESS_BITS, Scratchpad
from rtl.store import BUFFER_BEATS, OUTSTANDING

LATENCY = Scratchpad.answer_latency


class StoreHarness(StreamHarness):
    """Free commands, words and readiness; a response comes only for a burst whose request and data have left."""

    def __init__(self, space):
        self._signals = opened(space)
        self._dut = space.Store(scratchpad_words=2048)
        self._free = {
            "command": In(length_units(Unit.STORE) * BEAT_BITS), "command_valid": In(1), "may_start": In(1),
            "number": In(16), "hold": In(1), "base": In(32), "limit": In(33), "word": In(BEAT_BITS),
        }
        ready = {f"{name}_ready": In(1) for name in ("read", "request", "data")}
        super().__init__({**self._free, **ready, "answer": In(1), "failed": In(1), "chosen": In(4)})

    def elaborate(self, platform):
        m, dut = self.begin(), self._dut
        m.submodules.dut = module = dut.elaborate(platform)
        m.d.comb += [getattr(dut, name).eq(getattr(self, name)) for name in self._free]
        m.d.comb += [
            dut.read.ready.eq(self.read_ready), dut.write_request.ready.eq(self.request_ready),
            dut.write_data.ready.eq(self.data_ready), dut.write_response.valid.eq(self.answer),
            dut.write_response.payload.error.eq(self.failed),
        ]
        for name in ("write_request", "write_data"):
            stream = getattr(dut, name)
            holds(m, Assert, self.started, stream.valid, stream.ready, stream.payload.as_value(), name)
        beats, requests, tags = (getattr(module.submodules, name) for name in ("beats", "requests", "tags"))
        for buffer in (beats, requests, tags):
            buffer.is_well_formed(m)
            m.d.comb += Assert(~buffer.w_en | buffer.w_rdy)
        self._skid = module.submodules.words
        self._read(m, dut, module.submodules.walk)
        self._words(m, dut, beats)
        self._burst(m, module.submodules.walk)
        self._bursts(m, dut, requests, tags)
        return m

    def _read(self, m, dut, walk) -> None:
        """Words leave the walk for the scratchpad in order; one outside is not read, and none behind it."""
        stays(m, self.started, self.limit, "limit")
        holds(m, Assert, self.started, dut.read.valid, dut.read.ready, dut.read.payload, "read")
        skid, asked, read = self._skid, self._signals["asked"], self._signals["read"]
        address, wrong = self._signals["address"], dut.overflow | dut.outside
        outside = (walk.address >= 2048) | (address >= self.limit[4:])
        bad = previous(m, walk.step & outside, "bad")
        word = Follow(
            m, entered=walk.step & ~outside, left=dut.read.valid & dut.read.ready,
            item=Cat((address[:4] == 15) | walk.last_in_row, walk.address[:ADDRESS_BITS]), chosen=self.chosen[3],
            room=2, name="word",
        )
        m.d.comb += [
            Assert(word.inside == skid.o.valid + skid.full),
            Assert(skid.o.valid | ~skid.full),
            Assert(~word.watched | (word.kept == item_in(skid, word.ahead))),
            Assert(~self.started | (wrong == (previous(m, wrong, "wrong") | bad))),
            Assert(~(wrong & walk.step)),
        ]
        given = previous(m, Cat(dut.read.valid, skid.o.payload.last), "given")
        was_ready, was_asked = previous(m, self.read_ready, "ready"), previous(m, Cat(asked.valid, asked.last), "asked")
        m.d.comb += [
            Assert(~self.started | (Cat(asked.valid, asked.last) == Mux(was_ready, given, was_asked))),
            Assert(read.valid == (asked.valid & self.read_ready)),
            Assert(read.last == asked.last),
        ]

    def _words(self, m, dut, beats) -> None:
        """A word arrives LATENCY cycles after it was read."""
        read, asked = self._signals["read"], self._signals["asked"]
        under_way = [delayed(m, read.valid, age, f"read_{age}") for age in range(1, LATENCY + 1)]
        last = delayed(m, read.last, LATENCY, "last")
        left = dut.write_data.valid & dut.write_data.ready
        beat = Follow(
            m, entered=under_way[-1], left=left, item=Cat(self.word, last), chosen=self.chosen[0], room=BUFFER_BEATS,
            name="beat",
        )
        there, first = self._signals["there"], self._signals["beat"].as_value()
        waiting = Mux(there & (beat.ahead == 0), first, beats.entry(m, beat.ahead - there))
        before = self._skid.o.valid + self._skid.full + asked.valid + (dut.overflow | dut.outside)
        m.d.comb += [
            Assert(beats.w_en == under_way[-1]),
            Assert(beat.inside == beats.level + there),
            Assert(self._signals["used"] == before + sum(under_way) + beats.level + there),
            Assert(self._signals["used"] <= BUFFER_BEATS),
            Assert(~beat.watched | (waiting == beat.kept)),
            Assert(~beat.leaves | (dut.write_data.payload.as_value() == beat.kept)),
        ]

    def _burst(self, m, walk) -> None:
        """A burst is known in the cycle behind the step from its last word; `count`: its words so far."""
        address, burst = self._signals["address"], self._signals["burst"]
        last = (address[:4] == 15) | walk.last_in_row
        count = Signal(5)
        with m.If(walk.step):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
        was_count, was_address = previous(m, count, "count"), previous(m, address[:28], "address")
        was_tag = previous(m, Cat(walk.last, walk.number), "tag")
        m.d.comb += [
            Assert(~self.started | (burst.valid == previous(m, walk.step & last, "ended"))),
            Assert(~burst.valid | ((burst.unit + was_count)[:28] == was_address)),
            Assert(~burst.valid | ((burst.length == was_count) & (burst.tag.as_value() == was_tag))),
            Assert(walk.valid | (count == 0)),
            Assert(self._signals["length"] == count),
            Assert((count == 0) | (count <= address[:4])),
            Assert((count == 0) | ((self._signals["start"] + count)[:28] == address[:28])),
        ]

    def _bursts(self, m, dut, requests, tags) -> None:
        """`requested`, `sent`: bursts whose request (whose last beat) has left and that have no response."""
        names = ("read", "asked", "burst", "tagged", "kept", "some", "comes", "leaves", "due")
        read, asked, burst, tagged, kept, some, comes, leaves, due = (self._signals[name] for name in names)
        skid = self._skid
        offered_ends, kept_ends = skid.o.valid & skid.o.payload.last, skid.full & skid.kept.last
        begun = burst.valid & ~(dut.overflow | dut.outside)
        passed = dut.write_request.valid & dut.write_request.ready
        left = dut.write_data.valid & dut.write_data.ready
        request = Follow(
            m, entered=begun, left=passed, item=Cat(Const(0, 4), burst.unit, burst.length), chosen=self.chosen[1],
            room=OUTSTANDING, name="request",
        )
        answer = Follow(
            m, entered=begun, left=self.answer, item=burst.tag.as_value(), chosen=self.chosen[2], room=OUTSTANDING,
            name="answer",
        )
        requested, sent = Signal(range(OUTSTANDING + 1)), Signal(range(OUTSTANDING + 1))
        sends_last = left & dut.write_data.payload.last
        m.d.sync += [requested.eq(requested + passed - self.answer), sent.eq(sent + sends_last - self.answer)]
        ends = [delayed(m, read.valid & read.last, age, f"ends_{age}") for age in range(1, LATENCY + 1)]
        asked_ends = offered_ends + kept_ends + (asked.valid & asked.last)
        under_way = asked_ends + sum(ends)  # last words of bursts
        newest_ends = Mux(skid.full, kept_ends, offered_ends)
        was_begun = previous(m, begun, "begun")
        waiting = tags.level + tagged
        tag = Mux(tagged & (answer.ahead == 0), self._signals["tag"].as_value(), tags.entry(m, answer.ahead - tagged))
        m.d.comb += [
            Assume(~self.answer | ((requested != 0) & (sent != 0))),
            Assert(request.inside == requests.level),
            Assert(answer.inside == waiting),
            Assert(self._signals["open_bursts"] == waiting),
            Assert(waiting + begun <= OUTSTANDING),
            Assert(waiting == requests.level + requested),
            Assert(requests.level + begun == due + under_way),
            Assert(waiting + begun == under_way + kept + comes + leaves + sent),
            Assert(~some | (kept != 0)),
            Assert(~dut.write_data.valid | leaves),
            Assert(~begun | newest_ends),
            Assert(~self.started | ~was_begun | (asked_ends != 0)),
            Assert(~self.started | requests.r_rdy | (requests.level == was_begun)),
            Assert(~dut.write_request.valid | requests.r_rdy),
            Assert(~request.watched | (Cat(Const(0, 4), requests.entry(m, request.ahead)) == request.kept)),
            Assert(~request.leaves | (dut.write_request.payload.as_value() == request.kept)),
            Assert(~answer.watched | (tag == answer.kept)),
            Assert(tagged | ((requested == 0) & (tags.r_rdy | ~requests.r_rdy))),  # never later than the answer
            Assert(tags.r_rdy | (tags.level == 0) | (requests.level > requests.r_rdy)),
            Assert(dut.idle == (waiting + begun == 0)),
        ]
        with m.If(answer.leaves):
            m.d.comb += Assert(dut.finished == answer.kept[0])
            m.d.comb += Assert((dut.bus_error == self.failed) & (dut.bus_error_number == answer.kept[1:]))


PROOFS = (
    Proof(
        name="store", module="rtl.store", harness=lambda space: StoreHarness(space), depth=LATENCY + 2,
        claim="every word read is written once, in order, held; a request per burst, of its words; nothing overflows",
        bugs=(
            ("(used < BUFFER_BEATS)", "(beats.level < BUFFER_BEATS)"),
            ("open_bursts < OUTSTANDING - 1", "open_bursts < OUTSTANDING"),
            ("requests.r_en.eq(requested)", "requests.r_en.eq(self.write_request.ready)"),
            ("beats.r_en.eq(~there | taken)", "beats.r_en.eq(~there | self.write_data.ready)"),
            ("self.write_data.valid.eq(there & leaves)", "self.write_data.valid.eq(there)"),
            ("leaves.eq(moves | (leaves & ~ends))", "leaves.eq(moves | leaves)"),
            ("(some | comes) & (~leaves | ends)", "some | comes"),
            ("whole | ((kept != 0) & ~enters)", "whole | (kept != 0)"),
            ("enters.eq(some & ~comes)", "enters.eq(some)"),
            ("due + whole - requested", "due + whole - self.write_request.ready"),
            ("Mux(burst_last, 0, length + 1)", "length + 1"),
            ("(used < BUFFER_BEATS) & words.i.ready", "(used < BUFFER_BEATS)"),
            ("~self.hold & ~wrong", "~self.hold"),
            ("words.i.valid.eq(walk.step & ~outside)", "words.i.valid.eq(walk.step)"),
            ("asked.valid & self.read.ready", "asked.valid"),
            ("words.o.ready.eq(self.read.ready)", "words.o.ready.eq(1)"),
            ("tags.r_en.eq(~tagged | answered)", "tags.r_en.eq(1)"),
        ),
    ),
)

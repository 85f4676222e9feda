# amaranth: UnusedElaboratable=no
"""STORE: every word read is written once, in order, in the burst it was read for; its buffers never overflow."""

from amaranth.hdl import Assert, Assume, Cat, Mux, Signal
from amaranth.lib.wiring import In

from compiler.encoding import Unit, length_units
from rtl.interfaces import BEAT_BITS
from rtl.prove.follow import Follow
from rtl.prove.opened import opened
from rtl.prove.proof import Proof, delayed
from rtl.prove.streams import StreamHarness, holds, previous, stays
from rtl.scratchpad import Scratchpad
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
        super().__init__({**self._free, **ready, "answer": In(1), "failed": In(1), "chosen": In(3)})

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
        self._holds_read(m, dut)
        beats, requests, tags = (getattr(module.submodules, name) for name in ("beats", "requests", "tags"))
        for buffer in (beats, requests, tags):
            buffer.is_well_formed(m)
            m.d.comb += Assert(~buffer.w_en | buffer.w_rdy)
        self._words(m, dut, beats, module.submodules.walk)
        self._bursts(m, dut, requests, tags)
        return m

    def _holds_read(self, m, dut) -> None:
        """Until the engine stops it (`hold`)."""
        stays(m, self.started, self.limit, "limit")
        goes_on = self.started & ~self.hold & ~(dut.overflow | dut.outside)
        holds(m, Assert, goes_on, dut.read.valid, dut.read.ready, dut.read.payload, "read")

    def _words(self, m, dut, beats, walk) -> None:
        """A word arrives LATENCY cycles after its address was taken."""
        read, length, address = self._signals["read"], self._signals["length"], self._signals["address"]
        word, asked = self._signals["stepped"], self._signals["asked"]
        wrong = dut.overflow | dut.outside
        under_way = [delayed(m, read.valid, age, f"read_{age}") for age in range(1, LATENCY + 1)]
        last = delayed(m, read.last, LATENCY, "last")
        left = dut.write_data.valid & dut.write_data.ready
        beat = Follow(
            m, entered=under_way[-1], left=left, item=Cat(self.word, last), chosen=self.chosen[0], room=BUFFER_BEATS,
            name="beat",
        )
        m.d.comb += [
            Assert(beats.w_en == under_way[-1]),
            Assert(beat.inside == beats.level),
            Assert(self._signals["used"] == asked.valid + sum(under_way) + beats.level),
            Assert(self._signals["used"] <= BUFFER_BEATS),
            Assert(~beat.watched | (beats.entry(m, beat.ahead) == beat.kept)),
            Assert(~beat.leaves | (dut.write_data.payload.as_value() == beat.kept)),
            Assert(read.valid == (asked.valid & self.read_ready & ~wrong)),
            Assert(Cat(read.last, read.address, read.length, read.tag)
                   == Cat(asked.last, asked.address, asked.length, asked.tag)),
            Assert(~wrong | (asked.valid & (dut.error_number == asked.tag.number))),
        ]
        self._asked(m, dut, walk, word, asked, wrong)
        count = Signal(5)  # words of this burst asked for so far
        with m.If(word.valid):
            m.d.sync += count.eq(count + 1)
            with m.If(word.last):
                m.d.sync += count.eq(0)
            m.d.comb += [Assert(word.length == count), Assert((word.address + 16 * count)[:32] == address[:32])]
        m.d.comb += [Assert(walk.valid | (count == 0)), Assert(length == count)]
        m.d.comb += Assert((count == 0) | (count <= address[4:8]))
        m.d.comb += Assert((count == 0) | ((self._signals["burst_start"] + 16 * count)[:32] == address[:32]))

    def _asked(self, m, dut, walk, word, asked, wrong) -> None:
        """A word that the scratchpad takes is in hand until it is read, or for good if it lies outside."""
        taken, goes = Signal(), Signal()
        m.d.comb += [taken.eq(dut.read.valid & dut.read.ready), goes.eq(self.read_ready & ~wrong)]
        outside = (walk.address >= 2048) | (self._signals["address"] > self._signals["end"])
        was_outside, was = previous(m, outside, "outside"), previous(m, word.as_value(), "word")
        was_taken, went = previous(m, taken, "taken"), previous(m, goes, "goes")
        was_asked, was_wrong = previous(m, asked.as_value(), "asked"), previous(m, wrong, "wrong")
        with m.If(self.started & went):
            m.d.comb += Assert(asked.valid == was_taken)
            m.d.comb += Assert(wrong == (asked.valid & was_outside))
            m.d.comb += Assert(~asked.valid | (asked.as_value() == was))
        with m.Elif(self.started):
            m.d.comb += [Assert(asked.as_value() == was_asked), Assert(wrong == was_wrong)]

    def _bursts(self, m, dut, requests, tags) -> None:
        """`requested`, `sent`: bursts whose request (whose last beat) has left and that have no response."""
        read, in_hand, tagged = (self._signals[name] for name in ("read", "asked", "tagged"))
        whole = Signal()
        m.d.comb += whole.eq(read.valid & read.last)
        under_way = [delayed(m, whole, age, f"whole_{age}") for age in range(1, LATENCY + 1)]
        request = delayed(m, Cat(read.address, read.length), LATENCY, "request")
        tag = delayed(m, read.tag.as_value(), LATENCY, "tag")
        passed = dut.write_request.valid & dut.write_request.ready
        sent_last = dut.write_data.valid & dut.write_data.ready & dut.write_data.payload.last
        asked = Follow(
            m, entered=under_way[-1], left=passed, item=request, chosen=self.chosen[1], room=OUTSTANDING, name="request"
        )
        burst = Follow(
            m, entered=under_way[-1], left=self.answer, item=tag, chosen=self.chosen[2], room=OUTSTANDING, name="burst"
        )
        requested, sent = Signal(range(OUTSTANDING + 1)), Signal(range(OUTSTANDING + 1))
        waiting = tags.level + tagged
        kept = Mux(tagged & (burst.ahead == 0), self._signals["tag"].as_value(), tags.entry(m, burst.ahead - tagged))
        m.d.sync += [requested.eq(requested + passed - self.answer), sent.eq(sent + sent_last - self.answer)]
        m.d.comb += [
            Assume(~self.answer | ((requested != 0) & (sent != 0))),
            Assert(asked.inside == requests.level),
            Assert(burst.inside == waiting),
            Assert(self._signals["open_bursts"] == sum(under_way) + waiting),
            Assert(self._signals["open_bursts"] + (in_hand.valid & in_hand.last) <= OUTSTANDING),
            Assert(waiting == requests.level + requested),
            Assert(waiting == self._signals["whole_bursts"] - self._signals["sent_last"] + sent),
            Assert(~asked.watched | (requests.entry(m, asked.ahead) == asked.kept)),
            Assert(~asked.leaves | (dut.write_request.payload.as_value() == asked.kept)),
            Assert(~burst.watched | (kept == burst.kept)),
            Assert(tagged | ((requested == 0) & (tags.r_rdy | ~requests.r_rdy))),  # never later than the answer
            Assert(tags.r_rdy | (tags.level == 0) | (requests.level > requests.r_rdy)),
            Assert(dut.idle == ((waiting + sum(under_way) == 0) & (~in_hand.valid | dut.overflow | dut.outside))),
        ]
        with m.If(burst.leaves):
            m.d.comb += Assert(dut.finished == burst.kept[0])
            m.d.comb += Assert((dut.bus_error == self.failed) & (dut.bus_error_number == burst.kept[1:]))


PROOFS = (
    Proof(
        name="store", module="rtl.store", harness=lambda space: StoreHarness(space), depth=LATENCY + 2,
        claim="every word read is written once, in order, held; a request per burst, of its words; nothing overflows",
        bugs=(
            ("used < BUFFER_BEATS)", "beats.level < BUFFER_BEATS)"),
            ("open_bursts < OUTSTANDING - 1", "open_bursts < OUTSTANDING"),
            ("requests.r_en.eq(self.write_request.ready)", "requests.r_en.eq(1)"),
            ("beats.r_en.eq(taken)", "beats.r_en.eq(self.write_data.ready)"),
            ("beats.r_rdy & (whole_bursts > sent_last)", "beats.r_rdy"),
            ("whole_bursts > sent_last", "whole_bursts != 0"),
            ("Mux(burst_last, 0, length + 1)", "length + 1"),
            ("walk.step.eq(self.read.valid & self.read.ready)", "walk.step.eq(self.read.valid)"),
            ("with m.If(self.read.ready & ~wrong):", "with m.If(self.read.ready):"),
            ("read.valid.eq(asked.valid & self.read.ready & ~wrong)", "read.valid.eq(asked.valid & self.read.ready)"),
            ("tags.r_en.eq(~tagged | answered)", "tags.r_en.eq(1)"),
        ),
    ),
)

# amaranth: UnusedElaboratable=no
"""The one way to the memory of an engine without queues: mover and fetcher take turns, nothing that asks is dropped."""

from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal
from amaranth.lib.wiring import In

from compiler.config import PRESETS
from rtl.in_order_fetch import region_bits
from rtl.prove.opened import opened
from rtl.prove.proof import Proof
from rtl.prove.streams import StreamHarness, holds, previous


class InOrderHarness(StreamHarness):
    """Mover, fetcher and memory are free, but that each holds what it asks for; the regions stay."""

    def __init__(self, space):
        config = PRESETS["nano"]
        self._signals, self._bits = opened(space), region_bits(config)
        self._dut, self._fetch, self._mover = (
            part(config) for part in (space.InOrderAccess, space.InOrderFetch, space.Mover)
        )
        place = len(self._mover.request.payload)
        super().__init__(
            {
                "fetch_asks": In(1), "fetch_place": In(self._bits), "mover_reads": In(1), "mover_writes": In(1),
                "mover_place": In(place), "in_image": In(1), "image_base": In(32), "data_base": In(32),
                "read_ready": In(1), "answer": In(1), "write_ready": In(1), "discard": In(1),
            }
        )

    def elaborate(self, platform):
        m, dut, fetch, mover = self.begin(), self._dut, self._fetch, self._mover
        dut._reads(m, fetch, mover)
        memory = dut.memory
        m.d.comb += [
            fetch.request.valid.eq(self.fetch_asks), fetch.request.payload.eq(self.fetch_place),
            mover.request.valid.eq(self.mover_reads), mover.request.payload.eq(self.mover_place),
            mover.write_asks.eq(self.mover_writes), mover.in_image.eq(self.in_image),
            dut.image_base.eq(self.image_base), dut.data_base.eq(self.data_base), dut.discard.eq(self.discard),
            memory.read_request.ready.eq(self.read_ready), memory.read_data.valid.eq(self.answer),
            memory.write_request.ready.eq(self.write_ready),
        ]
        mover_waits, fetch_waits = self._turns(m)
        self._steady(m, mover_waits, fetch_waits)
        read, write = memory.read_request, memory.write_request
        holds(m, Assert, self.started, read.valid, read.ready, read.payload.address, "read")
        holds(m, Assert, self.started, write.valid, write.ready, write.payload.address, "write")
        self._addresses(m, mover_waits, fetch_waits)
        return m

    def _turns(self, m) -> tuple[Signal, Signal]:
        """Whose read is under way, from its acceptance to its answer; nobody is given another's answer or grant."""
        dut, fetch, mover = self._dut, self._fetch, self._mover
        read, answer, write = dut.memory.read_request, dut.memory.read_data, dut.memory.write_request
        mover_waits, fetch_waits, owed = Signal(), Signal(), Signal()
        answered = answer.valid & answer.ready
        for waits, unit in ((mover_waits, mover), (fetch_waits, fetch)):
            accepted = unit.request.valid & unit.request.ready
            m.d.sync += waits.eq((waits & ~answered) | accepted)
            m.d.comb += [
                Assert(~accepted | ~waits),
                Assert(unit.beat_valid == (waits & answered & ~self.discard)),
            ]
        m.d.sync += owed.eq((owed & ~answered) | (read.valid & read.ready))
        m.d.comb += [
            Assume(~answer.valid | owed),
            Assert(~(mover_waits & fetch_waits)),
            Assert((mover_waits | fetch_waits) == (read.valid | answer.ready)),
            Assert(answer.ready == owed), Assert(~(read.valid & owed)),
            Assert(~(mover_waits | fetch_waits) | (self._signals["moving"] == mover_waits)),
            Assert((write.valid & write.ready) == (self.mover_writes & mover.write_granted)),
        ]
        return mover_waits, fetch_waits

    def _steady(self, m, mover_waits, fetch_waits) -> None:
        """What Mover and InOrderFetch do: one thing at a time, and what is asked for stays until it is there."""
        mover, fetch = self._mover, self._fetch
        m.d.comb += [
            Assume(~self.mover_reads | ~self.mover_writes),
            Assume(~mover_waits | ~(self.mover_reads | self.mover_writes)),
            Assume(self.started | ~self.mover_writes),  # a word to be written was read before
            Assume(~fetch_waits | ~self.fetch_asks),
        ]
        moved = Cat(self.mover_place, self.in_image)
        holds(m, Assume, self.started, self.mover_reads, mover.request.ready, moved, "mover_read")
        holds(m, Assume, self.started, self.mover_writes, mover.write_granted, moved, "mover_write")
        holds(m, Assume, self.started, self.fetch_asks, fetch.request.ready, self.fetch_place, "fetch")
        regions, moves = Cat(self.image_base, self.data_base), mover_waits | self.mover_writes
        for waits, value, name in (
            (moves, moved, "moved"), (fetch_waits, self.fetch_place, "fetched"), (1, regions, "regions"),
        ):
            before = previous(m, value, name)
            with m.If(self.started & waits):
                m.d.comb += Assume(value == before)

    def _addresses(self, m, mover_waits, fetch_waits) -> None:
        """Base of the region and place in it, in units of 16 bytes; the mover has the address unless a fetch asks."""
        read, write = self._dut.memory.read_request, self._dut.memory.write_request
        image, data = (base[4 : 4 + self._bits] for base in (self.image_base, self.data_base))
        moved = (Mux(self.in_image, image, data) + self.mover_place)[: self._bits + 1]
        fetched = image + self.fetch_place
        for valid, address, expected in (
            (read.valid & mover_waits, read.payload.address, moved),
            (read.valid & fetch_waits, read.payload.address, fetched),
            (write.valid, write.payload.address, moved),
        ):
            with m.If(valid):
                m.d.comb += Assert(address == Cat(Const(0, 4), expected))


PROOFS = (
    Proof(
        name="in_order_reads", module="rtl.in_order", harness=lambda space: InOrderHarness(space), depth=2,
        claim="one read at a time, its answer to who asked; a read or write that asks is held until it is taken",
        bugs=(
            ("taken = fetch.request.valid & fetch.request.ready", "taken = fetch.request.valid"),
            ("write.valid.eq(mover.write_asks & ~fetches)", "write.valid.eq(mover.write_asks)"),
            ("mover.write_granted.eq(write.ready & ~fetches)", "mover.write_granted.eq(write.ready)"),
            ("free & ~mover.request.valid & ~mover.write_asks", "free & ~mover.write_asks"),
            ("with m.Elif(asking & request.ready):", "with m.Elif(request.ready):"),
            ("answer.valid & ~moving & ~self.discard", "answer.valid & ~self.discard"),
            ("Mux(fetches, fetched, moved)", "moved"),
            ("Mux(mover.in_image, self.image_base, self.data_base)", "self.data_base"),
        ),
    ),
)

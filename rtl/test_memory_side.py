# amaranth: UnusedElaboratable=no
"""The AXI4 and the RAM adaptor under the same traffic: every byte, every error flag, no surplus, all stall patterns."""

import random

import pytest
from amaranth.sim import Simulator

from rtl.axi4 import Axi4Adaptor
from rtl.interfaces import BURST_BEATS
from rtl.memory_models import PAGE_BYTES, PAGES, STALLS, AxiMemory, PlainRam, pattern
from rtl.one_beat_adaptor import OneBeatAdaptor
from rtl.ram_adaptor import RamAdaptor

BAD_PAGE = PAGES  # the first one beyond the memory


def bursts(rng: random.Random, pages: list[int]) -> list[tuple[int, int]]:
    """(byte address, beats), one burst inside each page."""
    found = []
    for page in pages:
        first = rng.randint(0, BURST_BEATS - 1)
        beats = rng.choice((1, BURST_BEATS - first, rng.randint(1, BURST_BEATS - first)))
        found.append((page * PAGE_BYTES + first * 16, beats))
    return found


async def put(ctx, stream, payloads: list[dict], willing) -> None:
    """Send every payload, VALID held until READY."""
    for payload in payloads:
        while not next(willing):
            await ctx.tick()
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)


async def collect(ctx, stream, fields, willing, into: list) -> None:
    """Receive for ever."""
    while True:
        if hasattr(stream.ready, "name"):
            ctx.set(stream.ready, next(willing))
        sampled = await ctx.tick().sample(stream.valid, stream.ready, *[getattr(stream.payload, f) for f in fields])
        if sampled[2] and sampled[3]:
            into.append(tuple(sampled[4:]))


class Traffic:
    """Writes to some pages, waits for the responses, then reads them all back while other pages are written."""

    def __init__(self, memory, stalls: str, rng: random.Random):
        self.memory, self.stalls, self.rng = memory, stalls, rng
        self.responses, self.beats = [], []
        self.contents: dict[int, int] = {}

    def willing(self):
        return pattern(self.stalls, self.rng)

    def simulate(self, dut, model) -> None:
        simulator = Simulator(dut)
        simulator.add_clock(1e-8)
        self.pages = self.rng.sample(range(PAGES), PAGES)
        self.first = bursts(self.rng, [*self.pages[:8], BAD_PAGE, *self.pages[8:12]])
        self.second = bursts(self.rng, self.pages[12:])
        simulator.add_testbench(model.run, background=True)
        responses, beats = self.memory.write_response, self.memory.read_data
        simulator.add_testbench(self._collector(responses, ("error",), self.responses), background=True)
        simulator.add_testbench(self._collector(beats, ("data", "error"), self.beats), background=True)
        for batch, gate in ((self.first, 0), (self.second, len(self.first))):
            simulator.add_testbench(self._write_requests(batch, gate))
            simulator.add_testbench(self._write_data(batch, gate))
        simulator.add_testbench(self._reads)
        simulator.run()

    def _collector(self, stream, fields, into):
        async def bench(ctx):
            await collect(ctx, stream, fields, self.willing(), into)
        return bench

    def _write_requests(self, batch, gate):
        async def bench(ctx):
            while len(self.responses) < gate:
                await ctx.tick()
            payloads = [{"address": address, "length": beats - 1} for address, beats in batch]
            await put(ctx, self.memory.write_request, payloads, self.willing())
        return bench

    def _write_data(self, batch, gate):
        payloads = []
        for address, beats in batch:
            for i in range(beats):
                data = self.rng.getrandbits(128)
                self.contents[address + 16 * i] = data
                payloads.append({"data": data, "last": i == beats - 1})

        async def bench(ctx):
            while len(self.responses) < gate:
                await ctx.tick()
            await put(ctx, self.memory.write_data, payloads, self.willing())
        return bench

    async def _reads(self, ctx):
        while len(self.responses) < len(self.first):
            await ctx.tick()
        payloads = [{"address": address, "length": beats - 1} for address, beats in self.first]
        await put(ctx, self.memory.read_request, payloads, self.willing())
        wanted = sum(beats for _, beats in self.first)
        for _ in range(20000):
            if len(self.beats) >= wanted and len(self.responses) >= len(self.first) + len(self.second):
                break
            await ctx.tick()
        await ctx.tick().repeat(50)  # surplus answers would arrive now

    def check(self, model) -> None:
        expected = [(int(address >= PAGES * PAGE_BYTES),) for address, _ in self.first + self.second]
        assert self.responses == expected
        places = [address + 16 * i for address, beats in self.first for i in range(beats)]
        assert len(places) > 13 and len(self.beats) == len(places)
        for place, (data, error) in zip(places, self.beats, strict=True):
            assert error == (place >= PAGES * PAGE_BYTES), f"error flag of the beat at {place:#x}"
            if not error:
                assert data == self.contents[place], f"beat at {place:#x}"
        image = bytearray(len(model.bytes))
        for place, data in self.contents.items():
            if place < len(image):
                image[place : place + 16] = data.to_bytes(16, "little")
        assert image == model.bytes


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("bus_bytes", [8, 16])
def test_axi4(bus_bytes, stalls):
    seed = 1000 * bus_bytes + STALLS.index(stalls)
    print(f"seed {seed}; repeat: pytest 'rtl/test_memory_side.py::test_axi4[{bus_bytes}-{stalls}]'")
    rng = random.Random(seed)
    dut = Axi4Adaptor(bus_bytes=bus_bytes)
    model = AxiMemory(dut.axi, bus_bytes, stalls, rng)
    traffic = Traffic(dut.memory, stalls, rng)
    traffic.simulate(dut, model)
    traffic.check(model)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("width", [128, 64])
def test_ram(width, stalls):
    seed = 1000 * width + STALLS.index(stalls)
    print(f"seed {seed}; repeat: pytest 'rtl/test_memory_side.py::test_ram[{width}-{stalls}]'")
    rng = random.Random(seed)
    dut = RamAdaptor(words=PAGES * PAGE_BYTES // 16, width=width)
    model = PlainRam(dut)
    traffic = Traffic(dut.memory, stalls, rng)
    traffic.simulate(dut, model)
    traffic.check(model)


@pytest.mark.parametrize("width", [128, 64])
def test_one_beat_at_a_time(width):
    """Reads and writes of single beats at the same time, some outside the memory: every byte and every error flag."""
    rng = random.Random(width)
    dut = OneBeatAdaptor(words=PAGES * PAGE_BYTES // 16, width=width)
    model, memory = PlainRam(dut), dut.memory
    places = rng.sample(range(0, (PAGES + 1) * PAGE_BYTES, 16), 60)
    contents, seen, written = {place: rng.getrandbits(128) for place in places}, [], []

    async def write(ctx):
        for place in places:
            await ctx.tick().repeat(rng.randint(1, 4))
            ctx.set(memory.write_request.payload, {"address": place, "length": 0})
            ctx.set(memory.write_data.payload, {"data": contents[place], "last": 1})
            for stream in (memory.write_request, memory.write_data):  # either one may be later
                await ctx.tick().repeat(rng.randint(1, 2))
                ctx.set(stream.valid, 1)
            await ctx.tick().until(memory.write_request.ready & memory.write_data.ready)
            ctx.set(memory.write_request.valid, 0)
            ctx.set(memory.write_data.valid, 0)
            (error,) = await ctx.tick().sample(memory.write_response.payload.error).until(memory.write_response.valid)
            written.append(place)
            assert error == (place >= PAGES * PAGE_BYTES)

    async def read(ctx):
        while len(seen) < 200:
            await ctx.tick()
            if not written:
                continue
            place = rng.choice(written)
            ctx.set(memory.read_request.payload, {"address": place, "length": 0})
            ctx.set(memory.read_request.valid, 1)
            await ctx.tick().until(memory.read_request.ready)
            ctx.set(memory.read_request.valid, 0)
            answer = memory.read_data
            found = await ctx.tick().sample(answer.payload.data, answer.payload.error).until(answer.valid)
            seen.append((place, *found))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(model.run, background=True)
    simulator.add_testbench(write)
    simulator.add_testbench(read)
    simulator.run()
    assert len(written) == len(places) and any(error for _, _, error in seen)
    for place, data, error in seen:
        assert error == (place >= PAGES * PAGE_BYTES) and (error or data == contents[place])


def first_cycles(withheld: str) -> dict[str, int]:
    """The cycle of the first AWVALID and WVALID when the subordinate never takes the channel `withheld`."""
    dut = Axi4Adaptor(bus_bytes=16)
    seen = {}

    async def bench(ctx):
        ctx.set(dut.axi.awready, withheld != "aw")
        ctx.set(dut.axi.wready, withheld != "w")
        ctx.set(dut.memory.write_request.valid, 1)
        ctx.set(dut.memory.write_data.valid, 1)
        for cycle in range(10):
            await ctx.tick()
            for channel in ("aw", "w"):
                if ctx.get(getattr(dut.axi, f"{channel}valid")):
                    seen.setdefault(channel, cycle)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize("withheld", ["aw", "w"])
def test_write_channels_do_not_wait_for_each_other(withheld):
    assert first_cycles(withheld) == {"aw": 0, "w": 0}


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="bus_bytes = 4"):
        Axi4Adaptor(bus_bytes=4)
    with pytest.raises(ValueError, match="words = 3"):
        RamAdaptor(words=3)
    with pytest.raises(ValueError, match="width = 32"):
        RamAdaptor(words=4, width=32)
    with pytest.raises(ValueError, match="width = 32"):
        OneBeatAdaptor(words=4, width=32)

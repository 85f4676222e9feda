# amaranth: UnusedElaboratable=no
"""The AXI4 and the RAM adaptor under the same traffic: every byte, every error flag, no surplus, all stall patterns."""

import random

import pytest
from amaranth.sim import Simulator

from rtl.axi4 import Axi4Adaptor
from rtl.interfaces import BURST_BEATS
from rtl.ram_adaptor import RamAdaptor

PAGES, PAGE_BYTES = 32, 256
BAD_PAGE = PAGES  # the first one beyond the memory
STALLS = ("none", "random", "alternating", "mostly")


def pattern(stalls: str, rng: random.Random):
    """Endless 0/1: whether a side is willing in a cycle."""
    cycle = 0
    while True:
        yield {"none": 1, "random": rng.randint(0, 1), "alternating": cycle % 2, "mostly": rng.random() < 0.1}[stalls]
        cycle += 1


def bursts(rng: random.Random, pages: list[int]) -> list[tuple[int, int]]:
    """(byte address, beats), one burst inside each page."""
    found = []
    for page in pages:
        first = rng.randint(0, BURST_BEATS - 1)
        beats = rng.choice((1, BURST_BEATS - first, rng.randint(1, BURST_BEATS - first)))
        found.append((page * PAGE_BYTES + first * 16, beats))
    return found


class AxiMemory:
    """An AXI4 subordinate that checks every rule of the channels it receives."""

    def __init__(self, axi, bus_bytes: int, stalls: str, rng: random.Random):
        self.axi, self.bus_bytes, self.rng = axi, bus_bytes, rng
        self.bytes = bytearray(PAGES * PAGE_BYTES)
        self.patterns = {name: pattern(stalls, rng) for name in ("aw", "w", "b", "ar", "r")}
        self.queues = {"aw": [], "w": [], "ar": []}
        self.first_seen = {"aw": None, "w": None}

    def failed(self, address: int) -> bool:
        return address >= len(self.bytes)

    async def run(self, ctx):
        axi, held, before = self.axi, {"b": None, "r": None}, {}
        reading = []
        cycle = 0
        while True:
            for channel in ("aw", "w", "ar"):
                ctx.set(getattr(axi, f"{channel}ready"), next(self.patterns[channel]))
            self._offer(ctx, held, reading)
            names = [f"{channel}{name}" for channel in ("aw", "ar")
                     for name in ("valid", "ready", "addr", "len", "size", "burst", "id")]
            names += ["wvalid", "wready", "wdata", "wstrb", "wlast", "bvalid", "bready", "rvalid", "rready"]
            sampled = await ctx.tick().sample(*[getattr(axi, name) for name in names])
            now = dict(zip(names, sampled[2:], strict=True))
            for channel, payload in (("aw", ("addr", "len")), ("ar", ("addr", "len")), ("w", ("data", "last"))):
                self._receive(channel, payload, now, before)
                if now[f"{channel}valid"] and self.first_seen.get(channel, 0) is None:
                    self.first_seen[channel] = cycle
            for channel in ("b", "r"):
                if now[f"{channel}valid"] and now[f"{channel}ready"]:
                    held[channel] = None
            before = now
            cycle += 1

    def _receive(self, channel, payload, now, before) -> None:
        value = tuple(now[channel + name] for name in payload)
        if before.get(f"{channel}valid") and not before[f"{channel}ready"]:
            assert now[f"{channel}valid"], f"{channel}valid was withdrawn"
            assert value == tuple(before[channel + name] for name in payload), f"{channel} payload changed"
        if now[f"{channel}valid"] and now[f"{channel}ready"]:
            self.queues[channel].append(value)
            if channel == "w":
                assert now["wstrb"] == (1 << self.bus_bytes) - 1
            else:
                assert 1 << now[f"{channel}size"] == self.bus_bytes
                assert now[f"{channel}burst"] == 1 and now[f"{channel}id"] == 0
                address, beats = value[0], value[1] + 1
                assert address % 4096 + beats * self.bus_bytes <= 4096 and beats * self.bus_bytes <= PAGE_BYTES

    def _offer(self, ctx, held, reading) -> None:
        if held["b"] is None and self.queues["aw"] and next(self.patterns["b"]):
            address, length = self.queues["aw"][0]
            if len(self.queues["w"]) > length:
                self._write(address, length)
                held["b"] = 2 if self.failed(address) else 0
        ctx.set(self.axi.bvalid, held["b"] is not None)
        ctx.set(self.axi.bresp, held["b"] or 0)
        if not reading and self.queues["ar"]:
            address, length = self.queues["ar"].pop(0)
            reading += [(address + i * self.bus_bytes, i == length) for i in range(length + 1)]
        if held["r"] is None and reading and next(self.patterns["r"]):
            held["r"] = reading.pop(0)
        ctx.set(self.axi.rvalid, held["r"] is not None)
        if held["r"] is not None:
            address, last = held["r"]
            data = bytes(self.bytes[address : address + self.bus_bytes])
            bad_half = self.failed(address) and (self.bus_bytes == 16 or address % 32 in (0, 24))
            ctx.set(self.axi.rdata, int.from_bytes(data, "little"))
            ctx.set(self.axi.rresp, 3 if bad_half else 0)
            ctx.set(self.axi.rlast, last)
        else:
            ctx.set(self.axi.rdata, self.rng.getrandbits(self.bus_bytes * 8))

    def _write(self, address, length) -> None:
        self.queues["aw"].pop(0)
        for i in range(length + 1):
            data, last = self.queues["w"].pop(0)
            assert last == (i == length), f"WLAST {last} on beat {i} of {length + 1}"
            if not self.failed(address):
                start = address + i * self.bus_bytes
                self.bytes[start : start + self.bus_bytes] = data.to_bytes(self.bus_bytes, "little")


class PlainRam:
    """The RAM behind a RamAdaptor."""

    def __init__(self, adaptor: RamAdaptor):
        self.adaptor = adaptor
        self.bytes = bytearray(PAGES * PAGE_BYTES)

    async def run(self, ctx):
        ram, size = self.adaptor, len(self.adaptor.read_data) // 8
        while True:
            sampled = await ctx.tick().sample(ram.address, ram.write_data, ram.write_enable)
            address, data, enable = sampled[2:]
            row = slice(address * size, address * size + size)
            if row.stop <= len(self.bytes):
                ctx.set(ram.read_data, int.from_bytes(self.bytes[row], "little"))
                if enable:
                    self.bytes[row] = data.to_bytes(size, "little")


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

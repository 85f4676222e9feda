"""Memories for the tests of the memory side: an AXI4 subordinate and a plain RAM, in every stall pattern."""

import random

from rtl.ram_adaptor import RamAdaptor

PAGES, PAGE_BYTES = 32, 256
STALLS = ("none", "random", "alternating", "mostly")


def pattern(stalls: str, rng: random.Random):
    """Endless 0/1: whether a side is willing in a cycle."""
    cycle = 0
    while True:
        yield {"none": 1, "random": rng.randint(0, 1), "alternating": cycle % 2, "mostly": rng.random() < 0.1}[stalls]
        cycle += 1


class AxiMemory:
    """An AXI4 subordinate that checks every rule of the channels it receives."""

    def __init__(self, axi, bus_bytes: int, stalls: str, rng: random.Random):
        self.axi, self.bus_bytes, self.rng = axi, bus_bytes, rng
        self.bytes = bytearray(PAGES * PAGE_BYTES)
        self.patterns = {name: pattern(stalls, rng) for name in ("aw", "w", "b", "ar", "r")}
        self.queues = {"aw": [], "w": [], "ar": []}

    def failed(self, address: int) -> bool:
        return address >= len(self.bytes)

    async def run(self, ctx):
        axi, held, before = self.axi, {"b": None, "r": None}, {}
        reading = []
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
            for channel in ("b", "r"):
                if now[f"{channel}valid"] and now[f"{channel}ready"]:
                    held[channel] = None
            before = now

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

"""The read channel of the cycle model: bursts of fetch, WEIGHTS and LOAD, granted in turn, answered in order."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compiler.cycle_queue import Clock

BURST_UNITS = 16  # 16-byte units of a burst at most, and the boundary that it does not cross
GRANTS_OPEN = 65  # rtl/read_arbiter.py: bursts granted and not yet answered
WAY_OUT = 3  # cycles from the grant through request and AXI registers to the memory and back
HELD = 1  # cycles of a beat in the arbiter
CLIENTS = ("fetch", "weights", "load")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """External memory as the engine sees it.

    read_bytes, write_bytes: per cycle, at most those of the bus count; below them whole beats come, and not in every
    cycle. read_latency: cycles from an accepted address to its first data; write_latency: from the last data to the
    response. outstanding: read bursts under way at most.
    """

    read_bytes: float = 16.0
    write_bytes: float = 16.0
    read_latency: int = 20
    write_latency: int = 8
    outstanding: int = GRANTS_OPEN

    def __post_init__(self) -> None:
        for name in ("read_bytes", "write_bytes"):
            if not 0 < getattr(self, name) <= 1 << 16:
                raise ValueError(f"Memory.{name} = {getattr(self, name)!r} must be above 0 and at most 65536")
        for name, low in (("read_latency", 0), ("write_latency", 0), ("outstanding", 1)):
            if not low <= getattr(self, name) <= 1 << 20:
                raise ValueError(f"Memory.{name} = {getattr(self, name)!r} must be in {low}..{1 << 20}")

    def unit_cycles(self, per_cycle: float, bus_bytes: int) -> float:
        """Cycles of 16 bytes."""
        return 16 / min(per_cycle, bus_bytes)


def bursts(address: int, units: int) -> Iterator[int]:
    """Units of each burst of a run of `units` from that byte address on."""
    place = address // 16
    while units:
        length = min(units, BURST_UNITS - place % BURST_UNITS)
        yield length
        place += length
        units -= length


def block_runs(fields: dict[str, int], block: int) -> Iterator[tuple[int, range]]:
    """(units, scratchpad words) of each burst of one channel block of a LOAD or STORE command."""
    packed = 4 if fields.get("unpack") else 1
    width, extent = fields["width"], fields["extent"] or 1 << 16
    units = -(-width // packed)
    address = fields["address"] + block * fields["external_block_stride"]
    base = fields["base"] + block * fields["block_stride"]
    for row in range(fields["rows"]):
        word = base + (fields["row_offset"] + row * fields["pitch"]) % extent
        for length in bursts(address + 16 * row * units, units):
            yield length, range(word, word + length * packed)
            word += length * packed


@dataclass
class Burst:
    """A burst that waits for its grant. answered(first, last): called with the cycles of its data when they come.

    pace: cycles that the client needs for a unit; ready: the first cycle in which it can take one;
    taken(i, cycle): the first cycle from that one on in which it can take unit i.
    """

    units: int
    answered: Callable[[int, int], object]
    pace: float = 1.0
    ready: Callable[[], int] = lambda: 0
    taken: Callable[[int, int], int] | None = None


class Reads:
    """One grant per cycle: fetch before the others, WEIGHTS and LOAD in turn; the data come back in that order."""

    def __init__(self, clock: Clock, memory: Memory, bus_bytes: int):
        self._clock = clock
        self._latency = memory.read_latency + WAY_OUT + HELD
        self._unit = memory.unit_cycles(memory.read_bytes, bus_bytes)
        self._halves = 16 // bus_bytes - 1  # a narrow bus gathers the next unit only when this one has gone
        self._open_max = min(GRANTS_OPEN, memory.outstanding)
        self._open = 0
        self._answers: deque[tuple[int, Burst]] = deque()  # granted: first cycle of data, burst
        self._serving = False
        self._waiting: dict[str, Burst | None] = dict.fromkeys(CLIENTS)
        self._granted: dict[str, Callable[[], object]] = dict.fromkeys(CLIENTS, lambda: None)
        self._load_first = False
        self._free = 0.0  # first cycle in which the next data can come
        self._next_grant = 0
        self._scheduled = False
        self.units = 0

    def connect(self, client: str, granted: Callable[[], object]) -> None:
        """`granted` is called in the cycle of each grant; it may `request` for the cycle after."""
        self._granted[client] = granted

    def request(self, client: str, burst: Burst, cycle: int) -> None:
        """Ask for a burst from that cycle on; one at a time for each client."""
        self._clock.at(cycle, lambda: self._ask(client, burst))

    def _ask(self, client: str, burst: Burst) -> None:
        self._waiting[client] = burst
        self._schedule(self._clock.now)

    def _schedule(self, cycle: int) -> None:
        if not self._scheduled:
            self._scheduled = True
            # A cycle's grant is decided when every request of the cycle is known: at its end.
            self._clock.at(max(cycle, self._next_grant), lambda: self._clock.at(self._clock.now, self._grant))

    def _grant(self) -> None:
        self._scheduled = False
        now = self._clock.now
        client = self._choose()
        if client is None:
            return
        if self._open >= self._open_max:
            return
        burst = self._waiting[client]
        assert burst is not None
        self._waiting[client] = None
        self._load_first = client == "weights"
        self._next_grant = now + 1
        self._open += 1
        self._answers.append((now + self._latency, burst))
        self._serve_next()
        self._granted[client]()
        if any(self._waiting.values()):
            self._schedule(now + 1)

    def _choose(self) -> str | None:
        if self._waiting["fetch"]:
            return "fetch"
        if self._waiting["weights"] and not (self._waiting["load"] and self._load_first):
            return "weights"
        return "load" if self._waiting["load"] else None

    def _serve_next(self) -> None:
        if self._answers and not self._serving:
            self._serving = True
            self._clock.at(max(self._answers[0][0], int(self._free)), self._answer)

    def _answer(self) -> None:
        earliest, burst = self._answers.popleft()
        pace = max(self._unit, burst.pace + self._halves)
        start = max(earliest, self._free, burst.ready() - (self._unit - 1))
        first = start + self._unit - 1
        last = first + (burst.units - 1) * pace
        if burst.taken is not None:
            last = first - pace
            for unit in range(burst.units):
                last += pace
                last += burst.taken(unit, int(last)) - int(last)
        self._free = last + pace - self._unit + 1
        self.units += burst.units
        burst.answered(int(first), int(last))
        self._serving = False
        self._serve_next()
        self._clock.at(int(last) + 1, self._close)

    def _close(self) -> None:
        self._open -= 1
        if any(self._waiting.values()):
            self._schedule(self._clock.now)

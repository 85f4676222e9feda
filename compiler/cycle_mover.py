"""Reads, LOAD, WEIGHTS and STORE of an engine without queues in the cycle model (rtl/in_order.py, rtl/mover.py)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from math import ceil
from typing import Protocol

from compiler.config import EngineConfig
from compiler.cycle_compute import WAIT_NAMES
from compiler.cycle_queue import Clock, Finished
from compiler.cycle_reads import WAY_OUT, Memory
from compiler.encode import Command
from compiler.encoding import Unit

STARTS = 2  # cycles from the last unit of a command to its first beat
WORD_READ = 2  # cycles from the read of a word's last part to the word's way onto the bus
WRITE_WAY = 1  # cycles from there through AXI registers to the memory and back, beside the word's own


@dataclass(frozen=True)
class Period:
    """A command of the mover: its cycles, and the cause that the array gives where it has nothing to do meanwhile."""

    start: int
    end: int
    cause: str


class Accesses(Protocol):
    """Who has the scratchpad before the mover: in which cycles it reads and writes."""

    def reads(self, cycle: int) -> bool:
        """Whether it reads a word."""
        ...

    def writes(self, cycle: int) -> bool:
        """Whether it writes one."""
        ...


@dataclass(frozen=True)
class Rhythm:
    """A channel of the memory: one beat of the bus in every `interval` cycles, counted from the start of the program;
    beats: of a 16-byte unit."""

    beats: int
    interval: float

    def last(self, cycle: int) -> int:
        """The cycle of a unit's last beat when the first may go from `cycle` on."""
        first = ceil(cycle / self.interval)
        return ceil((first + self.beats - 1) * self.interval)


def rhythm(per_cycle: float, bus_bytes: int) -> Rhythm:
    """That of a memory of so many bytes per cycle."""
    return Rhythm(16 // bus_bytes, bus_bytes / min(per_cycle, bus_bytes))


class BeatReads:
    """One 16-byte unit under way at a time; the mover's before the fetcher's."""

    def __init__(self, clock: Clock, memory: Memory, bus_bytes: int):
        self._clock = clock
        self._way = WAY_OUT + memory.read_latency
        self._rhythm = rhythm(memory.read_bytes, bus_bytes)
        self._waiting: dict[str, Callable[[], object]] = {}
        self._busy = False
        self.units = 0

    def request(self, client: str, cycle: int, answered: Callable[[], object]) -> None:
        """Ask for a unit from that cycle on; `answered` is called in the cycle in which it comes."""
        self._clock.at(cycle, lambda: self._ask(client, answered))

    def _ask(self, client: str, answered: Callable[[], object]) -> None:
        self._waiting[client] = answered
        self._clock.at(self._clock.now, self._grant)  # when every request of the cycle is known

    def _grant(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        answered = self._waiting.pop("mover" if "mover" in self._waiting else "fetch")
        self.units += 1
        self._clock.at(self._rhythm.last(self._clock.now + self._way), lambda: self._answer(answered))

    def _answer(self, answered: Callable[[], object]) -> None:
        answered()
        self._clock.at(self._clock.now + 1, self._free)

    def _free(self) -> None:
        self._busy = False
        self._clock.at(self._clock.now, self._grant)


class Mover:
    """LOAD, WEIGHTS and STORE, one command and one beat at a time."""

    def __init__(
        self, clock: Clock, config: EngineConfig, memory: Memory, reads: BeatReads, finished: Finished,
        array: Accesses,
    ):
        self._clock, self._reads, self._finished, self._array = clock, reads, finished, array
        self._rhythm, self._latency = rhythm(memory.write_bytes, config.bus_bytes), memory.write_latency
        self._steps = config.port_steps
        self._command: Command | None = None
        self._beats: Iterator[int] = iter(())
        self.periods: list[Period] = []
        self.written = 0

    @property
    def free(self) -> bool:
        """Whether it takes a command."""
        return self._command is None

    def start(self, command: Command) -> None:
        """A command whose last unit came in this cycle."""
        self._command, self._began = command, self._clock.now + 1
        self._beats = _beats(command)
        self._next(self._clock.now + STARTS)

    def _next(self, cycle: int) -> None:
        assert self._command is not None
        beat = next(self._beats, None)
        if beat is None:
            return self._clock.at(cycle - 1, self._end)
        if self._command.unit == Unit.STORE:
            return self._clock.at(cycle, self._store)
        self._reads.request("mover", cycle, lambda: self._keep(beat))

    def _keep(self, words: int) -> None:
        """A beat has come: a cycle for each part of the words that it holds, later where a result is written."""
        assert self._command is not None
        cycle = self._clock.now + 1
        if self._command.unit == Unit.WEIGHTS:
            return self._next(cycle + self._steps)
        for _ in range(words * self._steps):
            while self._array.writes(cycle):
                cycle += 1
            cycle += 1
        self._next(cycle)

    def _store(self) -> None:
        cycle = self._clock.now
        for _ in range(self._steps):
            while self._array.reads(cycle):
                cycle += 1
            cycle += 1
        self.written += 1
        sent = self._rhythm.last(cycle + WORD_READ)
        self._next(sent + WRITE_WAY + self._latency + 1)

    def _end(self) -> None:
        assert self._command is not None
        unit, now = self._command.unit, self._clock.now
        self.periods.append(Period(self._began, now + 1, WAIT_NAMES[unit]))
        self._clock.at(now + 1, self._forget)
        self._finished.pulse(unit, now)

    def _forget(self) -> None:
        self._command = None


def _beats(command: Command) -> Iterator[int]:
    """The scratchpad words of each beat, 1 for WEIGHTS."""
    fields = command.fields
    if command.unit == Unit.WEIGHTS:
        yield from repeat(1, fields["length"])
        return
    packed, width = 4 if fields.get("unpack") else 1, fields["width"]
    for _ in range(fields["blocks"] * fields["rows"]):
        yield from (min(packed, width - column) for column in range(0, width, packed))

"""The cycle model of an engine without queues (rtl/in_order.py): commands start in program order.

The engine's counters call every cycle without a micro-operation "program"; here it has the name of what the mover or
the requantizer does meanwhile. Cycles between two COMPUTE commands belong to the layer of the first, as in the engine.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator

from compiler.config import EngineConfig
from compiler.cycle_compute import LayerCount
from compiler.cycle_mover import BeatReads, Period
from compiler.cycle_queue import Clock, Finished
from compiler.cycle_walk import Walk, walk
from compiler.encode import Command
from compiler.encoding import Unit, length_units

FIRST_READ = 2  # cycle in which the fetcher asks for the first unit
ISSUES = 3  # cycles from the last unit of a command to its first micro-operation


class Sequence:
    """The fetcher: the first unit of a command is read again after every change until the command may start."""

    def __init__(
        self, clock: Clock, reads: BeatReads, finished: Finished, program: list[Command],
        start: Callable[[Command], object], free: Callable[[Unit], bool],
    ):
        self._clock, self._reads, self._finished, self._start, self._free = clock, reads, finished, start, free
        self._program = iter(program)
        self._command = next(self._program)
        self._unit = 0
        self._tried = False
        self.ended = 0
        finished.watch(self._changed)
        self._ask(FIRST_READ)

    def _ask(self, cycle: int) -> None:
        self._reads.request("fetch", cycle, lambda: self._clock.at(self._clock.now, self._answered))

    def _changed(self) -> None:
        if self._tried:
            self._tried = False
            self._ask(self._clock.now)

    def _answered(self) -> None:
        command, now = self._command, self._clock.now
        if self._unit == 0 and (self._finished.missing(command) is not None or not self._free(command.unit)):
            self._tried = True
            return
        if command.unit == Unit.END:
            self.ended = now
            return
        self._unit += 1
        if self._unit == length_units(command.unit):
            self._unit = 0
            self._start(command)
            self._command = next(self._program)
        self._ask(now + 1)


class InOrderCompute:
    """COMPUTE, one command at a time; every cycle belongs to a layer and has a cause."""

    def __init__(self, clock: Clock, config: EngineConfig, finished: Finished):
        self._clock, self._config, self._finished = clock, config, finished
        self._run: Walk | None = None
        self.free = True
        self._layer, self._counted = 0, 0
        self._drained = 0  # the last command's results are written before this cycle
        self._idle: list[tuple[int, int, int, int]] = []  # layer, first cycle, cycle after the last, `drained`
        self.layers: dict[int, LayerCount] = {}

    def reads(self, cycle: int) -> bool:
        """Whether a word of the scratchpad is read in that cycle."""
        return self._run is not None and self._run.reads(cycle)

    def writes(self, cycle: int) -> bool:
        """Whether a result is written in that cycle."""
        return self._run is not None and self._run.writes(cycle)

    def start(self, command: Command) -> None:
        """A command whose last unit came in this cycle."""
        self.free = False
        run = self._run = walk(command.fields, self._config, self._clock.now + ISSUES)
        self._wait(self._clock.now + 1)
        self._layer = command.fields["layer"]
        self._wait(run.start)
        layer = self.layers.setdefault(self._layer, LayerCount())
        layer.add("active", run.active)
        layer.add("requantizer", run.held)
        layer.add("program", run.end - run.start - run.active - run.held)
        self._counted, self._drained = run.end, run.finish + 1
        self._clock.at(run.finish + 1, self._release)
        self._finished.pulse(Unit.COMPUTE, run.finish)

    def _release(self) -> None:
        self.free = True

    def _wait(self, end: int) -> None:
        """The array has nothing to do until before `end`."""
        self._idle.append((self._layer, self._counted, end, self._drained))
        self._counted = end

    def finish(self, cycle: int, periods: list[Period]) -> None:
        """The program is over in that cycle; periods: what the mover did when."""
        self._wait(cycle)
        ends = [period.end for period in periods]
        for number, first, end, drained in self._idle:
            layer = self.layers.setdefault(number, LayerCount())
            for cause, cycles in _causes(first, end, drained, periods[bisect_right(ends, first) :]):
                layer.add(cause, cycles)


def _causes(first: int, end: int, drained: int, periods: list[Period]) -> Iterator[tuple[str, int]]:
    """Causes of the cycles from `first` to before `end`: the mover's, else results on their way, else the program."""
    for period in periods:
        if period.start >= end:
            break
        start, stop = max(period.start, first), min(period.end, end)
        yield from _quiet(first, start, drained)
        yield period.cause, stop - start
        first = stop
    yield from _quiet(first, end, drained)


def _quiet(first: int, end: int, drained: int) -> Iterator[tuple[str, int]]:
    """The same where the mover does nothing."""
    change = min(max(drained, first), end)
    yield "requantizer", change - first
    yield "program", end - change

"""Time, finished counts and command queues of the cycle model (compiler/cycles.py)."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

from compiler.encode import Command
from compiler.encoding import Unit, length_units

UNITS = (Unit.LOAD, Unit.WEIGHTS, Unit.COMPUTE, Unit.STORE)
QUEUE_DELAY = 2  # cycles from the entry of a queue to its exit (rtl/queue.py)
CHECKED = 2  # cycles from the last unit of a command leaving its queue to the command being offered
WAITS = tuple(f"wait_{unit.name.lower()}" for unit in UNITS)


class Clock:
    """Events in the order of their cycles, and of their making within a cycle."""

    def __init__(self) -> None:
        self.now = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._made = count()

    def at(self, cycle: int, event: Callable[[], object]) -> None:
        """Call `event` in that cycle, not before this one."""
        heapq.heappush(self._events, (max(cycle, self.now), next(self._made), event))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()


class Finished:
    """How many commands each unit has finished, as the others see it: `seen` cycles after it happened."""

    def __init__(self, clock: Clock, *, seen: int = 1):
        self._clock, self._seen = clock, seen
        self.counts = [0] * len(UNITS)
        self._watchers: list[Callable[[], object]] = []

    def watch(self, look: Callable[[], object]) -> None:
        """Call `look` after every change."""
        self._watchers.append(look)

    def pulse(self, unit: Unit, cycle: int) -> None:
        """`unit` finishes a command in that cycle; the others see it `seen` cycles later."""
        self._clock.at(cycle + self._seen, lambda: self._grow(unit))

    def missing(self, command: Command) -> Unit | None:
        """A unit that this command still waits for, the one that rtl.interfaces.Cause names first."""
        for unit in (Unit.COMPUTE, Unit.STORE, Unit.WEIGHTS, Unit.LOAD):
            if self.counts[unit] < command.fields[WAITS[unit]]:
                return unit
        return None

    def _grow(self, unit: Unit) -> None:
        self.counts[unit] += 1
        for look in self._watchers:
            look()


class Queue:
    """Sixteen-byte units on their way to one engine unit, assembled into whole commands (rtl/command.py).

    commands: all of this unit, in program order. `head` is the assembled command, None while there is none.
    """

    def __init__(self, clock: Clock, unit: Unit, commands: list[Command], depth: int):
        self._clock = clock
        self._size = length_units(unit)
        self._depth = max(depth, self._size)
        self._commands = deque(commands)
        self._visible: deque[int] = deque()
        self._level = 0
        self._missing, self._free = self._size, 0
        self.head: Command | None = None
        self.head_since = 0
        self.on_head: Callable[[], object] = lambda: None
        self.on_room: Callable[[], object] = lambda: None

    @property
    def has_room(self) -> bool:
        """Whether a unit can be handed over in this cycle."""
        return self._level < self._depth

    def push(self) -> None:
        """A unit arrives in this cycle."""
        self._level += 1
        self._visible.append(self._clock.now + QUEUE_DELAY)
        self._assemble()

    def consume(self, cycle: int) -> None:
        """The unit takes the assembled command in that cycle."""
        self.head = None
        self._missing, self._free = self._size, cycle + 1
        self._assemble()

    def _assemble(self) -> None:
        while self._visible and self._missing:
            popped = max(self._visible.popleft(), self._free)
            self._free = popped + 1
            self._missing -= 1
            self._clock.at(popped + 1, self._popped)
            if not self._missing:
                self._clock.at(popped + CHECKED, self._complete)

    def _popped(self) -> None:
        self._level -= 1
        self.on_room()

    def _complete(self) -> None:
        self.head = self._commands.popleft()
        self.head_since = self._clock.now
        self.on_head()

"""COMPUTE and STORE of the cycle model (rtl/rows.py, rtl/sequencer.py, rtl/results.py, rtl/store.py)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.config import EngineConfig
from compiler.cycle_banks import ArrayAccesses
from compiler.cycle_queue import Clock, Finished, Queue
from compiler.cycle_reads import Memory, block_runs
from compiler.cycle_rows import RowCycles, row_cycles
from compiler.encoding import Unit
from compiler.pipeline import pipeline

WAIT_NAMES = {Unit.COMPUTE: "requantizer", Unit.STORE: "store", Unit.WEIGHTS: "weights", Unit.LOAD: "activations"}
CONTEXTS = 4  # commands whose results may be under way at once
LOOK = 1  # cycles in which the planner looks at a command before it starts
ISSUE = 1  # cycles from the walk to the micro-operation of its place
SHOWN = 1  # cycles from that to the counters
STORE_PLACES = 32  # words between scratchpad and bus
STORE_BURSTS = 31  # bursts without an answer behind which no word is asked for
STORE_ASKS = 2  # cycles from a word's way out of the walk until it is read
STORE_PIPELINE = 7  # cycles from the last word of a burst being read to its first on the bus
NEVER = 1 << 62
WRITE_WAY = 3  # cycles through AXI registers to the memory and back


@dataclass
class LayerCount:
    """Cycles of one layer by their cause."""

    causes: dict[str, int] = field(default_factory=dict)

    def add(self, cause: str, cycles: int) -> None:
        """More cycles of a cause."""
        self.causes[cause] = self.causes.get(cause, 0) + cycles


def last_row(rows: RowCycles, move: int, take: int) -> tuple[int, int]:
    """When the last row of a command moves out of the planner and is taken, if its first does in these cycles.

    The planner is two rows ahead: the first rows behind a long one follow without the gaps that planning makes.
    """
    left = rows.count - 1
    if left and rows.issue >= rows.plan:
        return max(move + left * rows.plan, take + (left - 1) * rows.issue + 1), take + left * rows.issue
    while left and move + 1 < take:
        move = max(move + rows.plan, take + 1)
        take = max(take + rows.issue, move + 1)
        left -= 1
    return move + left * rows.plan, take + left * rows.plan


class Compute:
    """The planner and the sequencer: every cycle belongs to a layer and has a cause, as in the counters."""

    def __init__(self, clock: Clock, config: EngineConfig, queue: Queue, finished: Finished):
        self._clock, self._config, self._queue, self._finished = clock, config, queue, finished
        self._written = pipeline(config).written
        self.accesses = ArrayAccesses(config, self._written)
        self._idle = True
        self._idle_from = 0
        self._taken = -1  # the sequencer took the last row of the command before
        self._row_ends = -1  # last cycle of its walk through that row
        self._layer = 0
        self._counted = 0  # cycles before this one have their cause
        self._ends: deque[int] = deque()  # of commands whose results are under way
        self._waits: list[tuple[int, str]] = []
        self.layers: dict[int, LayerCount] = {}
        queue.on_head = self._look
        finished.watch(self._look)

    def _look(self) -> None:
        head = self._queue.head
        if head is None or not self._idle:
            return
        looked = max(self._idle_from, self._queue.head_since + LOOK)
        if self._clock.now < looked:
            return self._clock.at(looked, self._look)
        missing = self._finished.missing(head)
        if missing is not None:
            self._waits.append((self._clock.now, WAIT_NAMES[missing]))
            return
        self._idle = False
        self._start(head.fields)

    def _start(self, fields: dict[str, int]) -> None:
        rows = row_cycles(fields, self._config)
        now = self._clock.now
        ready = now + rows.plan
        free = self._ends.popleft() + 1 if len(self._ends) == CONTEXTS else 0
        move = max(ready, self._taken + 1, free)
        take = max(move + 1, self._row_ends)
        full = ready if move == free else move + 1  # the cycles from here on are the requantizer's
        self._count_idle(fields["layer"], now, min(full, take + 1), take + 1)
        self.accesses.add(take + 1 + ISSUE, fields)
        last_move, self._taken = last_row(rows, move, take)
        gaps = self._taken - take - (rows.count - 1) * rows.issue
        taken = min(gaps, (rows.count - 1) * rows.taken)
        layer = self.layers.setdefault(fields["layer"], LayerCount())
        layer.add("active", rows.count * rows.active)
        layer.add("fill", rows.count * rows.fill)
        layer.add("requantizer", rows.count * rows.held + taken)
        layer.add("program", gaps - taken)
        self._row_ends = self._taken + rows.issue
        self._counted = self._row_ends + 1 + ISSUE + SHOWN
        self._ends.append(self._row_ends + ISSUE + self._written)
        self._finished.pulse(Unit.COMPUTE, self._row_ends + ISSUE + self._written)
        self._idle_from = last_move + 1
        self._clock.at(last_move, self._consume)

    def _consume(self) -> None:
        self._idle = True
        self._queue.consume(self._clock.now)

    def _count_idle(self, layer: int, started: int, ready: int, issue: int) -> None:
        """Causes of the cycles between the row before and the first of this command, as the counters show them."""
        started, ready, issue = (cycle + ISSUE + SHOWN for cycle in (started, ready, issue))
        arrived = min(max(self._counted, self._queue.head_since + ISSUE + SHOWN), issue)
        self.layers.setdefault(self._layer, LayerCount()).add("program", arrived - self._counted)
        self._layer = layer
        changes = [(since + ISSUE + SHOWN, cause) for since, cause in self._waits]
        changes = [(arrived, "program"), *((since, cause) for since, cause in changes if since < started)]
        changes += [(started, "program"), (ready, "requantizer"), (issue, "")]
        self._waits = []
        target = self.layers.setdefault(layer, LayerCount())
        for (since, cause), (until, _) in zip(changes, changes[1:], strict=False):
            since, until = max(since, arrived), min(until, issue)
            if until > since:
                target.add(cause, until - since)

    def finish(self, cycle: int) -> None:
        """The program is over in that cycle: what is left belongs to the last layer."""
        self.layers.setdefault(self._layer, LayerCount()).add("program", cycle - self._counted)


class Store:
    """STORE commands: words into a buffer, whole bursts out of it; finished with the last response."""

    def __init__(
        self, clock: Clock, config: EngineConfig, queue: Queue, finished: Finished, memory: Memory, array: ArrayAccesses
    ):
        self._array = array
        self._clock, self._queue, self._finished = clock, queue, finished
        self._unit = memory.unit_cycles(memory.write_bytes, config.bus_bytes)
        self._response = memory.write_latency + WRITE_WAY
        self._free = 0  # first cycle in which the walk can take a command
        self._bus_free = 0.0
        self._words: deque[int] = deque(maxlen=STORE_PLACES)  # when the last words left the buffer
        self._answers: deque[int] = deque(maxlen=STORE_BURSTS)  # when the last bursts were answered
        self.units = 0
        queue.on_head = self._look
        finished.watch(self._look)

    def _look(self) -> None:
        head = self._queue.head
        if head is None or self._finished.missing(head) is not None:
            return
        if self._clock.now < self._free:
            return
        self._queue.consume(self._clock.now)
        self._walk(head.fields)

    def _walk(self, fields: dict[str, int]) -> None:
        self._free = NEVER
        runs = (words for block in range(fields["blocks"]) for _, words in block_runs(fields, block))
        self._clock.at(self._clock.now + STORE_ASKS, lambda: self._next_burst(runs, 0))

    def _next_burst(self, runs: Iterator[range], answer: int) -> None:
        words = next(runs, None)
        if words is not None:
            read, answer = self._burst(words, self._clock.now)
            return self._clock.at(read, lambda: self._next_burst(runs, answer))
        self._free = self._clock.now + 1 - STORE_ASKS
        self._finished.pulse(Unit.STORE, answer)
        self._clock.at(self._free, self._look)

    def _burst(self, words: range, read: int) -> tuple[int, int]:
        """(when the last word is read, answer) of a burst behind one whose last word was read in that cycle."""
        units = len(words)
        if len(self._answers) == STORE_BURSTS:
            read = max(read, self._answers[0] + STORE_ASKS)
        for place, word in enumerate(words):
            read += 1
            if len(self._words) + place >= STORE_PLACES:
                read = max(read, self._words[len(self._words) + place - STORE_PLACES] + 1 + STORE_ASKS)
            while self._array.reads(word, read):
                read += 1
        start = max(read + STORE_PIPELINE, self._bus_free)
        self._bus_free = start + units * self._unit
        self._words.extend(int(start + (i + 1) * self._unit) - 1 for i in range(units))
        answer = int(self._bus_free) - 1 + self._response
        self._answers.append(answer)
        self.units += units
        return read, answer

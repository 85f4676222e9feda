"""Fetch, LOAD and WEIGHTS of the cycle model (rtl/fetch.py, rtl/load.py, rtl/weights.py)."""

from collections import deque
from collections.abc import Iterator

from compiler.cycle_banks import ArrayAccesses
from compiler.cycle_queue import Clock, Finished, Queue
from compiler.cycle_reads import Burst, Reads, block_runs, bursts
from compiler.encode import Command
from compiler.encoding import Unit, length_units

BUFFER_UNITS = 64  # commands fetched ahead, in 16-byte units
LOADS_AHEAD, WEIGHTS_AHEAD = 5, 8  # commands whose requests may run ahead of the data
FIFO_DELAY = 2  # cycles from the entry of a buffered FIFO to its exit


class Fetch:
    """Reads the program ahead and hands its units out in order."""

    def __init__(self, clock: Clock, reads: Reads, queues: dict[Unit, Queue], program: list[Command], offset: int):
        self._clock, self._reads, self._queues = clock, reads, queues
        self._targets = [command.unit for command in program for _ in range(length_units(command.unit))]
        total = -(-(offset % 256 // 16 + len(self._targets)) // 16) * 16 - offset % 256 // 16
        self._bursts = bursts(offset, total)
        self._promised, self._position = 0, 0
        self._asking, self._due = False, False
        self._arrived: deque[int] = deque()
        self._sizes: deque[int] = deque()  # of granted bursts
        reads.connect("fetch", self._granted)
        for queue in queues.values():
            queue.on_room = self._step
        clock.at(1, self._ask)

    def _ask(self) -> None:
        if self._asking or self._promised > BUFFER_UNITS - 16:
            return
        units = next(self._bursts, 0)
        if units:
            self._asking = True
            self._asked = units
            self._reads.request("fetch", Burst(units, self._answered), self._clock.now)

    def _granted(self) -> None:
        self._asking = False
        self._promised += self._asked
        self._sizes.append(self._asked)
        self._clock.at(self._clock.now + 1, self._ask)

    def _answered(self, first: int, last: int) -> None:
        count, span = self._sizes.popleft(), last - first
        steps = max(count - 1, 1)
        self._arrived.extend(first + i * span // steps + FIFO_DELAY for i in range(count))
        self._schedule(self._arrived[0])

    def _schedule(self, cycle: int) -> None:
        if not self._due:
            self._due = True
            self._clock.at(cycle, self._wake)

    def _wake(self) -> None:
        self._due = False
        self._step()

    def _step(self) -> None:
        if self._due or self._position == len(self._targets) or not self._arrived:
            return
        if self._arrived[0] > self._clock.now:
            return self._schedule(self._arrived[0])
        target = self._targets[self._position]
        if target == Unit.END:
            return
        if not self._queues[target].has_room:
            return
        self._arrived.popleft()
        self._position += 1
        self._promised -= 1
        self._clock.at(self._clock.now + 1, self._ask)
        self._schedule(self._clock.now + 1)
        self._queues[target].push()


class Load:
    """LOAD commands: blocks of rows, requests ahead of the data."""

    def __init__(self, clock: Clock, reads: Reads, queue: Queue, finished: Finished, array: ArrayAccesses):
        self._clock, self._reads, self._queue, self._finished = clock, reads, queue, finished
        self._array = array
        self._job: _Job | None = None  # command that still has blocks to hand to the splitter
        self._split: _Job | None = None  # command whose block is in the splitter
        self._runs: Iterator[tuple[int, range]] = iter(())
        self._next: tuple[int, range] | None = None
        self._under_way = 0
        self._walk_free = 0
        reads.connect("load", self._granted)
        queue.on_head = self._look
        finished.watch(self._look)

    def _look(self) -> None:
        head = self._queue.head
        if head is None or self._job is not None or self._finished.missing(head) is not None:
            return
        if self._under_way >= LOADS_AHEAD:
            return
        self._under_way += 1
        self._job = _Job(head.fields)
        self._clock.at(self._clock.now + 1, self._accept)

    def _accept(self) -> None:
        """The splitter, when it is free, takes the next block; with its last one the queue goes on."""
        if self._split is not None or self._job is None:
            return
        job = self._split = self._job
        self._runs = job.next_block()
        self._next = next(self._runs)
        if job.blocks_left == 0:
            self._job = None
            self._queue.consume(self._clock.now)
        self._request(self._clock.now + 1, job)

    def _request(self, cycle: int, job: "_Job") -> None:
        assert self._next is not None
        units, words = self._next
        self._next = next(self._runs, None)
        last = self._next is None and job.blocks_left == 0
        burst = Burst(units, lambda _, end: self._answered(end, last), job.pace, lambda: self._walk_free)
        burst.taken = lambda unit, cycle: self._taken(words, len(words) // units, unit, cycle)
        self._reads.request("load", burst, cycle)

    def _taken(self, words: range, packed: int, unit: int, cycle: int) -> int:
        """The cycle in which the last of a unit's `packed` words is written, `cycle` if no result is in their way."""
        written = cycle - packed
        for word in words[unit * packed : (unit + 1) * packed]:
            written += 1
            while self._array.writes(word, written):
                written += 1
        return written

    def _granted(self) -> None:
        following, job = self._clock.now + 1, self._split
        assert job is not None
        if self._next:
            return self._request(following, job)
        self._split = None
        self._clock.at(following, self._accept)

    def _answered(self, end: int, last: bool) -> None:
        if last:
            self._walk_free = end + 2
            self._clock.at(end + 1, self._end)
            self._finished.pulse(Unit.LOAD, end)

    def _end(self) -> None:
        self._under_way -= 1
        self._look()


class _Job:
    """The bursts of a LOAD command, block by block."""

    def __init__(self, fields: dict[str, int]):
        self._fields = fields
        width = fields["width"]
        self.pace = width / -(-width // 4) if fields["unpack"] else 1.0
        self.blocks_left = fields["blocks"]

    def next_block(self) -> Iterator[tuple[int, range]]:
        """Units and scratchpad words of each burst of the next block."""
        self.blocks_left -= 1
        return block_runs(self._fields, self._fields["blocks"] - self.blocks_left - 1)


class Weights:
    """WEIGHTS commands: one run each."""

    def __init__(self, clock: Clock, reads: Reads, queue: Queue, finished: Finished):
        self._clock, self._reads, self._queue, self._finished = clock, reads, queue, finished
        self._lengths: Iterator[int] = iter(())
        self._next = 0
        self._busy = False
        self._jobs = 0
        reads.connect("weights", self._granted)
        queue.on_head = self._look
        finished.watch(self._look)

    def _look(self) -> None:
        head = self._queue.head
        if head is None or self._busy or self._jobs >= WEIGHTS_AHEAD or self._finished.missing(head) is not None:
            return
        self._busy = True
        self._jobs += 1
        self._lengths = bursts(head.fields["address"], head.fields["length"])
        self._next = next(self._lengths, 0)
        self._queue.consume(self._clock.now)
        self._request(self._clock.now + 1)

    def _request(self, cycle: int) -> None:
        units = self._next
        self._next = next(self._lengths, 0)
        last = not self._next
        self._reads.request("weights", Burst(units, lambda first, end: self._answered(end, last)), cycle)

    def _granted(self) -> None:
        if self._next:
            return self._request(self._clock.now + 1)
        self._clock.at(self._clock.now + 1, self._splitter_done)

    def _splitter_done(self) -> None:
        self._busy = False
        self._look()

    def _answered(self, end: int, last: bool) -> None:
        if last:
            self._finished.pulse(Unit.WEIGHTS, end)
            self._clock.at(end + 1, self._job_done)

    def _job_done(self) -> None:
        self._jobs -= 1
        self._look()

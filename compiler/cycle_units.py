"""Fetch, LOAD and WEIGHTS of the cycle model (rtl/fetch.py, rtl/load.py, rtl/weights.py)."""

from collections import deque
from collections.abc import Callable, Iterator

from compiler.cycle_banks import ArrayAccesses
from compiler.cycle_queue import Clock, Finished, Queue
from compiler.cycle_reads import Burst, Reads, block_runs, bursts
from compiler.encode import Command
from compiler.encoding import Unit, length_units

BUFFER_UNITS = 64  # commands fetched ahead, in 16-byte units
LOADS_AHEAD, WEIGHTS_AHEAD = 6, 10  # commands whose requests may run ahead of the data
DISPATCH = 2  # cycles that the fetcher takes for a unit
DECODED = 4  # cycles from a unit of the program being read to its way into a queue
LOAD_WRITES, WEIGHTS_WRITES = 2, 1  # cycles from the last beat to the end of the command
FIRST_ASK = 4  # cycle of the fetcher's first request


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
        clock.at(FIRST_ASK, self._ask)

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
        self._clock.at(self._clock.now + 3, self._ask)

    def _answered(self, first: int, last: int) -> None:
        count, span = self._sizes.popleft(), last - first
        steps = max(count - 1, 1)
        self._arrived.extend(first + i * span // steps + DECODED for i in range(count))
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
        self._clock.at(self._clock.now + 2, self._gone)
        self._schedule(self._clock.now + DISPATCH)
        self._queues[target].push()

    def _gone(self) -> None:
        self._promised -= 1
        self._clock.at(self._clock.now + 1, self._ask)


class _Splitter:
    """Runs cut into bursts (rtl/transfer.py); `freed` is called in the cycle from which on the next run is taken."""

    def __init__(self, clock: Clock, reads: Reads, client: str, freed: Callable[[], object]):
        self._clock, self._reads, self._client, self._freed = clock, reads, client, freed
        self._bursts: Iterator[Burst] = iter(())
        self._next: Burst | None = None
        self._from = 0  # first cycle in which the next burst can move into the register
        self._asking = False  # a burst is in the register
        self.free = True
        reads.connect(client, self._granted)

    def take(self, bursts: Iterator[Burst]) -> None:
        """The bursts of a run, in this cycle."""
        self.free = False
        self._bursts, self._next = bursts, next(bursts)
        self._from = self._clock.now + 1
        self._clock.at(self._from, self._step)

    def _step(self) -> None:
        if self._next is None or self._asking or self._clock.now < self._from:
            return
        following = self._clock.now + 1
        self._asking, self._from = True, following
        self._reads.request(self._client, self._next, following)
        self._next = next(self._bursts, None)
        if self._next is None:
            self._clock.at(following, self._release)

    def _granted(self) -> None:
        self._asking = False
        self._clock.at(self._clock.now + 1, self._step)

    def _release(self) -> None:
        self.free = True
        self._freed()


class Load:
    """LOAD commands: blocks of rows, requests ahead of the data."""

    def __init__(self, clock: Clock, reads: Reads, queue: Queue, finished: Finished, array: ArrayAccesses):
        self._clock, self._reads, self._queue, self._finished = clock, reads, queue, finished
        self._array = array
        self._job: _Job | None = None  # command that still has blocks to hand to the splitter
        self._splitter = _Splitter(clock, reads, "load", self._accept)
        self._under_way = 0
        self._walk_free = 0
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
        if not self._splitter.free or self._job is None:
            return
        job = self._job
        runs = job.next_block()
        last_block = job.blocks_left == 0
        if last_block:
            self._job = None
            self._queue.consume(self._clock.now)
        self._splitter.take(self._block_bursts(runs, job.pace, last_block))

    def _block_bursts(self, runs: Iterator[tuple[int, range]], pace: float, last_block: bool) -> Iterator[Burst]:
        following = next(runs, None)
        while following is not None:
            (units, words), following = following, next(runs, None)
            yield self._burst(units, words, pace, last_block and following is None)

    def _burst(self, units: int, words: range, pace: float, last: bool) -> Burst:
        burst = Burst(units, lambda _, end: self._answered(end, last), pace, lambda: self._walk_free)
        burst.taken = lambda unit, cycle: self._taken(words, len(words) // units, unit, cycle)
        return burst

    def _taken(self, words: range, packed: int, unit: int, cycle: int) -> int:
        """The cycle in which the last of a unit's `packed` words is taken, `cycle` if no result is in their way."""
        taken = cycle - packed
        for word in words[unit * packed : (unit + 1) * packed]:
            taken += 1
            while self._array.writes(word, taken + 1):
                taken += 1
        return taken

    def _answered(self, end: int, last: bool) -> None:
        if last:
            self._walk_free = end + 2
            self._clock.at(end + 1, self._end)
            self._finished.pulse(Unit.LOAD, end + LOAD_WRITES)

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
        self._splitter = _Splitter(clock, reads, "weights", self._look)
        self._jobs = 0
        queue.on_head = self._look
        finished.watch(self._look)

    def _look(self) -> None:
        head = self._queue.head
        if head is None or not self._splitter.free or self._jobs >= WEIGHTS_AHEAD:
            return
        if self._finished.missing(head) is not None:
            return
        self._jobs += 1
        self._queue.consume(self._clock.now)
        self._splitter.take(self._run_bursts(head.fields["address"], head.fields["length"]))

    def _run_bursts(self, address: int, length: int) -> Iterator[Burst]:
        left = length
        for units in bursts(address, length):
            left -= units
            yield self._burst(units, left == 0)

    def _burst(self, units: int, last: bool) -> Burst:
        return Burst(units, lambda _, end: self._answered(end, last))

    def _answered(self, end: int, last: bool) -> None:
        if last:
            self._finished.pulse(Unit.WEIGHTS, end + WEIGHTS_WRITES)
            self._clock.at(end + 1, self._job_done)

    def _job_done(self) -> None:
        self._jobs -= 1
        self._look()

"""Runs networks on the bench and compares everything: whole memory, every traced tensor position, every register."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig
from compiler.layout import PACKED_CHANNELS
from golden.network import Network
from rtl.interfaces import Cause
from sim.coverage import uncovered
from sim.driver import Driver, SimulationError
from sim.expected import Expected, expected_of
from sim.job import Job, Manners, Outcome
from sim.layout import packed_input_bytes, tensor_bytes
from sim.memory_image import Placement, job_of, place
from sim.plain_program import PlainProgram, plain_program
from sim.trace import ComputeWrites, compare_trace, read_trace

SHOWN = 8  # mismatches told
START_CYCLES = 8  # at most, from the bench's register write to the first busy cycle and from the last to the interrupt


@dataclass
class Tally:
    """What was compared so far."""

    programs: int = 0
    tensors: int = 0  # all of whose positions were traced
    values: int = 0  # traced, padding channels included
    memory_bytes: int = 0
    cycles: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stored:
    """A tensor in the data region: the layer that makes it, its byte offset and its shape (16 * blocks, H, W)."""

    layer: str
    offset: int
    shape: tuple[int, int, int]

    def place(self, at: int) -> str | None:
        """What lies at byte `at` of the data region, None when it is not this tensor's."""
        channels, height, width = self.shape
        pixel, byte = divmod(at - self.offset, WORD_BYTES)
        block, pixel = divmod(pixel, height * width)
        if at < self.offset or block * WORD_BYTES >= channels:
            return None
        channel, row, column = block * WORD_BYTES + byte, pixel // width, pixel % width
        return f"layer {self.layer} channel {channel} row {row} column {column} stage memory"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job with what it must leave behind. final: uint8, the whole memory; parts: its result writes in order;
    stored: the tensors in the data region."""

    network: Network
    image: np.ndarray
    placement: Placement
    job: Job
    final: np.ndarray
    expected: Expected
    parts: list[ComputeWrites]
    stored: list[Stored]

    def memory_place(self, offset: int) -> str:
        """What lies at this offset of the memory, in words."""
        at = self.placement.base + offset - self.placement.data[0]
        if 0 <= at < self.placement.data[1]:
            for tensor in reversed(self.stored):
                if (found := tensor.place(at)) is not None:
                    return found
        return f"memory in {self.placement.region_of(offset)}"


def prepare_plain(network: Network, image: np.ndarray, config: EngineConfig, manners: Manners, seed: int,
                  program: PlainProgram | None = None) -> Prepared:
    """The plain program of a one-layer network on this image, in a memory drawn from `seed`."""
    program = program or plain_program(network, config)
    placement = place(program.image, program.data_size, seed, config.address_bits)
    expected = expected_of(network, image)
    source, target = network.tensors[network.input], network.layers[0].output
    if source.channels <= PACKED_CHANNELS:
        given = packed_input_bytes(image, source.zero_point)
    else:
        given = tensor_bytes(expected.tensors[network.input])
    data = placement.data_view(placement.memory)
    data[program.input_offset : program.input_offset + given.size] = given
    final = placement.memory.copy()
    output = tensor_bytes(expected.tensors[target])
    placement.data_view(final)[program.output_offset : program.output_offset + output.size] = output
    job = job_of(placement, layers=1, manners=manners)
    stored = [Stored(network.layers[0].name, program.output_offset, expected.tensors[target].shape)]
    return Prepared(network, image, placement, job, final, expected, program.parts, stored)


@dataclass(frozen=True)
class _Compared:
    """values: compared; uncovered: as sim.coverage; mismatches: in words."""

    values: int
    uncovered: dict[str, int]
    mismatches: list[str]


class Session:
    """One simulation: a driver, a configuration, the seed of its initial values and the tally of what was compared.

    stages: whether the driver's bench can record the requantizer's stages.
    """

    def __init__(self, driver: Driver, config: EngineConfig, initial: int = 0, *, stages: bool = True):
        self.driver = driver
        self.config = config
        self.initial = initial
        self.stages = stages
        self.tally = Tally()

    async def check(self, prepared: Prepared) -> Outcome:
        """Run to the end and compare all; SimulationError lists the first mismatches by place and stage."""
        outcome = await self._outcome(prepared)
        compared = self._compare(prepared, outcome)
        self.tally.programs += 1
        self.tally.tensors += len(prepared.network.layers) - len(compared.uncovered)
        self.tally.values += compared.values
        self.tally.memory_bytes += outcome.memory.size
        self.tally.cycles += outcome.cycles
        wrong = compared.mismatches
        if wrong:
            raise SimulationError(f"{len(wrong)} mismatches: " + "; ".join(await self._by_stage(prepared, wrong)))
        self._check_counters(outcome)
        return outcome

    async def _outcome(self, prepared: Prepared) -> Outcome:
        try:
            return await self.driver.run_to_end(prepared.job)
        except SimulationError as error:
            raise SimulationError(f"{error}{self._last_write(prepared)}") from None

    def _last_write(self, prepared: Prepared) -> str:
        """Where the trace of a program that did not end stops."""
        writes = read_trace(self.driver.trace_path, self.config, stages=False)
        done = len(writes.layer)
        for part in prepared.parts:
            if done < part.count:
                channel, row, column = part.place(done, self.config.lanes)
                layer = prepared.network.layers[part.layer].name
                place = f"layer {layer} channel {channel} row {row} column {column} stage output"
                return f"; the next result would be {place}"
            done -= part.count
        return "; all results were written"

    def _compare(self, prepared: Prepared, outcome: Outcome) -> "_Compared":
        """Every difference between the outcome and what it must be, first ones in words."""
        writes = read_trace(outcome.trace, self.config, stages=prepared.job.record == 2)
        values, mismatches = compare_trace(prepared.network, prepared.expected, prepared.parts, writes, self.config)
        left_out = uncovered(prepared.network, prepared.parts, len(writes.layer), self.config.lanes)
        missing = [f"layer {layer}: {count} positions were never written" for layer, count in left_out.items()]
        wrong = [*map(str, mismatches), *missing, *self._compare_memory(prepared, outcome.memory)]
        return _Compared(values, left_out, wrong)

    def _compare_memory(self, prepared: Prepared, memory: np.ndarray) -> list[str]:
        if memory.size != prepared.final.size:
            return [f"memory dump holds {memory.size} bytes, not {prepared.final.size}"]
        signed = np.stack([prepared.final, memory]).view(np.int8)
        return [
            f"{prepared.memory_place(int(at))}: expected {signed[0, at]}, got {signed[1, at]}"
            for at in np.flatnonzero(memory != prepared.final)[: 4 * SHOWN]
        ]

    async def _by_stage(self, prepared: Prepared, wrong: list[str]) -> list[str]:
        """The mismatches again, of the first wrong stage: the same program rerun with all stages recorded."""
        if not self.stages:
            return wrong[:SHOWN]
        stages = expected_of(prepared.network, prepared.image, stages=True)
        full = replace(prepared, job=prepared.job.with_(record=2), expected=stages)
        try:
            again = self._compare(full, await self._outcome(full)).mismatches
        except SimulationError as error:
            again = [f"the run with all stages recorded: {error}"]
        return (again or wrong)[:SHOWN]

    def _check_counters(self, outcome: Outcome) -> None:
        """Every cycle has one cause, and every register counts what the bench counts.

        The causes of the registers are those of the trace and add up to the cycles; the cycles end with the interrupt;
        the beats are those of the bus.
        """
        causes = outcome.causes.sum(axis=0)
        bus = self.config.bus_bytes
        wanted = {cause.name.lower(): int(causes[cause]) for cause in Cause}
        wanted["cycles"] = sum(wanted.values())
        wanted["read_beats"], wanted["write_beats"] = (beats * bus // WORD_BYTES for beats in outcome.beats)
        if not self.config.counters:
            wanted = {name: value if name == "cycles" else 0 for name, value in wanted.items()}
        if outcome.counters != wanted:
            raise SimulationError(f"the counters are {outcome.counters}, the bench counts {wanted}")
        if not 0 <= outcome.cycles - wanted["cycles"] <= START_CYCLES:
            raise SimulationError(f"busy for {wanted['cycles']} cycles of {outcome.cycles} from start to interrupt")

    def write_result(self, path: Path, failure: str, seconds: float) -> None:
        """The tally as JSON; `failure` is empty for a run without one."""
        rate = self.driver.cycles / self.driver.seconds if self.driver.seconds else 0.0
        record = asdict(self.tally) | {"failure": failure, "seconds": seconds, "cycles_per_second": rate}
        record["cycles_per_cpu_second"] = self.driver.cycles / max(self.driver.cpu_seconds, 1e-9)
        path.write_text(json.dumps(record, indent=1))

"""A program of transfers alone: it copies data through the scratchpad in bursts that can fail one by one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import encode
from compiler.encoding import Unit, length_units
from sim.driver import SimulationError
from sim.job import Job, Manners, Outcome
from sim.memory_image import Placement, job_of, place
from sim.session import Session

ROWS, WIDTH, BLOCKS = 2, 20, 2
WORDS = ROWS * WIDTH * BLOCKS
BYTES = WORDS * 16
WEIGHT_UNITS = 5
GAP = 16  # bytes between END and the weights that nothing needs but fetch reads ahead
INSIDE = (0, 24, 264, BYTES - 8)  # first beat, inside the first burst, inside the second, last


@dataclass(frozen=True, eq=False)
class Copies:
    """job: the program in its memory; final: uint8, the memory after it; commands: (unit, fields) in order.

    Two LOADs, two STOREs of what they loaded, a WEIGHTS of each memory, END.
    """

    placement: Placement
    job: Job
    final: np.ndarray
    commands: list[tuple[Unit, dict[str, int]]]

    def _starts(self) -> list[int]:
        """Offset of every command in the image region, and of what follows END."""
        lengths = [length_units(unit) * 16 for unit, _ in self.commands]
        return [sum(lengths[:number]) for number in range(len(lengths) + 1)]

    def reads(self) -> Iterator[tuple[int, int]]:
        """(command, address) of beats that are read for it: its own first and last unit, and its data."""
        starts = self._starts()
        for number, (unit, fields) in enumerate(self.commands):
            for offset in (starts[number], starts[number + 1] - 8):
                yield number, self.job.image[0] + offset
            if unit == Unit.LOAD:
                yield from ((number, self.job.data[0] + fields["address"] + offset) for offset in INSIDE)
            if unit == Unit.WEIGHTS:
                size = fields["length"] * 16
                yield from ((number, self.job.image[0] + fields["address"] + offset) for offset in (0, 8, size - 8))

    def writes(self) -> Iterator[tuple[int, int]]:
        """(command, address) of writes of the STORE commands."""
        for number, (unit, fields) in enumerate(self.commands):
            if unit == Unit.STORE:
                yield from ((number, self.job.data[0] + fields["address"] + offset) for offset in INSIDE)

    def beyond_end(self) -> Job:
        """The job with a bus error on a beat that only lies behind END."""
        return self.job.with_(manners=Manners(fail_read=self.job.image[0] + self._starts()[-1]))

    async def check(self, session: Session, job: Job | None = None) -> Outcome:
        """Run to the end; SimulationError unless the whole memory is as it must be."""
        outcome = await session.driver.run_to_end(job or self.job)
        wrong = np.flatnonzero(outcome.memory != self.final)
        if wrong.size:
            where = self.placement.region_of(int(wrong[0]) // 16 * 16)
            raise SimulationError(f"copies: {wrong.size} bytes differ, the first in {where}")
        return outcome


def copies(config: EngineConfig, seed: int) -> Copies:
    """The program for an engine of `config`, in a memory drawn from `seed`."""
    shape = {"external_block_stride": BYTES // BLOCKS, "block_stride": WORDS // BLOCKS, "pitch": WIDTH,
             "extent": WORDS // BLOCKS, "rows": ROWS, "width": WIDTH, "blocks": BLOCKS}
    units = config.parameter_row_bytes // 16
    weights = sum(length_units(unit) for unit in (*[Unit.LOAD, Unit.STORE, Unit.WEIGHTS] * 2, Unit.END)) * 16 + GAP
    commands = [
        (Unit.LOAD, shape | {"address": 0}),
        (Unit.LOAD, shape | {"address": BYTES, "base": WORDS}),
        (Unit.STORE, shape | {"wait_load": 2, "address": 2 * BYTES}),
        (Unit.STORE, shape | {"wait_load": 2, "address": 3 * BYTES, "base": WORDS}),
        (Unit.WEIGHTS, {"address": weights, "length": WEIGHT_UNITS}),
        (Unit.WEIGHTS, {"address": weights + WEIGHT_UNITS * 16, "length": units, "parameters": 1}),
        (Unit.END, {}),
    ]
    rng = np.random.default_rng([seed, 0x434F5059])
    image = b"".join(encode(*command) for command in commands) + bytes(GAP) + rng.bytes((WEIGHT_UNITS + units) * 16)
    placement = place(image, 4 * BYTES, seed, config.address_bits)
    final = placement.memory.copy()
    view = placement.data_view(final)
    view[2 * BYTES : 4 * BYTES] = view[: 2 * BYTES]
    return Copies(placement, job_of(placement, layers=1, manners=Manners()), final, commands)

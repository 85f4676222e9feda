"""Cases about whole programs: one after the other, empty, started at odd moments."""

import numpy as np

from compiler import registers
from compiler.encode import encode
from compiler.encoding import Unit
from sim.driver import START, SimulationError
from sim.job import Job, Manners
from sim.layers import random_network
from sim.memory_image import job_of, place
from sim.plain_program import Command, PlainProgram, plain_program
from sim.session import Prepared, Session, prepare_plain
from sim.trace import read_trace

CONTROL = registers.register("CONTROL").offset
LATE_STARTS = 12  # cycles around the end of a program at which another start is tried


def simple(session: Session, seed: int, behaviour: Manners | None = None) -> Prepared:
    """A small depthwise layer by a plain program; the same seed gives the same network."""
    network, image = random_network("depthwise", seed, session.config.guard_bits)
    return prepare_plain(network, image, session.config, behaviour or Manners(), seed)


def with_commands(prepared: Prepared, commands: list[Command]) -> Job:
    """The job with other commands of the same lengths."""
    memory = prepared.job.memory.copy()
    start = prepared.job.image[0] - prepared.job.base
    text = b"".join(encode(*command) for command in commands)
    memory[start : start + len(text)] = np.frombuffer(text, np.uint8)
    return prepared.job.with_(memory=memory)


def changed(prepared: Prepared, program: PlainProgram, unit: Unit, turn: int = 0, **fields: int) -> tuple[Job, int]:
    """(the job with fields of command `turn` of `unit` replaced, the number of that command)."""
    number = [number for number, (one, _) in enumerate(program.commands) if one == unit][turn]
    commands = list(program.commands)
    commands[number] = unit, commands[number][1] | fields
    return with_commands(prepared, commands), number


async def run(session: Session, orders) -> None:
    """Many programs without reset, empty programs, starts while busy and around the end."""
    from sim.cases import check_network, kinds_by_seed

    for kind, seed in kinds_by_seed(orders.seed, orders.count or 20):
        await check_network(session, kind, seed)
    await _same_after_another(session, orders.seed)
    await _empty(session, orders.seed)
    await _store_then_load(session, orders.seed)
    await _start_again(session, orders.seed)
    await _without_effect(session, orders.seed)


async def _same_after_another(session: Session, seed: int) -> None:
    """B after a reset, then A and B: the two runs of B take the same cycles and leave the same memory."""
    await session.driver.reset_engine()
    first = await session.check(simple(session, seed + 1))
    await session.check(simple(session, seed))
    second = await session.check(simple(session, seed + 1))
    if first.cycles != second.cycles or not np.array_equal(first.memory, second.memory):
        raise SimulationError(f"program B depends on what ran before: {first.cycles} and {second.cycles} cycles")


async def _empty(session: Session, seed: int) -> None:
    """A program of END alone changes nothing."""
    placement = place(encode(Unit.END, {}), 64, seed, session.config.address_bits)
    outcome = await session.driver.run_to_end(job_of(placement, layers=1, manners=Manners()))
    if not np.array_equal(outcome.memory, placement.memory):
        raise SimulationError("a program of END alone wrote memory")


async def _store_then_load(session: Session, seed: int) -> None:
    """What a STORE has finished is what a LOAD that waited for it reads: data are copied out, back in and out again.

    The memory shows written data only with the write response and poison before, so a STORE that counts as finished
    earlier is seen.
    """
    words = 8
    size = words * 16
    shape = {"rows": 1, "width": words, "blocks": 1, "pitch": words, "extent": words}
    program = [
        (Unit.LOAD, shape),
        (Unit.STORE, shape | {"wait_load": 1, "address": size}),
        (Unit.LOAD, shape | {"wait_store": 1, "address": size, "base": words}),
        (Unit.STORE, shape | {"wait_load": 2, "address": 2 * size, "base": words}),
        (Unit.END, {}),
    ]
    placement = place(b"".join(encode(*command) for command in program), 3 * size, seed, session.config.address_bits)
    final = placement.memory.copy()
    view = placement.data_view(final)
    view[size : 3 * size] = np.tile(view[:size], 2)
    outcome = await session.driver.run_to_end(job_of(placement, layers=1, manners=Manners()))
    wrong = np.flatnonzero(outcome.memory != final)
    if wrong.size:
        raise SimulationError(
            f"layer store_then_load channel 0 row 0 column 0 stage memory: {wrong.size} bytes differ, "
            f"the first in {placement.region_of(int(wrong[0]) // 16 * 16)}"
        )


async def _start_again(session: Session, seed: int) -> None:
    """A start while busy does nothing; around the end it is ignored or runs the program once more."""
    prepared = simple(session, seed)
    alone = await session.check(prepared)
    for cycle in (5, alone.cycles // 2, *range(alone.cycles - LATE_STARTS, alone.cycles + 3)):
        job = prepared.job.with_(late=(cycle, CONTROL, START), drain=2 * alone.cycles + 100)
        outcome = await session.driver.run_to_end(job)
        wrong = not np.array_equal(outcome.memory, prepared.final)
        busy_total = sum(value for name, value in outcome.counters.items() if name not in NOT_CAUSES)
        busy_total = busy_total if session.config.counters else outcome.counters["cycles"]
        if wrong or busy_total != outcome.counters["cycles"]:
            raise SimulationError(f"a start {cycle} cycles after the first left other values")
        await session.check(prepared)


async def _without_effect(session: Session, seed: int) -> None:
    """The residual fields of a layer without residual change nothing, its number only what the trace calls it."""
    prepared = simple(session, seed)
    program = plain_program(prepared.network, session.config)
    fields = {"residual_zero_point": -77, "residual_base": 3, "residual_pitch": 1}
    for layer, multiplier in ((0x5555, 0x8000), (0xAAAA, 0x7FFF), (0x1234, 0xFFFF)):
        job, _ = changed(prepared, program, Unit.COMPUTE, layer=layer, residual_multiplier=multiplier, **fields)
        outcome = await session.driver.run_to_end(job)
        data = slice(prepared.job.data[0] - prepared.job.base, sum(prepared.job.data) - prepared.job.base)
        if not np.array_equal(outcome.memory[data], prepared.final[data]):
            raise SimulationError("layer layer0 channel 0 row 0 column 0 stage memory: fields of no residual change it")
        writes = read_trace(outcome.trace, session.config, stages=False)
        if not writes.layer.size or np.any(writes.layer != layer):
            raise SimulationError(f"the trace calls layer {layer} {np.unique(writes.layer)}")


NOT_CAUSES = ("cycles", "read_beats", "write_beats")

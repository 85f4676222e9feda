"""Cases about whole programs: one after the other, started at odd moments, broken in every way."""

from dataclasses import dataclass

import numpy as np

from compiler import registers
from compiler.encode import encode
from compiler.encoding import Unit
from rtl.interfaces import Error
from sim.driver import START, SimulationError
from sim.job import Channel, Job, Manners, Outcome
from sim.layers import random_network
from sim.memory_image import job_of, place
from sim.plain_program import Command, PlainProgram, plain_program
from sim.session import Prepared, Session, prepare_plain

CONTROL = registers.register("CONTROL").offset
SOFT_RESET = registers.pack("CONTROL", soft_reset=1)
LATE_STARTS = 12  # cycles around the end of a program at which another start is tried


def simple(session: Session, seed: int, behaviour: Manners | None = None) -> Prepared:
    """A small depthwise layer by a plain program; the same seed gives the same network."""
    network, image = random_network("depthwise", seed, session.config.guard_bits)
    return prepare_plain(network, image, session.config, behaviour or Manners(), seed)


async def run(session: Session, orders) -> None:
    """Many programs without reset, empty programs, starts while busy and around the end."""
    from sim.cases import check_network, kinds_by_seed

    for kind, seed in kinds_by_seed(orders.seed, orders.count or 20):
        await check_network(session, kind, seed)
    await _same_after_another(session, orders.seed)
    await _empty(session, orders.seed)
    await _store_then_load(session, orders.seed)
    await _start_again(session, orders.seed)


async def _same_after_another(session: Session, seed: int) -> None:
    """A, B, then B again: the two runs of B take the same cycles and leave the same memory."""
    await session.check(simple(session, seed))
    first = await session.check(simple(session, seed + 1))
    await session.check(simple(session, seed))
    second = await session.check(simple(session, seed + 1))
    if first.cycles != second.cycles or not np.array_equal(first.memory, second.memory):
        raise SimulationError(f"program B depends on what ran before: {first.cycles} and {second.cycles} cycles")


async def _empty(session: Session, seed: int) -> None:
    """A program of END alone changes nothing."""
    placement = place(encode(Unit.END, {}), 64, seed)
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
    placement = place(b"".join(encode(*command) for command in program), 3 * size, seed)
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
        if wrong or busy_total != outcome.counters["cycles"]:
            raise SimulationError(f"a start {cycle} cycles after the first left other values")
        await session.check(prepared)


NOT_CAUSES = ("cycles", "read_beats", "write_beats")


@dataclass(frozen=True, eq=False)
class Broken:
    """A job that must end with this error at this command (None: any)."""

    name: str
    job: Job
    error: Error
    command: int | None
    needs_reset: bool = False  # a bus that never answered leaves VALID high: AXI allows no way back but reset


def _with_commands(program: PlainProgram, commands: list[Command]) -> bytes:
    """The program's image with other commands of the same lengths."""
    text = b"".join(encode(*command) for command in commands)
    return text + program.image[len(text) :]


def _changed(program: PlainProgram, unit: Unit, **fields: int) -> tuple[bytes, int]:
    """(image, command number) with fields of the first command of `unit` replaced."""
    number = [one for one, _ in program.commands].index(unit)
    commands = list(program.commands)
    commands[number] = unit, commands[number][1] | fields
    return _with_commands(program, commands), number


# (unit, field, value) that must be refused with Error.FIELD.
ILLEGAL_FIELDS = (
    (Unit.COMPUTE, "stride_y", 0), (Unit.COMPUTE, "stride_y", 3), (Unit.COMPUTE, "stride_x", 0),
    (Unit.COMPUTE, "stride_x", 3), (Unit.COMPUTE, "grid", 0), (Unit.COMPUTE, "grid", 4), (Unit.COMPUTE, "grid", 7),
    (Unit.COMPUTE, "passes", 0), (Unit.COMPUTE, "output_rows", 0), (Unit.COMPUTE, "output_width", 0),
    (Unit.COMPUTE, "groups", 0), (Unit.COMPUTE, "input_height", 0), (Unit.COMPUTE, "input_width", 0),
    (Unit.COMPUTE, "multiplier", 1), (Unit.COMPUTE, "multiplier", 2**15 - 1), (Unit.COMPUTE, "exponent", 17),
    (Unit.COMPUTE, "exponent", 31), (Unit.COMPUTE, "continues", 1), (Unit.COMPUTE, "partial", 1),
    (Unit.LOAD, "rows", 0), (Unit.LOAD, "width", 0), (Unit.LOAD, "blocks", 0),
    (Unit.LOAD, "address", 8), (Unit.LOAD, "external_block_stride", 4), (Unit.STORE, "rows", 0),
    (Unit.STORE, "width", 0), (Unit.STORE, "blocks", 0), (Unit.STORE, "address", 1), (Unit.WEIGHTS, "length", 0),
    (Unit.WEIGHTS, "address", 4),
)


def _broken_commands(session: Session, prepared: Prepared, program: PlainProgram) -> list[Broken]:
    """Programs with one field out of its range or beyond a memory or region."""
    changes = [(unit, {field: value}, Error.FIELD) for unit, field, value in ILLEGAL_FIELDS]
    changes.append((Unit.COMPUTE, {"low": 5, "high": 4}, Error.FIELD))
    changes.append((Unit.COMPUTE, {"residual": 1, "residual_multiplier": 2**15 + 1}, Error.FIELD))
    top = session.config.scratchpad_words
    if top < 65536:
        changes += [(unit, {"base": top}, Error.SCRATCHPAD) for unit in (Unit.LOAD, Unit.STORE)]
        changes += [(Unit.COMPUTE, {name: top}, Error.SCRATCHPAD) for name in ("input_base", "output_base")]
    for size, unit in ((prepared.job.image[1], Unit.WEIGHTS), (prepared.job.data[1], Unit.LOAD),
                       (prepared.job.data[1], Unit.STORE)):
        changes += [(unit, {"address": at}, Error.REGION) for at in (size, 0xFFFFFFF0)]
    broken = []
    for unit, fields, error in changes:
        image, number = _changed(program, unit, **fields)
        broken.append(Broken(f"{unit.name} {fields}", _with_image(prepared, image), error, number))
    number = len(program.commands) - 1
    for unit in range(int(Unit.END) + 1, 16):
        last = (Unit.END, program.commands[-1][1] | {"unit": unit})
        image = _with_commands(program, [*program.commands[:-1], last])
        broken.append(Broken(f"unit {unit}", _with_image(prepared, image), Error.UNIT, number))
    return broken


def _with_image(prepared: Prepared, image: bytes) -> Job:
    memory = prepared.job.memory.copy()
    start = prepared.job.image[0] - prepared.job.base
    memory[start : start + len(image)] = np.frombuffer(image, np.uint8)
    return prepared.job.with_(memory=memory)


def _command_of_read(program: PlainProgram, unit: Unit) -> int:
    return [one for one, _ in program.commands].index(unit)


def _bus_errors(prepared: Prepared, program: PlainProgram, reads: int, writes: int) -> list[Broken]:
    """An error on every read burst and every write burst, first and last beats, both codes."""
    broken = []
    for burst in range(reads):
        behaviour = Manners(fail_read=burst, fail_read_beat=0, fail_response=2 + burst % 2)
        broken.append(Broken(f"read burst {burst}", prepared.job.with_(manners=behaviour), Error.READ_BUS, None))
    store = _command_of_read(program, Unit.STORE)
    for burst in range(writes):
        behaviour = Manners(fail_write=burst, fail_response=2 + burst % 2)
        broken.append(Broken(f"write burst {burst}", prepared.job.with_(manners=behaviour), Error.WRITE_BUS, store))
    return broken


def _silences(prepared: Prepared) -> list[Broken]:
    """A memory that stops answering on one channel."""
    broken = []
    for channel in (Channel.AR, Channel.R, Channel.AW, Channel.W, Channel.B):
        for after in (0, 1):
            job = prepared.job.with_(
                manners=Manners(stop_channel=channel, stop_after=after), timeout=300, cycle_limit=20_000
            )
            broken.append(Broken(f"silence on {channel.name} after {after}", job, Error.TIMEOUT, None, True))
    return broken


def _untouched(prepared: Prepared, job: Job, outcome: Outcome) -> bool:
    """Nothing changed outside the data region (inside it the failed program may have written)."""
    start = job.data[0] - job.base
    changed = np.flatnonzero(outcome.memory != job.memory)
    return bool(np.all((changed >= start) & (changed < start + job.data[1])))


async def _check_broken(session: Session, prepared: Prepared, broken: Broken) -> None:
    """The documented code and command, no stray write, and the next program runs correctly."""
    outcome = await session.driver.run(broken.job)
    if not outcome.finished:
        raise SimulationError(f"{broken.name}: no interrupt after {outcome.cycles} cycles")
    if outcome.error != broken.error or broken.command not in (None, outcome.error_command):
        found = f"{Error(outcome.error).name} at command {outcome.error_command}"
        raise SimulationError(f"{broken.name}: {found}, must be {broken.error.name} at command {broken.command}")
    if not _untouched(prepared, broken.job, outcome):
        raise SimulationError(f"{broken.name}: wrote outside the data region")
    session.tally.notes.append(f"{broken.name}: {broken.error.name}")
    if broken.needs_reset:
        await session.driver.reset_engine()
    await session.check(prepared)


async def errors(session: Session, orders) -> None:
    """Every way in which a program can fail."""
    prepared = simple(session, orders.seed + 1)
    program = plain_program(prepared.network, session.config)
    healthy = await session.check(prepared)
    beats = session.config.bus_bytes
    reads = -(-healthy.counters["read_beats"] * 16 // (16 * beats))
    writes = max(1, min(4, healthy.counters["write_beats"] // 16))
    for broken in _broken_commands(session, prepared, program):
        await _check_broken(session, prepared, broken)
    for broken in _bus_errors(prepared, program, min(4, reads), writes):
        await _check_broken(session, prepared, broken)
    for broken in _silences(prepared):
        await _check_broken(session, prepared, broken)
    for cycle in range(8, healthy.cycles - 16, max(1, healthy.cycles // 24)):
        job = prepared.job.with_(late=(cycle, CONTROL, SOFT_RESET))
        await _check_broken(session, prepared, Broken(f"soft reset at {cycle}", job, Error.ABORTED, None))

"""The case `errors`: programs that fail in every way, told by code and command, with no other harm done."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compiler import registers
from compiler.encode import UNIT_BYTES, decode
from compiler.encoding import Mode, Unit
from rtl.interfaces import Error
from rtl.microop import CONTEXTS
from sim.copies import Copies, copies
from sim.driver import SimulationError
from sim.fetches import at_the_end
from sim.illegal import illegal_commands
from sim.job import Channel, Job, Manners, Outcome, Stall
from sim.plain_program import PlainProgram, plain_program
from sim.programs import CONTROL, changed, simple, with_commands
from sim.session import Prepared, Session, prepare_plain

SOFT_RESET = registers.pack("CONTROL", soft_reset=1)
TIMEOUT = 300
SILENCE = 3000  # cycles of a memory that is slow, not stuck
LONGEST = 100_000  # cycles of a program that fails
RUN = 20  # units of 16 bytes: a burst of 16 and 4 more


@dataclass(frozen=True, eq=False)
class Broken:
    """A job that must end with this error at this command."""

    name: str
    job: Job
    error: Error
    command: int = 0  # of an error that no command has
    needs_reset: bool = False  # a bus that never answered leaves VALID high: AXI allows no way back but reset


def _changed(prepared: Prepared, program: PlainProgram, unit: Unit, error: Error, **fields: int) -> Broken:
    """The program with fields of the first command of `unit` replaced; the command's number is 0 without an error."""
    job, number = changed(prepared, program, unit, **fields)
    return Broken(f"{unit.name} {fields}", job, error, number if error else 0)


def _broken_commands(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """Programs with one field out of its range, with an unknown unit, or without a command."""
    for unit in (Unit.LOAD, Unit.WEIGHTS, Unit.COMPUTE, Unit.STORE):
        command = next(one for one in decode(program.image) if one.unit == unit)
        for field, wrong in illegal_commands(command, session.config):
            broken = _changed(prepared, program, unit, Error.FIELD, **wrong.fields)
            yield replace(broken, name=f"{unit.name} {field} {wrong.fields[field]}")
    number = len(program.commands) - 1
    for unit in range(int(Unit.END) + 1, 16):
        last = (Unit.END, program.commands[-1][1] | {"unit": unit})
        job = with_commands(prepared, [*program.commands[:-1], last])
        yield Broken(f"unit {unit}", job, Error.UNIT, number)
    end = prepared.job.image[1]
    yield Broken("no program", prepared.job.with_(program_offset=end), Error.REGION)


def _outside(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """Programs with addresses beyond the scratchpad, by every bit, and beyond the regions."""
    residual = {"residual": 1, "residual_multiplier": 1}
    fields = [(unit, name, {}) for unit in (Unit.LOAD, Unit.STORE) for name in ("base", "row_offset")]
    fields += [(Unit.COMPUTE, name, {}) for name in ("input_base", "input_row_offset", "output_base")]
    fields += [(Unit.COMPUTE, name, residual) for name in ("output_row_offset", "residual_base", "residual_row_offset")]
    for bit in range(session.config.scratchpad_words.bit_length() - 1, 16):
        for unit, name, others in fields:
            error = Error.SCRATCHPAD if bit < session.config.size_bits else Error.FIELD
            yield _changed(prepared, program, unit, error, **{name: 1 << bit}, **others)
    for size, unit in ((prepared.job.image[1], Unit.WEIGHTS), (prepared.job.data[1], Unit.LOAD),
                       (prepared.job.data[1], Unit.STORE)):
        for at in (size, 0xFFFFFFF0):
            yield _changed(prepared, program, unit, Error.REGION, address=at)


def _across(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """Transfers that begin inside their region and leave it: in, at and behind the first burst, in the second block."""
    image, data = prepared.job.image[1], prepared.job.data[1]
    row = {"row_offset": 0, "rows": 1, "blocks": 1, "base": 0, "block_stride": 0, "pitch": RUN, "width": RUN}
    forms = ((Unit.WEIGHTS, image, {"length": RUN}), (Unit.LOAD, data, row | {"unpack": 0}), (Unit.STORE, data, row))
    for unit, size, run in forms:
        for inside in (one for one in (1, RUN - 5, RUN - 4, RUN - 3) if one * UNIT_BYTES <= size):
            yield _changed(prepared, program, unit, Error.REGION, **run | {"address": size - inside * UNIT_BYTES})
    for unit, size, run in forms[1:]:
        for stride in (size - UNIT_BYTES, size, (1 << session.config.address_bits) - UNIT_BYTES):
            two = {"address": 0, "width": 2, "pitch": 2, "blocks": 2, "external_block_stride": stride}
            yield _changed(prepared, program, unit, Error.REGION, **run | two)


def _limits(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """The last word of the scratchpad may be used, the one behind it not: by every unit, window row and pixel."""
    top = session.config.scratchpad_words
    single = {"pitch": 1, "row_offset": 0, "rows": 1, "blocks": 1}
    one_row = {"mode": Mode.DENSE, "kernel_height": 1, "kernel_width": 1, "vectors": 1, "stride_x": 1, "output_rows": 1,
               "groups": 1, "input_height": 1, "input_pitch": 0, "input_row_offset": 0, "input_base": 0,
               "first_row": 0, "first_column": 0, "output_base": 0, "output_row_offset": 0, "residual_row_offset": 0}
    for width, beyond in ((1, 0), (1, 1), (2, 0), (2, 1)) if top < 1 << 16 else ():
        base, error = top - width + beyond, Error.SCRATCHPAD if beyond else Error.NONE
        for unit in (Unit.LOAD, Unit.STORE):
            yield _changed(prepared, program, unit, error, **single, width=width, base=base)
        columns = one_row | {"input_width": width, "output_width": width}
        for fields in ({"output_base": base}, {"input_base": base},
                       {"residual": 1, "residual_multiplier": 1, "residual_base": base}):
            yield _changed(prepared, program, Unit.COMPUTE, error, **(columns | fields))
        for row in range(session.config.window_kernel if session.config.window_kernel > 1 else 0):
            window = {"mode": Mode.WINDOW, "grid": session.config.window_kernel, "passes": 1, "first_row": -row}
            yield _changed(prepared, program, Unit.COMPUTE, error, **(columns | window | {"input_base": base}))


def _fetches(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """Reading ends with the last word of the scratchpad, or one behind it."""
    given = next(one.fields for one in decode(program.image) if one.unit == Unit.COMPUTE)
    for fields, beyond in at_the_end(given, session.config):
        error = Error.SCRATCHPAD if beyond else Error.NONE
        yield _changed(prepared, program, Unit.COMPUTE, error, **fields)


def _in_turn(session: Session, prepared: Prepared, program: PlainProgram) -> Iterator[Broken]:
    """Each of many COMPUTE commands in turn is the one that leaves the scratchpad: with operands, residual, results."""
    high = 15 << session.config.size_bits - 4
    for turn in range(len(program.parts)):
        for fields in ({"input_base": high}, {"residual": 1, "residual_base": high}, {"output_base": high}):
            job, number = changed(prepared, program, Unit.COMPUTE, turn, residual_multiplier=1, **fields)
            yield Broken(f"COMPUTE {turn} {fields}", job, Error.SCRATCHPAD, number)


def _bus_errors(made: Copies) -> Iterator[Broken]:
    """An error on reads and writes of every command, both codes: first beat, inside bursts, last beat."""
    for turn, (number, address) in enumerate(made.reads()):
        job = made.job.with_(manners=Manners(fail_read=address, fail_response=2 + turn % 2))
        yield Broken(f"read of 0x{address:x}", job, Error.READ_BUS, number)
    for turn, (number, address) in enumerate(made.writes()):
        job = made.job.with_(manners=Manners(fail_write=address, fail_response=2 + turn % 2))
        yield Broken(f"write to 0x{address:x}", job, Error.WRITE_BUS, number)


def _silences(made: Copies) -> Iterator[Broken]:
    """A memory that stops answering on one channel: at once, after a burst or beat, in the middle of bursts."""
    for channel in (Channel.AR, Channel.R, Channel.AW, Channel.W, Channel.B):
        for after in (0, 1, 5):
            job = made.job.with_(
                manners=Manners(stop_channel=channel, stop_after=after), timeout=TIMEOUT, cycle_limit=20_000
            )
            yield Broken(f"silence on {channel.name} after {after}", job, Error.TIMEOUT, needs_reset=True)


async def _check_endless(session: Session, silent: Broken) -> None:
    """An engine without time-out waits, whatever TIMEOUT is set to, and writes nothing it should not."""
    outcome = await session.driver.run(silent.job)
    if outcome.finished:
        raise SimulationError(f"{silent.name}: ended with {Error(outcome.error).name}, must wait without a time-out")
    if not _untouched(silent.job, outcome):
        raise SimulationError(f"{silent.name}: wrote outside the data region")
    session.tally.notes.append(f"{silent.name}: waits")
    await session.driver.reset_engine()


async def _soft_resets(session: Session, job: Job) -> list[Broken]:
    """A soft reset at many cycles: with a memory that flows, one that stalls inside bursts, one that is silent."""
    broken = []
    for manners in (job.manners, Manners(stalls=(Stall.ALTERNATING,) * 5)):
        cycles = (await session.driver.run_to_end(job.with_(manners=manners))).cycles
        for cycle in range(8, cycles - 16, max(1, cycles // 20)):
            late = job.with_(late=(cycle, CONTROL, SOFT_RESET), manners=manners)
            broken.append(Broken(f"soft reset at {cycle}", late, Error.ABORTED))
    for name in ("read_latency", "write_latency"):
        slow = job.with_(late=(cycles // 2, CONTROL, SOFT_RESET), manners=Manners(**{name: SILENCE}))
        broken.append(Broken(f"soft reset at {cycles // 2}, {name} {SILENCE}", slow, Error.ABORTED))
    return broken


def _untouched(job: Job, outcome: Outcome) -> bool:
    """Nothing changed outside the data region (inside it the failed program may have written)."""
    start = job.data[0] - job.base
    changed = np.flatnonzero(outcome.memory != job.memory)
    return bool(np.all((changed >= start) & (changed < start + job.data[1])))


async def _check_broken(session: Session, broken: Broken) -> None:
    """The documented code and command, and no stray write."""
    outcome = await session.driver.run(broken.job.with_(cycle_limit=min(broken.job.cycle_limit, LONGEST)))
    wanted = f"must be {broken.error.name} at command {broken.command}"
    if not outcome.finished:
        raise SimulationError(f"{broken.name}: no interrupt after {outcome.cycles} cycles, {wanted}")
    if (outcome.error, outcome.error_command) != (broken.error, broken.command):
        found = f"{Error(outcome.error).name} at command {outcome.error_command}"
        raise SimulationError(f"{broken.name}: {found}, {wanted}")
    if not _untouched(broken.job, outcome):
        raise SimulationError(f"{broken.name}: wrote outside the data region")
    session.tally.notes.append(f"{broken.name}: {broken.error.name}")
    if broken.needs_reset:
        await session.driver.reset_engine()


async def errors(session: Session, orders) -> None:
    """Every way in which a program can fail; after each the next program runs correctly."""
    prepared = simple(session, orders.seed + 1)
    program = plain_program(prepared.network, session.config)
    many = plain_program(prepared.network, session.config, times=2 * CONTEXTS)
    repeated = prepare_plain(prepared.network, prepared.image, session.config, Manners(), orders.seed, many)
    for group in (_broken_commands(session, prepared, program), _outside(session, prepared, program),
                  _across(session, prepared, program), _limits(session, prepared, program),
                  _fetches(session, prepared, program), _in_turn(session, repeated, many),
                  await _soft_resets(session, prepared.job)):
        for broken in group:
            await _check_broken(session, broken)
            await session.check(prepared)
    await session.check(repeated)
    made = copies(session.config, orders.seed)
    await made.check(session)
    await made.check(session, made.beyond_end())
    for silent in _silences(made):
        check = _check_endless if session.config.without_timeout else _check_broken
        await check(session, silent)
        await made.check(session)
    for group in (_bus_errors(made), await _soft_resets(session, made.job)):
        for broken in group:
            await _check_broken(session, broken)
            await made.check(session)

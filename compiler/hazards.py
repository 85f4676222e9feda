"""Proves a program safe from its bytes alone: the rules of docs/engine.md, address ranges, window banks.

Every command gets a clock: how many commands of each unit have certainly finished before it starts, by its own waits
and by those of the commands it follows. For every word of every memory the checker keeps who read and who wrote it
last, per unit; whoever touches the word next must have those in its clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.banks import bank_conflicts
from compiler.config import WORD_BYTES, EngineConfig
from compiler.encode import Command, decode
from compiler.encoding import COMMANDS_MAX, Unit
from compiler.fetched import fetched_words
from compiler.footprint import (
    channels_of,
    filled_rows,
    input_read,
    live_kernel_of,
    parameter_rows,
    region_words,
    transfer_bytes,
    transfer_words,
    weight_rows,
)
from compiler.interpret import ONE_AT_A_TIME, UNITS
from compiler.legal import illegal_fields

Touched = dict[str, np.ndarray]
NEVER = 0
STEP = ("first_group", "output_width")  # what the commands of a chain agree in


@dataclass(frozen=True)
class Access:
    """Words that a command reads and writes, by memory: "scratchpad", "weights", "parameters", "data", "image"."""

    reads: Touched
    writes: Touched


def access_of(command: Command, config: EngineConfig) -> Access:
    """What the command touches; words of the external regions are 16 bytes."""
    fields = command.fields
    if command.unit == Unit.COMPUTE:
        return _compute_access(fields, config)
    if command.unit == Unit.WEIGHTS:
        image = fields["address"] // WORD_BYTES + np.arange(fields["length"])
        memory = "parameters" if fields["parameters"] else "weights"
        return Access({"image": image}, {memory: filled_rows(fields, config)})
    inside = {"scratchpad": transfer_words(fields).ravel()}
    outside = {"data": transfer_bytes(fields)[:, ::WORD_BYTES].ravel() // WORD_BYTES}
    return Access(outside, inside) if command.unit == Unit.LOAD else Access(inside, outside)


def _compute_access(fields: dict[str, int], config: EngineConfig) -> Access:
    size = channels_of(fields, config).blocks, fields["output_rows"], fields["output_width"]
    words = input_read(fields, config, live_kernel_of(fields)).words.ravel()
    if fields["residual"]:
        words = np.concatenate([words, region_words(fields, "residual_", *size).ravel()])
    reads = {
        "scratchpad": words,
        "weights": weight_rows(fields, config).ravel(),
        "parameters": parameter_rows(fields, config),
    }
    if fields["partial"]:
        return Access(reads, {})
    return Access(reads, {"scratchpad": region_words(fields, "output_", *size).ravel()})


class _Memory:
    """Who touched each word last: per unit the count of the newest command that read it and that wrote it."""

    def __init__(self, name: str, words: int):
        self.name, self._words = name, words
        self.read = np.zeros((len(UNITS), words), np.int32)
        self.written = np.zeros((len(UNITS), words), np.int32)

    def outside(self, words: np.ndarray) -> list[str]:
        """A line when a word lies outside the memory."""
        if words.size and not 0 <= words.min() <= words.max() < self._words:
            return [f"{self.name} words {words.min()}..{words.max()} must be in 0..{self._words - 1}"]
        return []

    def late(self, words: np.ndarray, clock: np.ndarray, *, writes: bool) -> Iterator[str]:
        """A line per unit that may still be at one of the words when a command of this clock starts."""
        verb = "writes" if writes else "reads"
        tables = {"written": self.written} | ({"read": self.read} if writes else {})
        for what, table in tables.items():
            numbers = table[:, words]
            for unit in np.flatnonzero(numbers.max(axis=1, initial=NEVER) > clock):
                position = int(numbers[unit].argmax())
                yield (
                    f"{verb} {self.name} word {words[position]}, {what} by {UNITS[unit].name} "
                    f"{numbers[unit, position]}, but starts when only {clock[unit]} {UNITS[unit].name} have finished"
                )

    def empty(self, words: np.ndarray) -> list[str]:
        """A line when nothing wrote one of the words."""
        empty = words[(self.written[:, words] == NEVER).all(axis=0)]
        return [f"reads {self.name} word {empty[0]}, which nothing wrote ({empty.size} words)"] if empty.size else []


class Checker:
    """Takes commands in program order and says of each what may go wrong."""

    def __init__(self, config: EngineConfig, image_size: int, data_size: int):
        self._config = config
        sizes = {
            "scratchpad": config.scratchpad_words,
            "weights": config.weight_rows,
            "parameters": config.parameter_rows,
            "image": image_size // WORD_BYTES,
            "data": data_size // WORD_BYTES,
        }
        self._memories = {name: _Memory(name, words) for name, words in sizes.items()}
        self._clocks: dict[Unit, list[np.ndarray]] = {unit: [] for unit in UNITS}
        self._chain: dict[str, int] | None = None  # step of a partial command that waits for its next

    def take(self, command: Command) -> list[str]:
        """Remembers what one command does; a line for everything that is not safe about it."""
        clock, found = self._clock(command)
        if command.unit == Unit.END:
            return found
        self._clocks[command.unit].append(clock)
        illegal = illegal_fields(command, self._config)
        if illegal:
            return found + illegal
        if command.unit == Unit.COMPUTE:
            found += self._chained(command.fields)
        access = access_of(command, self._config)
        outside = [line for touched in (access.reads, access.writes) for line in self._outside(touched)]
        if not outside and command.unit == Unit.COMPUTE:
            outside = self._fetched(command.fields)
        if outside:
            return found + outside
        found += self._hazards(access, clock)
        found += bank_conflicts(command, self._config)
        return found + self._remember(command.unit, access)

    def _chained(self, fields: dict[str, int]) -> list[str]:
        """A line when rule 3 is broken: sums that nothing continues, or a command that continues other ones."""
        step = {name: fields[name] for name in STEP}
        open_chain, self._chain = self._chain, step if fields["partial"] else None
        if (open_chain is not None) != fields["continues"]:
            before = 1 - fields["continues"]
            return [f"continues = {fields['continues']} behind a command with partial = {before} (rule 3)"]
        if open_chain is not None and open_chain != step:
            return [f"continues the sums of another step: {step} behind {open_chain} (rule 3)"]
        return []

    def _outside(self, touched: Touched) -> list[str]:
        return [line for name, words in touched.items() for line in self._memories[name].outside(words)]

    def _fetched(self, fields: dict[str, int]) -> list[str]:
        """A line when the engine would end with error SCRATCHPAD for words that no output needs."""
        lines = self._memories["scratchpad"].outside(fetched_words(fields, self._config).ravel())
        return [f"fetches, with those that no output needs, {line}" for line in lines]

    def _hazards(self, access: Access, clock: np.ndarray) -> list[str]:
        found: list[str] = []
        for name, words in access.reads.items():
            found += self._memories[name].late(words, clock, writes=False)
            if name not in ("image", "data"):
                found += self._memories[name].empty(words)
        for name, words in access.writes.items():
            found += self._memories[name].late(words, clock, writes=True)
        return found

    def _clock(self, command: Command) -> tuple[np.ndarray, list[str]]:
        """Commands of each unit that have finished before this one starts; a line per wait for a later command."""
        clock = np.array([command.fields[f"wait_{unit.name.lower()}"] for unit in UNITS], np.int32)
        before = np.array([len(self._clocks[unit]) for unit in UNITS], np.int32)
        found = [
            f"waits for {unit.name} {clock[unit]}, but only {before[unit]} stand before it (rule 1)"
            for unit in UNITS
            if clock[unit] > before[unit]
        ]
        clock = np.minimum(clock, before)
        if command.unit != Unit.END:
            clock = self._with_own_unit(command.unit, clock)
        for unit in UNITS:
            if clock[unit]:
                clock = np.maximum(clock, self._clocks[unit][clock[unit] - 1])
        return clock, found

    def _with_own_unit(self, unit: Unit, clock: np.ndarray) -> np.ndarray:
        """A unit starts in order; LOAD and WEIGHTS have also finished the command before."""
        own = self._clocks[unit]
        if own:
            clock = np.maximum(clock, own[-1])
        if unit in ONE_AT_A_TIME:
            clock[unit] = len(own)
        return clock

    def _remember(self, unit: Unit, access: Access) -> list[str]:
        """Notes who touched what; a line when a command writes a word that it reads itself."""
        number, found = len(self._clocks[unit]), []
        for name, words in access.reads.items():
            self._memories[name].read[unit, words] = number
        for name, words in access.writes.items():
            own = words[self._memories[name].read[unit, words] == number]
            if own.size:
                found.append(f"reads and writes {name} word {own[0]} itself ({own.size} words)")
            self._memories[name].written[unit, words] = number
        return found


def hazards_of(program: bytes, config: EngineConfig, image_size: int, data_size: int) -> list[str]:
    """A line for everything that is not safe, each naming its command by number and unit; empty for a safe program.

    image_size, data_size: bytes of the external regions. Checked: rules 1 to 3, field ranges, addresses, reading only
    what was written, banks of window commands, at most 65535 commands per unit.
    """
    checker = Checker(config, image_size, data_size)
    seen = dict.fromkeys(Unit, 0)
    found = []
    for number, command in enumerate(decode(program)):
        seen[command.unit] += 1
        found += [
            f"command {number} ({command.unit.name} {seen[command.unit]}): {line}" for line in checker.take(command)
        ]
    found += [
        f"{seen[unit]} {unit.name} commands: at most {COMMANDS_MAX}" for unit in UNITS if seen[unit] > COMMANDS_MAX
    ]
    return found


def check_program(program: bytes, config: EngineConfig, image_size: int, data_size: int) -> None:
    """ValueError with the first line of `hazards_of`, if there is one."""
    found = hazards_of(program, config, image_size, data_size)
    if found:
        raise ValueError(found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))

"""Proves a program safe from its bytes alone: rules 1 and 2 of docs/engine.md, address ranges, window banks.

Every command gets a clock: how many commands of each unit have certainly finished before it starts, by its own waits
and by those of the commands it follows. For every word of every memory the checker keeps who read and who wrote it
last, per unit; whoever touches the word next must have those in its clock.
"""

from dataclasses import dataclass

import numpy as np

from compiler.banks import check_banks
from compiler.config import WORD_BYTES, EngineConfig
from compiler.encode import Command, decode
from compiler.encoding import Unit
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

Touched = dict[str, np.ndarray]
NEVER = 0


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
    return Access(reads, {"scratchpad": region_words(fields, "output_", *size).ravel()})


class _Memory:
    """Who touched each word last: per unit the count of the newest command that read it and that wrote it."""

    def __init__(self, name: str, words: int):
        self.name, self._words = name, words
        self.read = np.zeros((len(UNITS), words), np.int32)
        self.written = np.zeros((len(UNITS), words), np.int32)

    def check_range(self, words: np.ndarray) -> None:
        if words.size and not 0 <= words.min() <= words.max() < self._words:
            raise ValueError(f"{self.name} words {words.min()}..{words.max()} must be in 0..{self._words - 1}")

    def check(self, words: np.ndarray, clock: np.ndarray, *, writes: bool) -> None:
        """ValueError when a command of this clock may touch one of the words before an earlier one has finished."""
        self.check_range(words)
        for what, table in (("written", self.written), ("read", self.read)):
            if what == "read" and not writes:
                continue
            late = table[:, words] > clock[:, None]
            if late.any():
                unit, position = np.argwhere(late)[0]
                number = table[unit, words[position]]
                verb = "writes" if writes else "reads"
                raise ValueError(
                    f"{verb} {self.name} word {words[position]}, {what} by {UNITS[unit].name} {number}, "
                    f"but starts when only {clock[unit]} {UNITS[unit].name} have finished"
                )

    def check_filled(self, words: np.ndarray) -> None:
        """ValueError when nothing wrote one of the words."""
        empty = words[(self.written[:, words] == NEVER).all(axis=0)]
        if empty.size:
            raise ValueError(f"reads {self.name} word {empty[0]}, which nothing wrote ({empty.size} words)")


class Checker:
    """Takes commands in program order and raises ValueError at the first that may go wrong."""

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

    def take(self, command: Command) -> None:
        """Checks one command and remembers what it does."""
        clock = self._clock(command)
        if command.unit == Unit.END:
            return
        access = access_of(command, self._config)
        for name, words in access.reads.items():
            self._memories[name].check(words, clock, writes=False)
            if name not in ("image", "data"):
                self._memories[name].check_filled(words)
        for name, words in access.writes.items():
            self._memories[name].check(words, clock, writes=True)
        check_banks(command, self._config)
        self._remember(command.unit, access, clock)

    def _clock(self, command: Command) -> np.ndarray:
        """Commands of each unit that have finished before this one starts."""
        clock = np.array([command.fields[f"wait_{unit.name.lower()}"] for unit in UNITS], np.int32)
        for unit in UNITS:
            before = len(self._clocks[unit])
            if clock[unit] > before:
                raise ValueError(f"waits for {unit.name} {clock[unit]}, but only {before} stand before it (rule 1)")
        if command.unit != Unit.END:
            clock = self._with_own_unit(command.unit, clock)
        for unit in UNITS:
            if clock[unit]:
                clock = np.maximum(clock, self._clocks[unit][clock[unit] - 1])
        return clock

    def _with_own_unit(self, unit: Unit, clock: np.ndarray) -> np.ndarray:
        """A unit starts in order; LOAD and WEIGHTS have also finished the command before."""
        own = self._clocks[unit]
        if own:
            clock = np.maximum(clock, own[-1])
        if unit in ONE_AT_A_TIME:
            clock[unit] = len(own)
        return clock

    def _remember(self, unit: Unit, access: Access, clock: np.ndarray) -> None:
        self._clocks[unit].append(clock)
        number = len(self._clocks[unit])
        for name, words in access.reads.items():
            self._memories[name].read[unit, words] = number
        for name, words in access.writes.items():
            self._memories[name].written[unit, words] = number


def check_program(program: bytes, config: EngineConfig, image_size: int, data_size: int) -> None:
    """ValueError at the first command, named by number and unit, that is not safe.

    image_size, data_size: bytes of the external regions. Checked: rules 1 and 2, addresses, reading only what was
    written, banks of window commands.
    """
    checker = Checker(config, image_size, data_size)
    seen = dict.fromkeys(Unit, 0)
    for number, command in enumerate(decode(program)):
        seen[command.unit] += 1
        try:
            checker.take(command)
        except ValueError as error:
            raise ValueError(f"command {number} ({command.unit.name} {seen[command.unit]}): {error}") from None

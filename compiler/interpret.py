"""Runs a program without RTL: in program order, or in any other order that its waits allow."""

from collections import deque

import numpy as np

from compiler.encode import Command
from compiler.encoding import Unit
from compiler.machine import Machine, Write

UNITS = (Unit.LOAD, Unit.WEIGHTS, Unit.COMPUTE, Unit.STORE)
ONE_AT_A_TIME = (Unit.LOAD, Unit.WEIGHTS)  # the other units' commands overlap with the unit's next


def run_in_order(machine: Machine, commands: list[Command]) -> None:
    """Executes the commands one after the other; ValueError names the command that is not legal."""
    for number, command in enumerate(commands):
        if command.unit == Unit.END:
            return
        try:
            machine.read(command)()
        except ValueError as error:
            raise ValueError(f"command {number} ({command.unit.name}): {error}") from None


class _Running:
    """A started command: it reads when it starts or when it finishes, and writes not before it read."""

    def __init__(self, machine: Machine, command: Command, rng: np.random.Generator):
        when = rng.integers(3)  # reads and writes at the start, reads at the start, does both at the end
        self._machine, self._command = machine, command
        self._write: Write | None = None
        if when < 2:
            self.read()
        if when == 0:
            self.finish()
            self._write = _nothing

    def read(self) -> None:
        """Reads now, if it has not."""
        if self._write is None:
            self._write = self._machine.read(self._command)

    def pass_on(self) -> None:
        """The unit's next command starts: a part of a chain has read, so that its sums are there."""
        if self._command.fields.get("continues") or self._command.fields.get("partial"):
            self.read()

    def finish(self) -> None:
        """Writes what was read."""
        self.read()
        assert self._write is not None
        self._write()


def _nothing() -> None:
    """A command that has already written."""


def run_shuffled(machine: Machine, commands: list[Command], rng: np.random.Generator) -> None:
    """Executes the commands in a random order within what docs/engine.md promises.

    Units start their own commands in order once the waits are met; LOAD and WEIGHTS do one at a time, COMPUTE and STORE
    any number; a command finishes after those its unit started before. Some units are made much slower than others.
    ValueError when every unit waits (a deadlock).
    """
    queues = {unit: deque(c for c in commands if c.unit == unit) for unit in UNITS}
    running: dict[Unit, deque[_Running]] = {unit: deque() for unit in UNITS}
    finished = dict.fromkeys(UNITS, 0)
    speed = {(unit, kind): 4.0 ** rng.integers(0, 4) for unit in UNITS for kind in ("start", "finish")}

    def may_start(unit: Unit) -> bool:
        if not queues[unit] or (unit in ONE_AT_A_TIME and running[unit]):
            return False
        fields = queues[unit][0].fields
        return all(fields[f"wait_{other.name.lower()}"] <= finished[other] for other in UNITS)

    while any(queues.values()) or any(running.values()):
        events = [(unit, "start") for unit in UNITS if may_start(unit)]
        events += [(unit, "finish") for unit in UNITS if running[unit]]
        if not events:
            heads = ", ".join(f"{unit.name} {finished[unit]}" for unit in UNITS if queues[unit])
            raise ValueError(f"deadlock: every unit waits; commands finished: {heads}")
        chances = np.array([speed[event] for event in events])
        unit, kind = events[rng.choice(len(events), p=chances / chances.sum())]
        if kind == "start":
            for earlier in running[unit]:
                earlier.pass_on()
            running[unit].append(_Running(machine, queues[unit].popleft(), rng))
        else:
            running[unit].popleft().finish()
            finished[unit] += 1

"""A board as the host uses it: which engine it has, a program in its memory, images through it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from board.host import Host, LinkError, SessionLost
from compiler import registers
from compiler.config import EngineConfig, preset
from compiler.layout import aligned
from compiler.program import CompiledNetwork
from golden.errors import WesnpuError

RESTARTS = 20  # times that all is loaded again after a reset, without one image done in between
TIMEOUT_CYCLES = 1 << 20  # the engine gives its memory up after that
RUN_SECONDS = 60.0  # on the line's clock
COUNTERS = tuple(one.name for one in registers.REGISTERS if one.name.startswith("COUNT_"))
IDENTIFICATION = tuple(registers.identification(preset("small")))  # the same registers for every engine
STEP_BYTES = 2048  # between two calls of `progress`
Result = TypeVar("Result")

#: Told now and then: what is done, how much of it, of how much.
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class BoardRun:
    """One image. tensors: int8 (C, H, W), every tensor that lies in the data region; cycles: of the program.

    counters: the engine's, by name.
    """

    tensors: dict[str, np.ndarray]
    cycles: int
    counters: dict[str, int]


class Board:
    """A board at the other end of `host`. LinkError when it stays silent or refuses; never a result of doubt.

    memory_bytes, clock_hz, name: what the board says of itself; config: the engine that it holds.
    restarts: how often it was found to be reset.
    """

    def __init__(self, host: Host):
        self._host = host
        self._compiled: CompiledNetwork | None = None
        self._progress: Progress | None = None
        self._lost = False
        self.restarts = 0
        self._again(self._connect)

    def _connect(self) -> None:
        self._host.open()
        self.memory_bytes, self.clock_hz, self.name = self._host.read_board()
        self.config = self._read_config()
        if self._status()["busy"]:  # a program of a session before this one
            self._host.write_register("CONTROL", registers.pack("CONTROL", soft_reset=1))
            self._wait()

    def _read_config(self) -> EngineConfig:
        found = {name: self._host.read_register(name) for name in IDENTIFICATION}
        if found["MAGIC"] != registers.MAGIC or found["VERSION"] >> 16 != registers.VERSION_MAJOR:
            raise LinkError(f"board {self.name!r} holds no engine of this version: MAGIC {found['MAGIC']:#x}, VERSION "
                            f"{found['VERSION']:#x}: must be {registers.MAGIC:#x}, major {registers.VERSION_MAJOR}")
        told: dict[str, Any] = {"name": f"board-{self.name}"}
        for name, value in found.items():
            parts = registers.unpack(name, value)
            told |= {name.lower(): value} if list(parts) == ["value"] else parts
        return EngineConfig(**{one.name: told[one.name] for one in fields(EngineConfig) if one.name in told})

    def load(self, compiled: CompiledNetwork, progress: Progress | None = None) -> None:
        """Write program, weights and parameters; WesnpuError when they and the tensors do not fit the memory."""
        total = aligned(len(compiled.image)) + aligned(compiled.data_size)
        if total > self.memory_bytes:
            raise WesnpuError(
                f"network {compiled.network.name}: {len(compiled.image):,} bytes of program and weights, "
                f"{compiled.data_size:,} of tensors: board {self.name} has {self.memory_bytes:,} bytes"
            )
        if compiled.config.executes() != self.config.executes():
            raise WesnpuError(f"the program is for engine {compiled.config.name}, board {self.name} has another one")
        self._compiled, self._progress = compiled, progress
        self._again(self._load)

    def _load(self) -> None:
        compiled = self._compiled
        if compiled is None:
            return
        self._data_base = aligned(len(compiled.image))
        self._write(0, compiled.image, "program and weights")
        values = {
            "PROGRAM_OFFSET": compiled.program_offset, "IMAGE_BASE": 0, "IMAGE_SIZE": self._data_base,
            "DATA_BASE": self._data_base, "DATA_SIZE": aligned(compiled.data_size), "TIMEOUT": TIMEOUT_CYCLES,
        }
        for name, value in values.items():
            self._host.write_register(name, value)

    def _write(self, address: int, data: bytes, what: str) -> None:
        for start in range(0, len(data), STEP_BYTES):
            self._host.write_memory(address + start, data[start : start + STEP_BYTES])
            if self._progress is not None:
                self._progress(what, min(start + STEP_BYTES, len(data)), len(data))

    def run(self, x: np.ndarray, *, names: tuple[str, ...] | None = None) -> BoardRun:
        """The loaded network on x, int8 (C, H, W); reads back the tensors `names` (default: the network's outputs).

        LinkError when the engine stops with an error.
        """
        compiled = self._compiled
        if compiled is None:
            raise ValueError("load a network first")
        return self._again(lambda: self._run(compiled, x, names or tuple(compiled.network.outputs)))

    def _run(self, compiled: CompiledNetwork, x: np.ndarray, names: tuple[str, ...]) -> BoardRun:
        host, source = self._host, compiled.placements[compiled.network.input]
        host.write_memory(self._data_base + source.offset, compiled.pack_input(x))
        host.write_register("CONTROL", registers.pack("CONTROL", start=1))
        status = self._wait()
        if status["error"]:
            told = registers.ERRORS.get(status["error"], "unknown")
            raise LinkError(f"the engine stopped at command {status['error_command']}: {told}")
        data = bytearray(compiled.data_size)
        for name in names:
            where = compiled.placements[name]
            part = host.read_memory(self._data_base + where.offset, where.size)
            data[where.offset : where.offset + where.size] = part
        tensors = {name: compiled.unpack_output(bytes(data), name) for name in names}
        counters = {name.removeprefix("COUNT_").lower(): host.read_register(name) for name in COUNTERS}
        return BoardRun(tensors, counters["cycles"], counters)

    def _status(self) -> dict[str, int]:
        return registers.unpack("STATUS", self._host.read_register("STATUS"))

    def _wait(self) -> dict[str, int]:
        """Until the program has ended; its status."""
        end = self._host.now() + RUN_SECONDS
        while self._host.now() <= end:
            status = self._status()
            if status["done"] and not status["busy"]:
                return status
        raise LinkError(f"the engine has not finished after {RUN_SECONDS:.0f} s")

    def _again(self, action: Callable[[], Result]) -> Result:
        """The action's result; after a reset of the board everything is loaded again first."""
        for _ in range(RESTARTS):
            try:
                if self._lost:
                    self._connect()
                    self._load()
                    self._lost = False
                return action()
            except SessionLost:
                self._lost = True
                self.restarts += 1
        raise LinkError(f"the board was reset, or used by another program, {RESTARTS} times in a row")

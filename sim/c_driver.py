"""The C driver (driver/wesnpu.c) against the simulated engine: its register accesses become AXI4-Lite transfers.

The driver is compiled by the system's C compiler into a shared library and called through ctypes; a call of its bus is
an operation of the bench.
"""

import ctypes
import hashlib
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from compiler.export import engine_words
from compiler.layout import Placement
from compiler.program import CompiledNetwork
from compiler.registers import Offset
from golden.errors import WesnpuError
from golden.network import Tensor
from sim.build import CACHE, ROOT, locked
from sim.driver import Driver
from sim.job import Job

FOLDER = ROOT / "driver"
SOURCES = ("wesnpu.c", "wesnpu_tensor.c")
HEADERS = (FOLDER / "wesnpu.h", ROOT / "docs" / "wesnpu_registers.h")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes")
BARE = ("-ffreestanding", "-nostdlib")  # nothing but the headers that a compiler itself brings

Read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
Write = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
Idle = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class CBus(ctypes.Structure):
    """struct wesnpu_bus."""

    _fields_ = [("read", Read), ("write", Write), ("idle", Idle), ("context", ctypes.c_void_p)]


class CTensor(ctypes.Structure):
    """struct wesnpu_tensor."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("offset", "channels", "height", "width", "packed")]
    _fields_ += [("zero_point", ctypes.c_int32)]

    @staticmethod
    def of(tensor: Tensor, where: Placement) -> "CTensor":
        """The tensor at its place."""
        return CTensor(where.offset, *tensor.shape, int(where.packed), tensor.zero_point)


class CProgram(ctypes.Structure):
    """struct wesnpu_program."""

    _fields_ = [
        ("engine", ctypes.c_uint32 * 7), ("image_size", ctypes.c_uint32), ("program_offset", ctypes.c_uint32),
        ("data_size", ctypes.c_uint32), ("input", CTensor), ("output_count", ctypes.c_uint32),
        ("outputs", ctypes.POINTER(CTensor)),
    ]


class CEngine(ctypes.Structure):
    """struct wesnpu."""

    _fields_ = [("bus", ctypes.POINTER(CBus)), ("started", ctypes.c_uint32), ("ended", ctypes.c_uint32)]


class CCounters(ctypes.Structure):
    """struct wesnpu_counters."""

    _fields_ = [
        (name, ctypes.c_uint32)
        for name in ("cycles", "read_beats", "write_beats", "active", "fill", "program", "requantizer", "store", "bus",
                     "weights", "activations")
    ]


def c_program(compiled: CompiledNetwork) -> CProgram:
    """The struct that `wesnpu compile` writes as C."""
    tensors, places = compiled.network.tensors, compiled.placements
    outputs = [CTensor.of(tensors[name], places[name]) for name in compiled.network.outputs]
    source = CTensor.of(tensors[compiled.network.input], places[compiled.network.input])
    return CProgram(
        (ctypes.c_uint32 * 7)(*engine_words(compiled)), len(compiled.image), compiled.program_offset,
        max(compiled.data_size, 64), source, len(outputs), (CTensor * len(outputs))(*outputs),
    )


def compile_c(sources: list[Path], target: Path, *arguments: str) -> Path:
    """C99 without a warning, or WesnpuError with the compiler's first words."""
    command = ["gcc", *WARNINGS, *arguments, *(f"-I{path.parent}" for path in HEADERS), *sources, "-o", target]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise WesnpuError(f"gcc refuses {sources[0].name}: {done.stderr.strip()[:500]}")
    return target


def driver_library() -> ctypes.CDLL:
    """The driver as a shared library without a C library, compiled once per content."""
    sources = [FOLDER / name for name in SOURCES]
    text = b"\0".join(path.read_bytes() for path in (*sources, *HEADERS)) + repr(WARNINGS + BARE).encode()
    target = CACHE / f"driver-{hashlib.sha256(text).hexdigest()[:16]}.so"
    with locked(target):
        if not target.exists():
            compile_c(sources, target.with_suffix(".unfinished"), "-Os", "-shared", "-fPIC", *BARE)
            target.with_suffix(".unfinished").rename(target)
    return ctypes.CDLL(str(target))


def completed(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the coroutine waits for something: only drivers of plain processes do not")


class CDriver:
    """The C driver of a simulated engine behind `driver`, a sim.process.ProcessDriver in reset's wake.

    Every function of wesnpu.h is a method of the same name without its prefix and first argument. accesses: register
    transfers so far. With `sleep`, bus->idle waits for the interrupt and calls wesnpu_on_interrupt, as a processor's
    handler does; else it does nothing, so that waiting means looking again.
    """

    def __init__(self, driver: Driver, *, sleep: bool = False):
        self._driver = driver
        self._library = driver_library()
        self.accesses = 0
        self.responses: list[int] = []  # that were not OKAY
        self.handled = 0
        idle = self._sleep if sleep else lambda _context: None
        self._bus = CBus(Read(self._read), Write(self._write), Idle(idle), None)
        self._engine = CEngine()

    def _read(self, _context: object, offset: int) -> int:
        return self._access(self._driver.read(Offset(offset).name))

    def _write(self, _context: object, offset: int, value: int) -> None:
        self._access(self._driver.write(Offset(offset).name, value))

    def _access(self, transfer: Coroutine[Any, Any, int]) -> int:
        value = completed(transfer)
        self.accesses += 1
        if self._driver.output("response"):
            self.responses.append(self._driver.output("response"))
        return value

    def _sleep(self, _context: object) -> None:
        if completed(self._driver.wait()):
            self.handled += self.call("on_interrupt")

    def call(self, name: str, *arguments: object) -> int:
        """wesnpu_NAME(engine, arguments...)."""
        return getattr(self._library, f"wesnpu_{name}")(ctypes.byref(self._engine), *arguments)

    def open(self) -> int:
        """wesnpu_open on this bus."""
        return self.call("open", ctypes.byref(self._bus))

    def load(self, program: CProgram, job: Job) -> int:
        """wesnpu_load with the job's regions."""
        return self.call("load", ctypes.byref(program), ctypes.c_uint32(job.image[0]), ctypes.c_uint32(job.data[0]))

    def counters(self) -> dict[str, int]:
        """wesnpu_read_counters."""
        found = CCounters()
        self.call("read_counters", ctypes.byref(found))
        return {name: getattr(found, name) for name, _ in CCounters._fields_}

    def wait(self, name: str, most: int) -> tuple[int, int]:
        """wesnpu_NAME (wait or wait_interrupt), (result, command)."""
        command = ctypes.c_uint32()
        return self.call(name, ctypes.c_uint32(most), ctypes.byref(command)), command.value


def write_input(tensor: CTensor, values: np.ndarray, data: np.ndarray) -> None:
    """wesnpu_write_input of int8 (C, H, W) into the data region, uint8."""
    plain = np.ascontiguousarray(values, np.int8)
    driver_library().wesnpu_write_input(ctypes.byref(tensor), _pointer(plain), _pointer(data))


def read_output(tensor: CTensor, data: np.ndarray) -> np.ndarray:
    """wesnpu_read_output from the data region, uint8: int8 (C, H, W)."""
    values = np.empty((tensor.channels, tensor.height, tensor.width), np.int8)
    driver_library().wesnpu_read_output(ctypes.byref(tensor), _pointer(data), _pointer(values))
    return values


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    if not array.flags.c_contiguous:
        raise ValueError("the array must be contiguous")
    return ctypes.c_void_p(array.ctypes.data)

"""A board design in Verilator, seen through its UART pins: a line that the host side takes for a serial port."""

import contextlib
import hashlib
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from amaranth.lib import wiring

from board.boards import board_design
from board.soc import TOP
from fpga.blocks import component_verilog
from golden.errors import WesnpuError
from golden.files import write_whole
from sim.build import CACHE, Build, build_sources, locked, rtl_digest
from sim.process import process_program

HERE = Path(__file__).resolve().parent
MAIN = HERE / "uart_process.cpp"
DIVISOR = 4  # clock cycles per bit: the fastest
CLOCK_HZ = 50_000_000
LATENCY_CYCLES = 2000  # the host waits that long beyond the time on the line
ANSWER = struct.Struct("<QI")


def build_board(name: str, make: Callable[[], wiring.Component]) -> Build:
    """The simulator of what `make` makes, cached by `name`, which tells its parameters, and by all sources."""
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    key = hashlib.sha256(f"{name} {rtl_digest()} ".encode() + sources).hexdigest()[:16]
    path = CACHE / f"board-{key}.v"
    with locked(path):
        if not path.exists():
            write_whole(path, component_verilog(make(), TOP).encode())
    return build_sources([path], TOP)


def simulated_board(name: str) -> Build:
    """The simulator of a board's design without PLL, the line at its fastest; WesnpuError lists the boards."""
    board = board_design(name)
    return build_board(repr(board), lambda: board.soc(divisor=DIVISOR))


class SimulatedLine:
    """A Line (board/line.py) whose other end is a simulated board; leave its context to end the simulator.

    seed draws the initial contents of memory. Time is simulated time; `cycles` tells how much there was so far.
    plusargs: for the Verilog.
    """

    def __init__(
        self, build: Build, *, divisor: int = DIVISOR, clock_hz: int = CLOCK_HZ, seed: int = 1,
        plusargs: tuple[str, ...] = (),
    ):
        self.byte_seconds = 10 * divisor / clock_hz
        self.latency = LATENCY_CYCLES / clock_hz
        self.cycles = 0
        self.framing_errors = 0
        self._clock_hz = clock_hz
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        arguments = [f"divisor={divisor}", "+verilator+rand+reset+2", f"+verilator+seed+{seed % (1 << 31) + 1}"]
        self._process = subprocess.Popen(
            [process_program(build, MAIN, ""), *arguments, *plusargs], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def __enter__(self) -> "SimulatedLine":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the simulator."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._log.close()

    def send(self, data: bytes) -> None:
        """As Line's."""
        self._command("S", len(data), data)

    def receive(self, seconds: float) -> bytes:
        """As Line's."""
        self._command("R", max(1, round(seconds * self._clock_hz)))
        (count,) = struct.unpack("<I", self._read(4))
        data = self._read(count)
        self.cycles, self.framing_errors = ANSWER.unpack(self._read(ANSWER.size))
        return data

    def now(self) -> float:
        """As Line's."""
        return self.cycles / self._clock_hz

    def reset(self, cycles: int = 16) -> None:
        """Hold the board's reset for some cycles, whatever it does."""
        self._command("X", cycles)

    def line_break(self, cycles: int) -> None:
        """Pull the board's rx pin low for some cycles."""
        self._command("B", cycles)

    def _command(self, letter: str, number: int, data: bytes = b"") -> None:
        try:
            self._process.stdin.write(letter.encode() + number.to_bytes(4, "little") + data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _read(self, count: int) -> bytes:
        data = self._process.stdout.read(count)
        if len(data) != count:
            raise self._ended()
        return data

    def _ended(self) -> WesnpuError:
        code = self._process.wait()
        self._log.seek(0)
        return WesnpuError(f"the simulator ended with {code}: {self._log.read().decode().strip() or 'nothing told'}")

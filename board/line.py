"""What the host side needs of a line, and a serial port as one."""

import time
from typing import Protocol

from golden.errors import WesnpuError

SERIAL_LATENCY = 0.1  # seconds; USB adapters hold bytes back for up to 16 ms, systems are busy
BITS_PER_BYTE = 10


class Line(Protocol):
    """A pair of byte streams that may lose, damage, repeat and reorder bytes.

    byte_seconds: time of one byte.  latency: seconds that an answer may take beyond the time of its bytes.
    """

    byte_seconds: float
    latency: float

    def send(self, data: bytes) -> None:
        """Queue bytes for the board."""

    def receive(self, seconds: float) -> bytes:
        """Bytes that have come; waits at most `seconds` for the first one."""

    def now(self) -> float:
        """Seconds since any fixed moment, in the time that passes on this line."""


class SerialLine:
    """A serial port of this computer, 8 data bits, no parity, 1 stop bit. WesnpuError when it cannot be opened."""

    def __init__(self, port: str, baud: int):
        try:
            import serial
        except ModuleNotFoundError:
            raise WesnpuError("serial ports need the package pyserial: pip install 'wesnpu[board]'") from None
        try:
            self._serial = serial.Serial(port, baud, timeout=0)
        except (serial.SerialException, ValueError) as error:
            raise WesnpuError(f"serial port {port} cannot be opened at {baud} baud: {error}") from None
        self._errors = (serial.SerialException, OSError)
        self.byte_seconds = BITS_PER_BYTE / baud
        self.latency = SERIAL_LATENCY

    def __enter__(self) -> "SerialLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._serial.close()

    def send(self, data: bytes) -> None:
        """As Line's; WesnpuError when the port is gone."""
        try:
            self._serial.write(data)
        except self._errors as error:
            raise WesnpuError(f"serial port {self._serial.port} failed: {error}") from None

    def receive(self, seconds: float) -> bytes:
        """As Line's; WesnpuError when the port is gone."""
        try:
            self._serial.timeout = seconds
            first = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except self._errors as error:
            raise WesnpuError(f"serial port {self._serial.port} failed: {error}") from None

    def now(self) -> float:
        """As Line's."""
        return time.monotonic()

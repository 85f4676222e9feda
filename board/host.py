"""The host side of the link (docs/link.md): one request at a time, sent again until its answer has come."""

import random

from board.access import CLOCK_UNIT
from board.line import Line
from board.protocol import (
    ADDRESS_BITS,
    ANSWER,
    BOARD_BYTES,
    CHECK_BYTES,
    CODES,
    DATA_MAX,
    HEADER_BYTES,
    REGISTER_BYTES,
    TAKES_DATA,
    VERSION,
    Code,
    Decoder,
    Frame,
    Operation,
)
from compiler import registers
from golden.errors import WesnpuError

TRIES = 40  # of one request
MOST_LINE_BYTES = 2 * (HEADER_BYTES + DATA_MAX + CHECK_BYTES) + 2  # every byte escaped
REGISTER_OFFSETS = {register.name: register.offset for register in registers.REGISTERS}


class LinkError(WesnpuError):
    """The board does not answer, or refuses what it was asked."""


class SessionLost(LinkError):
    """The board was reset, or another host has spoken to it: nothing that it held before counts any more."""


class Host:
    """The requests of one session. LinkError after `TRIES` tries; SessionLost when the session is not the board's.

    random_source draws the numbers that name sessions. retries counts requests that were sent again.
    """

    def __init__(self, line: Line, random_source: random.Random | None = None):
        self._line = line
        self._random = random_source or random.SystemRandom()
        self._decoder = Decoder()
        self._session, self._sequence = 0, 0
        self.retries = 0
        self.requests = 0

    def now(self) -> float:
        """Seconds, as the line's."""
        return self._line.now()

    def open(self) -> None:
        """Begin a new session."""
        for _ in range(TRIES):
            number = self._random.getrandbits(ADDRESS_BITS)
            answer = self._try(Frame(Operation.OPEN, 0, 0, number, VERSION))
            if answer is None:
                self.retries += 1
                continue
            self._check(answer, Operation.OPEN)
            self._session, self._sequence = answer.session, 0
            try:
                self.read_board()
            except SessionLost:  # the OPEN came twice
                continue
            return
        raise LinkError(f"the board did not answer {TRIES} times: port, baud rate, bitstream?")

    def read_board(self) -> tuple[int, int, str]:
        """(bytes of memory, clock in Hz, name)."""
        told = self._request(Operation.READ_BOARD, 0, BOARD_BYTES)
        name = told[4:].rstrip(b"\0").decode("ascii", "replace")
        return 1 << told[1], int.from_bytes(told[2:4], "little") * CLOCK_UNIT, name

    def read_register(self, name: str) -> int:
        """A register of the engine by its name in docs/registers.md."""
        return int.from_bytes(self._request(Operation.READ_REGISTER, REGISTER_OFFSETS[name], REGISTER_BYTES), "little")

    def write_register(self, name: str, value: int) -> None:
        """Write a register of the engine."""
        data = value.to_bytes(REGISTER_BYTES, "little")
        self._request(Operation.WRITE_REGISTER, REGISTER_OFFSETS[name], REGISTER_BYTES, data)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write any bytes at any address."""
        done = 0
        while done < len(data):
            count = _until_boundary(address + done, len(data) - done)
            self._request(Operation.WRITE_MEMORY, address + done, count, data[done : done + count])
            done += count

    def read_memory(self, address: int, count: int) -> bytes:
        """Read any bytes from any address."""
        data = b""
        while len(data) < count:
            part = _until_boundary(address + len(data), count - len(data))
            data += self._request(Operation.READ_MEMORY, address + len(data), part)
        return data

    def _request(self, operation: Operation, address: int, length: int, data: bytes = b"") -> bytes:
        """The data of the answer; the request is executed exactly once, however often it is sent."""
        self._sequence = (self._sequence + 1) % 256
        self.requests += 1
        frame = Frame(operation, self._sequence, self._session, address, length, data)
        for _ in range(TRIES):
            answer = self._try(frame)
            if answer is not None:
                self._check(answer, operation)
                return answer.data
            self.retries += 1
        raise LinkError(f"the board did not answer {operation.name} at {address:#x} {TRIES} times")

    def _try(self, frame: Frame) -> Frame | None:
        """Send once; the answer to just this request, None when none comes in time."""
        line, request = self._line, frame.encode()
        line.send(request)
        end = line.now() + (len(request) + MOST_LINE_BYTES) * line.byte_seconds + line.latency
        while (left := end - line.now()) > 0:
            for answer in self._decoder.feed(line.receive(left)):
                if _answers(answer, frame):
                    return answer
        return None

    def _check(self, answer: Frame, operation: Operation) -> None:
        code = answer.kind - ANSWER
        if code in (Code.SESSION, Code.SEQUENCE):
            raise SessionLost(f"the board was reset, or another host uses it ({operation.name}: {CODES[Code(code)]})")
        if code != Code.DONE:
            told = CODES.get(Code(code)) if code in set(Code) else f"code {code}"
            raise LinkError(f"the board refused {operation.name} at {answer.address:#x}, {answer.length} bytes: {told}")


def _until_boundary(address: int, count: int) -> int:
    return min(count, DATA_MAX - address % DATA_MAX)


def _answers(answer: Frame, request: Frame) -> bool:
    """Whether an undamaged frame is the answer to just this request: all numbers are the request's."""
    same = (answer.sequence, answer.address, answer.length) == (request.sequence, request.address, request.length)
    session = answer.session == request.session or request.kind == Operation.OPEN
    carries = request.kind in TAKES_DATA and answer.kind == ANSWER + Code.DONE
    return answer.kind >= ANSWER and same and session and len(answer.data) == (request.length if carries else 0)


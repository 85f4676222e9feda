"""The link between host and board (docs/link.md): frames, operations, answers; hardware and host take these names."""

import zlib
from dataclasses import dataclass
from enum import IntEnum

VERSION = 1
FLAG, ESCAPE, ESCAPE_FLIP = 0x7E, 0x7D, 0x20  # RFC 1662, section 4.2
HEADER_BYTES, CHECK_BYTES = 8, 4
DATA_MAX = 256  # bytes that one frame moves
ADDRESS_BITS, SESSION_BITS = 24, 16
REGISTER_BYTES = 4
BOARD_BYTES = 16  # what READ_BOARD reads
ANSWER = 0x80  # added to a Code: the first byte of an answer


class Operation(IntEnum):
    """What a request asks for; its first byte."""

    OPEN = 1
    WRITE_MEMORY = 2
    READ_MEMORY = 3
    WRITE_REGISTER = 4
    READ_REGISTER = 5
    READ_BOARD = 6


class Code(IntEnum):
    """How a request was answered: DONE is the acknowledgement, all others are refusals and nothing was executed."""

    DONE = 0
    SESSION = 1
    SEQUENCE = 2
    OPERATION = 3
    LENGTH = 4
    RANGE = 5
    BUSY = 6
    REGISTER = 7


OPERATIONS = {
    Operation.OPEN: "begins a session: `address` is a random number of the host, `length` the protocol version (1)",
    Operation.WRITE_MEMORY: "writes `data` to memory",
    Operation.READ_MEMORY: "reads memory",
    Operation.WRITE_REGISTER: "writes one register of the engine (registers.md); start and soft reset are such writes",
    Operation.READ_REGISTER: "reads one register of the engine; the status of a program is one",
    Operation.READ_BOARD: "reads what the board is (below)",
}
CODES = {
    Code.DONE: "done",
    Code.SESSION: "no session is open, or another one than the request's",
    Code.SEQUENCE: "neither the next sequence number nor the last one",
    Code.OPERATION: "no such operation, or another version of the protocol",
    Code.LENGTH: "`data` is not `length` bytes, or a register is not whole, or the address not a multiple of 4",
    Code.RANGE: "the bytes are not all inside the memory, or cross a multiple of 256",
    Code.BUSY: "the memory belongs to the engine while a program runs",
    Code.REGISTER: "no such register, or it cannot be written now (the engine's SLVERR)",
}
TAKES_DATA = (Operation.READ_MEMORY, Operation.READ_REGISTER, Operation.READ_BOARD)  # the answer carries data


@dataclass(frozen=True)
class Frame:
    """kind: an Operation, or ANSWER + Code. length: bytes that the operation moves, 1..256. data: the bytes carried."""

    kind: int
    sequence: int
    session: int
    address: int
    length: int
    data: bytes = b""

    def body(self) -> bytes:
        """Header and data, without check, flags and escapes."""
        numbers = ((self.kind, 1), (self.sequence, 1), (self.session, 2), (self.address, 3), (self.length - 1, 1))
        return b"".join(value.to_bytes(size, "little") for value, size in numbers) + self.data

    def encode(self) -> bytes:
        """The bytes on the line, both flags included."""
        body = self.body()
        return wrapped(body + zlib.crc32(body).to_bytes(CHECK_BYTES, "little"))


def wrapped(content: bytes) -> bytes:
    """`content` between flags, with FLAG and ESCAPE escaped."""
    out = bytearray([FLAG])
    for byte in content:
        out += bytes([ESCAPE, byte ^ ESCAPE_FLIP]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes([*out, FLAG])


def parse(content: bytes) -> Frame | None:
    """The frame whose unescaped bytes with check are `content`; None when it is too short, too long or damaged."""
    body, check = content[:-CHECK_BYTES], content[-CHECK_BYTES:]
    if not HEADER_BYTES <= len(body) <= HEADER_BYTES + DATA_MAX:
        return None
    if zlib.crc32(body) != int.from_bytes(check, "little"):
        return None
    number = int.from_bytes
    return Frame(
        kind=body[0], sequence=body[1], session=number(body[2:4], "little"), address=number(body[4:7], "little"),
        length=body[7] + 1, data=body[HEADER_BYTES:],
    )


class Decoder:
    """Bytes in, whole and undamaged frames out; what lies before the first flag or between damaged ones is dropped."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._escaped = False
        self._lost = True  # no flag yet

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end within `data`."""
        found = (self._byte(byte) for byte in data)
        return [frame for frame in found if frame is not None]

    def _byte(self, byte: int) -> Frame | None:
        if byte == FLAG:
            frame = None if self._lost or self._escaped else parse(bytes(self._content))
            self._content.clear()
            self._escaped = self._lost = False
            return frame
        if byte == ESCAPE:
            self._escaped = True
            return None
        self._content.append(byte ^ ESCAPE_FLIP if self._escaped else byte)
        self._escaped = False
        self._lost |= len(self._content) > HEADER_BYTES + DATA_MAX + CHECK_BYTES
        if self._lost:
            self._content.clear()
        return None

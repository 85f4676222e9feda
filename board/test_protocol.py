"""Frames in Python: encoding, decoding, damage."""

import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board.protocol import CODES, ESCAPE, FLAG, OPERATIONS, Code, Decoder, Frame, Operation, parse, wrapped

frames = st.builds(
    Frame, kind=st.integers(0, 255), sequence=st.integers(0, 255), session=st.integers(0, 65535),
    address=st.integers(0, (1 << 24) - 1), length=st.integers(1, 256), data=st.binary(max_size=256),
)


@given(st.lists(frames, max_size=4), st.integers(1, 50))
def test_frames_come_back_in_any_pieces(sent, piece):
    data, decoder = b"".join(frame.encode() for frame in sent), Decoder()
    found = [frame for at in range(0, len(data), piece) for frame in decoder.feed(data[at : at + piece])]
    assert found == sent


def test_a_frame_written_out():
    frame = Frame(Operation.WRITE_MEMORY, 0x7E, 0x1234, 0x00FF01, 2, b"\x7d\x00")
    body = b"\x02\x7e\x34\x12\x01\xff\x00\x01\x7d\x00"
    check = zlib.crc32(body).to_bytes(4, "little")
    assert frame.body() == body
    assert frame.encode().startswith(b"\x7e\x02\x7d\x5e\x34\x12\x01\xff\x00\x01\x7d\x5d\x00")
    assert parse(body + check) == frame
    assert frame.encode() == wrapped(body + check)
    assert frame.encode().count(FLAG) == 2 and ESCAPE in frame.encode()


@given(frames, st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_found(frame, place, change):
    data = bytearray(frame.encode())
    data[place % len(data)] ^= change
    assert frame not in Decoder().feed(bytes(data)) or data[1:-1].count(FLAG) == 0 and data[0] == FLAG
    assert all(one != frame for one in Decoder().feed(bytes(data)) if data[0] == FLAG)


@pytest.mark.parametrize("content", [b"", b"abc", bytes(11), bytes(269), bytes(5000)])
def test_what_is_too_short_or_too_long_is_no_frame(content):
    assert parse(content) is None
    assert Decoder().feed(wrapped(content)) == []


def test_after_garbage_the_next_frame_is_found():
    rng, frame = random.Random(1), Frame(Operation.READ_MEMORY, 1, 2, 3, 4)
    for _ in range(200):
        garbage = rng.randbytes(rng.randrange(600))
        decoder = Decoder()
        decoder.feed(garbage)
        assert frame in decoder.feed(frame.encode()) + decoder.feed(frame.encode())


def test_the_document_has_every_operation_and_code():
    text = (Path(__file__).resolve().parent.parent / "docs" / "link.md").read_text()
    rows = [f"| {one.name} | {one.value} | {told} |" for table in (OPERATIONS, CODES) for one, told in table.items()]
    assert len(OPERATIONS) == len(Operation) and len(CODES) == len(Code)
    assert [row for row in rows if row not in text] == []

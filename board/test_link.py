"""The link in Verilator through its pins: every operation and refusal, exactly once, and random noise."""

import os
import random

import pytest

from board.host import Host, LinkError, SessionLost
from board.link_bench import CLOCK_HZ, MEMORY_BYTES, TALLIES, LinkBench
from board.noise import Noise, NoisyLine
from board.protocol import ANSWER, Code, Decoder, Frame, Operation
from board.simulation import DIVISOR, SimulatedLine, build_board

SEED = int(os.environ.get("LINK_SEED", "1"))
NOISES = {
    "bytes": Noise(byte=0.002), "frames": Noise(frame=0.3), "breaks": Noise(line_break=0.2),
    "resets": Noise(reset=0.05), "all": Noise(byte=0.001, frame=0.1, reset=0.02, line_break=0.02),
}


def bench():
    return build_board("link", lambda: LinkBench(divisor=DIVISOR))


@pytest.fixture()
def line():
    with SimulatedLine(bench(), clock_hz=CLOCK_HZ, seed=SEED) as line:
        yield line


@pytest.fixture()
def host(line):
    host = Host(line, random.Random(SEED))
    host.open()
    return host


def ask(line: SimulatedLine, request: bytes) -> list[Frame]:
    """Send bytes; the frames that come within the time of a long answer."""
    line.send(request)
    decoder, found, end = Decoder(), [], line.now() + (len(request) + 600) * line.byte_seconds
    while (left := end - line.now()) > line.byte_seconds:
        found += decoder.feed(line.receive(left))
    return found


def session_of(line: SimulatedLine, number: int = 5) -> int:
    (answer,) = ask(line, Frame(Operation.OPEN, 0, 0, number, 1).encode())
    assert answer.kind == ANSWER + Code.DONE and answer.address == number
    return answer.session


def test_memory_and_registers(host):
    assert host.read_board() == (MEMORY_BYTES, CLOCK_HZ, "bench")
    data = random.Random(3).randbytes(MEMORY_BYTES)
    host.write_memory(0, data)
    host.write_memory(777, b"\x7e\x7d\x5e\x5d" * 60)
    expected = data[:777] + b"\x7e\x7d\x5e\x5d" * 60 + data[777 + 240 :]
    assert host.read_memory(0, MEMORY_BYTES) == expected
    assert all(host.read_memory(at, count) == expected[at : at + count] for at, count in ((0, 1), (4095, 1), (255, 2)))
    host.write_register("MAGIC", 0x7E7D_0102)  # the first tally
    host.write_register("MAGIC", 0x0000_00FF)
    assert host.read_register("MAGIC") == 0x7E7D_0201
    assert host.retries == 0


# kind, address, length, data -> code
REFUSALS = {
    "no operation": (9, 0, 1, b"", Code.OPERATION), "operation 0": (0, 0, 1, b"", Code.OPERATION),
    "too little data": (Operation.WRITE_MEMORY, 0, 3, b"ab", Code.LENGTH),
    "too much data": (Operation.WRITE_MEMORY, 0, 1, b"ab", Code.LENGTH),
    "data of a read": (Operation.READ_MEMORY, 0, 1, b"a", Code.LENGTH),
    "half a register": (Operation.READ_REGISTER, 0, 2, b"", Code.LENGTH),
    "register at 2": (Operation.READ_REGISTER, 2, 4, b"", Code.LENGTH),
    "memory's end": (Operation.READ_MEMORY, MEMORY_BYTES, 1, b"", Code.RANGE),
    "last address": (Operation.WRITE_MEMORY, (1 << 24) - 1, 1, b"a", Code.RANGE),
    "over 256": (Operation.READ_MEMORY, 255, 2, b"", Code.RANGE),
    "register 4096": (Operation.READ_REGISTER, 4096, 4, b"", Code.RANGE),
    "board's end": (Operation.READ_BOARD, 1, 16, b"", Code.RANGE),
    "no register": (Operation.READ_REGISTER, 4 * TALLIES, 4, b"", Code.REGISTER),
    "no register to write": (Operation.WRITE_REGISTER, 4 * TALLIES, 4, b"abcd", Code.REGISTER),
    "read-only register": (Operation.WRITE_REGISTER, 4 * TALLIES - 4, 4, b"abcd", Code.REGISTER),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(line, name):
    kind, address, length, data, code = REFUSALS[name]
    session = session_of(line)
    refused = Frame(kind, 1, session, address, length, data).encode()
    for _ in range(2):  # the second is a duplicate
        (answer,) = ask(line, refused)
        assert (answer.kind, answer.sequence, answer.session) == (ANSWER + code, 1, session)
        assert (answer.address, answer.length, answer.data) == (address, length, b"")
    (answer,) = ask(line, Frame(Operation.READ_MEMORY, 2, session, 0, 4).encode())
    assert answer.kind == ANSWER + Code.DONE and len(answer.data) == 4


def test_another_version_is_refused(line):
    (answer,) = ask(line, Frame(Operation.OPEN, 0, 0, 5, 2).encode())
    assert answer.kind == ANSWER + Code.OPERATION


def test_a_duplicate_is_answered_again_and_not_executed_again(line):
    session = session_of(line)
    add = Frame(Operation.WRITE_REGISTER, 1, session, 4, 4, (1000).to_bytes(4, "little"))
    answers = [ask(line, add.encode()) for _ in range(5)]
    assert all(found == answers[0] for found in answers) and answers[0][0].kind == ANSWER + Code.DONE
    (told,) = ask(line, Frame(Operation.READ_REGISTER, 2, session, 4, 4).encode())
    assert int.from_bytes(told.data, "little") == 1000
    (late,) = ask(line, add.encode())
    assert late.kind == ANSWER + Code.SEQUENCE
    (told,) = ask(line, Frame(Operation.READ_REGISTER, 3, session, 4, 4).encode())
    assert int.from_bytes(told.data, "little") == 1000


def test_without_a_session_or_with_another_nothing_is_done(line):
    write = Frame(Operation.WRITE_REGISTER, 1, 0, 0, 4, b"abcd")
    (answer,) = ask(line, write.encode())
    assert answer.kind == ANSWER + Code.SESSION
    session = session_of(line)
    (answer,) = ask(line, Frame(Operation.WRITE_REGISTER, 1, session ^ 1, 0, 4, b"abcd").encode())
    assert answer.kind == ANSWER + Code.SESSION
    (told,) = ask(line, Frame(Operation.READ_REGISTER, 1, session, 0, 4).encode())
    assert told.data == bytes(4)


def test_a_reset_is_noticed(line, host):
    host.write_memory(0, b"abc")
    line.reset()
    with pytest.raises(SessionLost, match="reset"):
        host.write_memory(0, b"abd")
    host.open()
    assert host.read_memory(0, 3) == b"abc"


def test_the_memory_is_refused_while_it_is_busy(host):
    host.write_register("ARRAY", 1)
    for use in (lambda: host.read_memory(0, 1), lambda: host.write_memory(0, b"a")):
        with pytest.raises(LinkError, match="belongs to the engine"):
            use()
    assert host.read_register("ARRAY") == 1
    host.write_register("ARRAY", 1)
    host.write_memory(0, b"a")


def test_garbage_and_damaged_frames_are_no_requests(line):
    session = session_of(line)
    read = Frame(Operation.READ_MEMORY, 1, session, 0, 4).encode()
    rng = random.Random(SEED)
    wrong = [
        b"", b"\x7e" * 5, b"\x7d" * 9, rng.randbytes(900).replace(b"\x7e", b""), read[:-1], read[:-2] + b"\x7d\x7e",
        b"\x7e" + bytes(12) + b"\x7e", b"\x7e" + bytes(400) + b"\x7e", read[1:-1],
    ]
    for garbage in wrong:
        assert ask(line, garbage) == []
        (answer,) = ask(line, read)
        assert answer.kind == ANSWER + Code.DONE
    assert line.framing_errors == 0


class Model:
    """What the bench holds; `None` is a byte of which nothing is known."""

    def __init__(self) -> None:
        self.memory: list[int | None] = [None] * MEMORY_BYTES
        self.tallies = [0, 0]


def step(host: Host, model: Model, rng: random.Random) -> None:
    """One random operation; what is read must be what the model holds."""
    kind, at = rng.randrange(4), rng.randrange(MEMORY_BYTES)
    count = min(rng.choice((1, 4, 16, rng.randint(1, 256))), 256 - at % 256)
    number = rng.randrange(2)
    name = ("MAGIC", "VERSION")[number]
    if kind == 0:
        data = rng.randbytes(count)
        model.memory[at : at + count] = [None] * count  # until it is known to be written
        host.write_memory(at, data)
        model.memory[at : at + count] = data
    elif kind == 1:
        told = host.read_memory(at, count)
        assert all(want in (None, got) for want, got in zip(model.memory[at : at + count], told, strict=True))
        model.memory[at : at + count] = told
    elif kind == 2:
        value = rng.getrandbits(32)
        host.write_register(name, value)
        model.tallies[number] = (model.tallies[number] + value) % (1 << 32)
    else:
        assert host.read_register(name) == model.tallies[number]


def fuzz(noise: Noise, seed: int, frames: int) -> Host:
    """Random operations until `frames` requests were made; nothing wrong may be accepted, no request may hang."""
    rng, model = random.Random(seed), Model()
    with SimulatedLine(bench(), clock_hz=CLOCK_HZ, seed=seed) as line:
        noisy = NoisyLine(line, noise, seed)
        host = Host(noisy, random.Random(seed + 1))
        opened = False
        while host.requests < frames:
            try:
                if not opened:
                    host.open()
                    model.tallies = [host.read_register("MAGIC"), host.read_register("VERSION")]
                    opened = True
                step(host, model, rng)
            except SessionLost:
                opened = False
        assert bool(noisy.resets) == bool(noise.reset)
    assert host.retries > 0
    return host


@pytest.mark.parametrize("name", NOISES)
def test_noise(name):
    """300 frames of each kind of noise."""
    print(f"repeat: LINK_SEED={SEED} .venv/bin/python -m pytest 'board/test_link.py::test_noise[{name}]'")
    fuzz(NOISES[name], SEED, 300)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(SEED, SEED + 5))
def test_much_noise(seed):
    """Five times 2,000 frames."""
    print(f"repeat: LINK_SEED={seed} .venv/bin/python -m pytest -m long 'board/test_link.py::test_much_noise[{seed}]'")
    fuzz(NOISES["all"], seed, 2000)

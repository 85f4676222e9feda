"""A line that loses, damages, repeats and reorders, and a board that is reset at any moment: for tests of the link."""

from dataclasses import dataclass

import numpy as np

from board.simulation import SimulatedLine

HELD_MOST = 3  # frames that one is late


@dataclass(frozen=True)
class Noise:
    """How often, from 0 to 1. byte: a byte is dropped, damaged, doubled, changes place with the next or gets company.

    frame: all bytes of one `send` are lost, cut, come twice or come late.  reset: the board is reset during a frame or
    its answer.  line_break: the rx pin is low for some bytes.
    """

    byte: float = 0.0
    frame: float = 0.0
    reset: float = 0.0
    line_break: float = 0.0


class NoisyLine:
    """A Line: `line` with noise in both directions, drawn from `seed`. resets counts the board's."""

    def __init__(self, line: SimulatedLine, noise: Noise, seed: int):
        self._line, self._noise = line, noise
        self._rng = np.random.default_rng([seed, 0x4C494E45])
        self.byte_seconds, self.latency = line.byte_seconds, line.latency
        self._late: list[tuple[int, bytes]] = []
        self._come = b""
        self.resets = 0

    def now(self) -> float:
        """As Line's."""
        return self._line.now()

    def send(self, data: bytes) -> None:
        """As Line's: damaged on the way, in pieces, with a reset or a break in between."""
        for part in self._frames(data):
            part = self._damage(part)
            if self._happens(self._noise.line_break):
                self._line.line_break(int(self._rng.integers(1, 100)))
            if not self._happens(self._noise.reset):
                self._line.send(part)
                continue
            cut = int(self._rng.integers(0, len(part) + 1))
            self._line.send(part[:cut])
            self._pass_time(cut + int(self._rng.integers(0, 300)))
            self._line.reset(int(self._rng.integers(1, 2000)))
            self.resets += 1
            self._line.send(part[cut:])

    def receive(self, seconds: float) -> bytes:
        """As Line's: damaged on the way."""
        come, self._come = self._come, b""
        return self._damage(come or self._line.receive(seconds))

    def _pass_time(self, byte_times: int) -> None:
        end = self.now() + byte_times * self.byte_seconds
        while (left := end - self.now()) > self.byte_seconds:
            self._come += self._line.receive(left)

    def _happens(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def _frames(self, data: bytes) -> list[bytes]:
        """What goes out instead of one frame."""
        self._late = [(left - 1, frame) for left, frame in self._late]
        out = [frame for left, frame in self._late if left <= 0]
        self._late = [(left, frame) for left, frame in self._late if left > 0]
        if not self._happens(self._noise.frame):
            return [*out, data]
        kind = self._rng.integers(4)
        if kind == 0:
            return out
        if kind == 1:
            return [*out, data[: int(self._rng.integers(len(data)))]]
        if kind == 2:
            return [data, *out, data]
        self._late.append((int(self._rng.integers(1, HELD_MOST + 1)), data))
        return [*out, data]

    def _damage(self, data: bytes) -> bytes:
        rng, out = self._rng, bytearray(data)
        for at in np.flatnonzero(rng.random(len(data)) < self._noise.byte)[::-1]:
            kind = rng.integers(5)
            if kind == 0:
                del out[at]
            elif kind == 1:
                out[at] ^= int(rng.integers(1, 256))
            elif kind == 2:
                out.insert(at, out[at])
            elif kind == 3:
                out[at : at + 2] = out[at : at + 2][::-1]
            else:
                out[at:at] = rng.bytes(int(rng.integers(1, 20)))
        return bytes(out)

"""One program run: what memory holds before it, how the memory behaves, what came out."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path

import numpy as np

NEVER = 0xFFFFFFFF
CANARY_BYTES = 4096  # around every region
REGION_ALIGNMENT = 4096
CAUSES_PER_LAYER = 16  # words per layer in the causes file


class Stall(IntEnum):
    """When a channel's slave side stalls."""

    NONE = 0
    ALTERNATING = 1
    RANDOM = 2
    RUNS = 3  # stalls and flows for 1 to 32 cycles


class Channel(IntEnum):
    """AXI channels, in the bench's numbering."""

    NONE = 0
    AR = 1
    R = 2
    AW = 3
    W = 4
    B = 5


@dataclass(frozen=True)
class Manners:
    """How the memory treats the engine.

    stalls: a Stall for AR, R, AW, W, B. order: 0 AW and W independent, 1 W waits for AW, 2 AW waits for W.
    read_latency, write_latency: cycles. fail_read, fail_write: byte address; the read beat and the write
    burst that hold it are answered with `fail_response` (2 SLVERR, 3 DECERR). stop_channel goes silent after
    stop_after handshakes.
    """

    stalls: tuple[Stall, Stall, Stall, Stall, Stall] = (Stall.NONE,) * 5
    seed: int = 1
    order: int = 0
    read_latency: int = 20
    write_latency: int = 8
    fail_read: int = NEVER
    fail_write: int = NEVER
    fail_response: int = 2
    stop_channel: Channel = Channel.NONE
    stop_after: int = 0

    def ports(self) -> dict[str, int]:
        """Values of the bench's ports of these names."""
        values = {name: int(getattr(self, name)) for name in self.__dataclass_fields__ if name != "stalls"}
        return values | {"stalls": sum(stall << 2 * i for i, stall in enumerate(self.stalls))}


def manners(name: str, seed: int) -> Manners:
    """The stall pattern called `name`: none, alternating, random, runs, mixed (drawn per channel from `seed`).

    half: a memory of half the bus width, whose data go every other cycle.
    """
    if name == "half":
        data = {Channel.R, Channel.W}
        pattern = tuple(Stall.ALTERNATING if channel in data else Stall.NONE for channel in list(Channel)[1:])
        return Manners(stalls=pattern, seed=seed)
    if name != "mixed":
        return Manners(stalls=(Stall[name.upper()],) * 5, seed=seed)
    draw = np.random.default_rng([seed, 0x5741])
    return Manners(
        stalls=tuple(Stall(int(value)) for value in draw.integers(0, 4, 5)),
        seed=seed,
        order=int(draw.integers(0, 3)),
        read_latency=int(draw.choice([0, 1, 7, 20, 64, 200])),
        write_latency=int(draw.choice([0, 1, 7, 20, 64, 200])),
    )


@dataclass(frozen=True, eq=False)
class Job:
    """A program and its memory.

    memory: uint8 (size,), what external memory holds from address `base` on; image and data: (base, size) of the
    regions, bytes. layers: layers of the program, for the cause counters. record: 0 nothing, 1 outputs, 2 all stages.
    late: (cycle, address, value) of one more register write, that many cycles after the start.
    drain: cycles watched for surplus bursts after the interrupt.
    """

    memory: np.ndarray
    base: int
    image: tuple[int, int]
    data: tuple[int, int]
    program_offset: int
    layers: int
    record: int = 1
    timeout: int = 0
    cycle_limit: int = 10_000_000
    late: tuple[int, int, int] | None = None
    drain: int = 64
    manners: Manners = field(default_factory=Manners)

    def with_(self, **changes: object) -> "Job":
        """The same job with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job left behind.

    memory: uint8, as Job.memory; trace: path of the record file; causes: uint32 (layers, 16) cycles per Cause;
    cycles: from the start's register write to the interrupt; beats: read and written, as the bench counts them;
    finished: the interrupt came; error, error_command, counters: the engine's registers; faults: broken rules, one line
    each.
    """

    memory: np.ndarray
    trace: Path
    causes: np.ndarray
    cycles: int
    beats: tuple[int, int]
    finished: bool
    error: int
    error_command: int
    counters: dict[str, int]
    faults: tuple[str, ...]

"""External memory of a job: both regions at drawn places, canaries around them, poison in them."""

from dataclasses import dataclass

import numpy as np

from sim.job import CANARY_BYTES, Job, Manners

BASE_STEP = 64  # region bases and sizes are multiples of it


@dataclass(frozen=True, eq=False)
class Placement:
    """memory: uint8, canaries and poison but for the image; base: its first address; image, data: (base, size)."""

    memory: np.ndarray
    base: int
    image: tuple[int, int]
    data: tuple[int, int]

    def data_view(self, memory: np.ndarray) -> np.ndarray:
        """The data region's bytes within `memory`."""
        start = self.data[0] - self.base
        return memory[start : start + self.data[1]]

    def region_of(self, offset: int) -> str:
        """What lies at this offset of the memory, in words."""
        for name, (start, size) in (("image", self.image), ("data", self.data)):
            if start <= self.base + offset < start + size:
                return f"{name} region offset {self.base + offset - start:#x}"
        return "a canary"


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def place(image: bytes, data_size: int, seed: int, address_bits: int = 32) -> Placement:
    """Regions of these contents at addresses drawn from `seed`, in either order, anywhere in `address_bits`."""
    rng = np.random.default_rng([seed, 0x4D454D])
    image_size = _round_up(len(image), BASE_STEP)
    data_size = _round_up(max(data_size, BASE_STEP), BASE_STEP)
    gaps = [CANARY_BYTES + BASE_STEP * int(rng.integers(0, 64)) for _ in range(3)]
    data_first = bool(rng.integers(2))
    first, second = (data_size, image_size) if data_first else (image_size, data_size)
    starts = gaps[0], gaps[0] + first + gaps[1]
    total = _round_up(starts[1] + second + gaps[2], 4096)
    highest = (1 << address_bits) - total >> 12
    base = int(rng.choice([1 << address_bits - 4, highest << 12, int(rng.integers(0, highest)) << 12]))
    base = min(base, highest << 12)
    memory = rng.integers(0, 256, total, dtype=np.uint8)
    data_start, image_start = starts if data_first else starts[::-1]
    memory[image_start : image_start + len(image)] = np.frombuffer(image, np.uint8)
    memory[image_start + len(image) : image_start + image_size] = 0
    return Placement(memory, base, (base + image_start, image_size), (base + data_start, data_size))


def job_of(placement: Placement, *, layers: int, manners: Manners, program_offset: int = 0) -> Job:
    """The job that runs the program at `program_offset` of the image region."""
    return Job(
        memory=placement.memory, base=placement.base, image=placement.image, data=placement.data,
        program_offset=program_offset, layers=layers, manners=manners,
    )

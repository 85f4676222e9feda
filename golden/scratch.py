"""Working memory that is used again: fresh megabytes cost more in page faults than the arithmetic done in them."""

import math
import threading

import numpy as np

ALIGNMENT = 64


class Scratch(threading.local):
    """Buffers by slot, each thread its own. An array from a slot is valid until the slot is asked for again."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def array(self, slot: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array of this shape and dtype with arbitrary content, C order, aligned to 64 bytes."""
        size = math.prod(shape) * dtype.itemsize
        if slot not in self._buffers or self._buffers[slot].nbytes < size:
            raw = np.empty(size + ALIGNMENT, np.uint8)
            start = -raw.ctypes.data % ALIGNMENT
            self._buffers[slot] = raw[start : start + size]
        return self._buffers[slot][:size].view(dtype).reshape(shape)


SCRATCH = Scratch()

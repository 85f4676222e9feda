"""The requantizer without a multiplier: a rounding right shift per channel (Eq. 13), to compare with."""

from dataclasses import dataclass

import numpy as np

from golden import check
from golden.requantize import (
    GUARD_BITS_MAX,
    Stages,
    checked_accumulator,
    checked_residual,
    clamp,
    per_channel,
)

SHIFT_MAX = 31


@dataclass(frozen=True, eq=False)
class PowerOfTwo:
    """m_c = 2^-s_c per output channel, rounded once, half up (Eq. 13); the same s_c everywhere is the layer-wise form.

    shift: uint8 (O,), s_c in 0..31. guard_bits: G, the unit of the residual.
    """

    shift: np.ndarray
    guard_bits: int = 7

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift", check.array("shift", self.shift, np.uint8, 1, 0, SHIFT_MAX))
        guard_bits = check.integer("guard_bits", self.guard_bits, 0, GUARD_BITS_MAX)
        object.__setattr__(self, "guard_bits", guard_bits)

    @property
    def channels(self) -> int:
        """Number of output channels O."""
        return int(self.shift.size)

    def stages(
        self, acc: np.ndarray, *, residual: np.ndarray | None = None, zero_point: int, lo: int, hi: int
    ) -> Stages:
        """Eq. 13 and 6; shifted is acc, product the sum of Eq. 13 before its division. As ShiftScaler.stages."""
        acc = checked_accumulator(acc, self.channels)
        r = checked_residual(residual, acc.shape, self.guard_bits)
        own = per_channel(self.shift, acc.ndim)
        k = np.maximum(own, 16 + self.guard_bits)
        total = (acc << (k - own)) + (r << (k - 16 - self.guard_bits)) + (np.int64(1) << (k - 1))
        return Stages(shifted=acc, product=total, output=clamp(total >> k, zero_point, lo, hi))

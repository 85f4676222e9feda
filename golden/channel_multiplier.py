"""The per-channel multiplier requantizer with one rounding (Eq. 9): what the shift scaler saves, to compare with."""

from dataclasses import dataclass

import numpy as np

from golden import check
from golden.errors import WesnpuError
from golden.requantize import (
    GUARD_BITS_MAX,
    Stages,
    checked_accumulator,
    checked_residual,
    clamp,
    per_channel,
)

MULTIPLIER_BITS = {16: 16, 32: 31}  # stored width -> bits that M uses; the 32-bit one is a signed word, as in TFLite
SHIFT_SPAN = {16: (16, 47), 32: (31, 54)}  # total right shift k_c, so that every sum of Eq. 9 fits int64


@dataclass(frozen=True, eq=False)
class ChannelMultiplier:
    """m_c = M_c 2^-k_c per output channel, rounded once, half up (Eq. 9).

    multiplier: uint32 (O,), M_c in 0..2^31-1 for bits = 32 and 0..2^16-1 for bits = 16 (it need not be normalised).
    shift: uint8 (O,), k_c in 31..54 for bits = 32 and 16..47 for bits = 16. guard_bits: G, the unit of the residual.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    bits: int = 32
    guard_bits: int = 7

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.bits not in MULTIPLIER_BITS:
            raise WesnpuError(f"bits is {self.bits!r}: must be one of {tuple(MULTIPLIER_BITS)}")
        limit = (1 << MULTIPLIER_BITS[self.bits]) - 1
        put(self, "multiplier", check.array("multiplier", self.multiplier, np.uint32, 1, 0, limit))
        put(self, "shift", check.array("shift", self.shift, np.uint8, 1, *SHIFT_SPAN[self.bits]))
        put(self, "guard_bits", check.integer("guard_bits", self.guard_bits, 0, GUARD_BITS_MAX))
        if self.shift.shape != self.multiplier.shape:
            raise WesnpuError(f"shift has {self.shift.size} channels: must be {self.multiplier.size}, as multiplier")

    @property
    def channels(self) -> int:
        """Number of output channels O."""
        return int(self.multiplier.size)

    def stages(
        self, acc: np.ndarray, *, residual: np.ndarray | None = None, zero_point: int, lo: int, hi: int
    ) -> Stages:
        """Eq. 9 and 6; shifted holds the accumulator itself, product holds acc M_c. Arguments as ShiftScaler.stages."""
        acc = checked_accumulator(acc, self.channels)
        r = checked_residual(residual, acc.shape, self.guard_bits)
        product = acc * per_channel(self.multiplier, acc.ndim)
        own = per_channel(self.shift, acc.ndim)
        k = np.maximum(own, 16 + self.guard_bits)
        aligned = (product << (k - own)) + (r << (k - 16 - self.guard_bits))
        q = (aligned + (np.int64(1) << (k - 1))) >> k  # Eq. 9
        return Stages(shifted=acc, product=product, output=clamp(q, zero_point, lo, hi))

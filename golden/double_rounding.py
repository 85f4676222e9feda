"""The per-channel requantizer of gemmlowp and TensorFlow Lite, which rounds twice (Eq. 10..12), to compare with."""

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

MULTIPLIER_MAX = 2**31 - 1
SHIFT_MAX = 31


def high_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Eq. 10, SaturatingRoundingDoublingHighMul: floor((a b + 2^30) / 2^31) for int64 a in int32, b in 0..2^31-1.

    gemmlowp adds a nudge of the product's sign and truncates, which is the same number; its saturation needs
    a = b = -2^31 and cannot happen with b >= 0.
    """
    return (a * b + (1 << 30)) >> 31


def divide_by_power_of_two(x: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """Eq. 11, RoundingDivideByPOT: x / 2^exponent to the nearest integer, halves away from zero; int64."""
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


@dataclass(frozen=True, eq=False)
class DoubleRounding:
    """m_c = M_c 2^-(31+k_c) per output channel; the product is rounded, then the shift is (Eq. 10..12).

    multiplier: uint32 (O,), M_c in 0..2^31-1 (2^30 or more when normalised). shift: uint8 (O,), k_c in 0..31.
    A residual operand is rounded by itself and added, as in TensorFlow Lite's separate addition. guard_bits: G.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    guard_bits: int = 7

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "multiplier", check.array("multiplier", self.multiplier, np.uint32, 1, 0, MULTIPLIER_MAX))
        put(self, "shift", check.array("shift", self.shift, np.uint8, 1, 0, SHIFT_MAX))
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
        """Eq. 10..12 and 6; shifted holds h of Eq. 10, product holds v of Eq. 11. Arguments as ShiftScaler.stages."""
        acc = checked_accumulator(acc, self.channels)
        r = checked_residual(residual, acc.shape, self.guard_bits)
        h = high_multiply(acc, per_channel(self.multiplier, acc.ndim))
        v = divide_by_power_of_two(h, per_channel(self.shift, acc.ndim))
        q = v + divide_by_power_of_two(r, 16 + self.guard_bits)  # Eq. 12
        return Stages(shifted=h, product=v, output=clamp(q, zero_point, lo, hi))

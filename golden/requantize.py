"""Requantizers: from the int32 accumulator to the int8 output (Eq. 2..7), every stage visible."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from golden import check
from golden.errors import WesnpuError

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
SHIFT_MAX = 15  # n_c is a 4-bit field
EXPONENT_MAX = 16  # e
MULTIPLIER_MIN, MULTIPLIER_MAX = 2**15, 2**16 - 1  # M, normalised; 0 for a dead layer
RESIDUAL_MULTIPLIER_MAX = 2**15  # M_u of Eq. 7
GUARD_BITS_MAX = 12  # G


@dataclass(frozen=True, eq=False)
class Stages:
    """Every stage of one requantization, channels first: shifted t (Eq. 3), product p (Eq. 4), output y (Eq. 6).

    shifted and product are int64, output is int8. What the first two hold for another requantizer than the shift
    scaler, its own docstring says.
    """

    shifted: np.ndarray
    product: np.ndarray
    output: np.ndarray


class Requantizer(Protocol):
    """What a layer needs of its requantizer.

    `channels` is the number of output channels, `guard_bits` the G that fixes the unit of the residual: 2^(16+G) is
    one output code. `stages` takes acc, an integer array (C, ...) within int32, the residual r of Eq. 7 (same shape)
    or None, the output zero point and the clamp [lo, hi].
    """

    @property
    def guard_bits(self) -> int:
        """G, the unit of the residual."""
        ...

    @property
    def channels(self) -> int:
        """Number of output channels."""
        ...

    def stages(
        self, acc: np.ndarray, *, residual: np.ndarray | None = None, zero_point: int, lo: int, hi: int
    ) -> Stages:
        """Every stage of requantizing acc."""
        ...


def per_channel(values: np.ndarray, ndim: int) -> np.ndarray:
    """`values` (C,) as int64 that broadcasts over an array of `ndim` dimensions with channels first."""
    return values.astype(np.int64).reshape((-1,) + (1,) * (ndim - 1))


def checked_accumulator(acc: np.ndarray, channels: int) -> np.ndarray:
    """`acc` as int64; WesnpuError unless it is an integer array (channels, ...) whose values fit int32 (Eq. 1)."""
    if not np.issubdtype(acc.dtype, np.integer) or acc.ndim < 1 or acc.shape[0] != channels:
        raise WesnpuError(f"acc is {acc.dtype} {acc.shape}: must be integers of shape ({channels}, ...)")
    if acc.size and (int(acc.min()) < INT32_MIN or int(acc.max()) > INT32_MAX):
        raise WesnpuError(f"acc spans {acc.min()}..{acc.max()}: must fit int32 (Eq. 1)")
    return acc.astype(np.int64)


def checked_residual(residual: np.ndarray | None, shape: tuple[int, ...], guard_bits: int) -> np.ndarray:
    """r of Eq. 7 as int64, zeros for None; WesnpuError unless it has this shape and |r| <= 255 * 2^(16+G)."""
    if residual is None:
        return np.zeros(shape, np.int64)
    if not np.issubdtype(residual.dtype, np.integer) or residual.shape != shape:
        raise WesnpuError(f"residual is {residual.dtype} {residual.shape}: must be integers of shape {shape}")
    limit = 255 << (16 + guard_bits)
    if residual.size and (int(residual.min()) < -limit or int(residual.max()) > limit):
        raise WesnpuError(f"residual spans {residual.min()}..{residual.max()}: must be in {-limit}..{limit} (Eq. 7)")
    return residual.astype(np.int64)


def residual_term(u: np.ndarray, zero_point: int, multiplier: int, guard_bits: int) -> np.ndarray:
    """Eq. 7: r = (u - z_u) M_u 2^(G+1), int64 of u's shape.

    u: int8 codes; zero_point: z_u in -128..127; multiplier: M_u = round(2^15 s_u / s_y) in 0..2^15.
    """
    check.integer("residual zero_point", zero_point, -128, 127)
    check.integer("residual multiplier", multiplier, 0, RESIDUAL_MULTIPLIER_MAX)
    check.integer("guard_bits", guard_bits, 0, GUARD_BITS_MAX)
    return (u.astype(np.int64) - zero_point) * multiplier << (guard_bits + 1)


def clamp(q: np.ndarray, zero_point: int, lo: int, hi: int) -> np.ndarray:
    """Eq. 6: y = clamp(q + z_y, lo, hi) as int8."""
    return np.clip(q + zero_point, lo, hi).astype(np.int8)


@dataclass(frozen=True, eq=False)
class ShiftScaler:
    """The weight equalizing shift scaler (arXiv 2008.05767), Eq. 2..6: a shift per channel, one layer multiplier.

    shift: uint8 (O,), n_c in 0..15. exponent: e in 0..16. multiplier: M, 0 (dead layer) or 2^15..2^16-1.
    guard_bits: G in 0..12. half_step: uint8 (O,), h_c in 0..1 of Eq. 3h, or None for all zero.
    """

    shift: np.ndarray
    exponent: int
    multiplier: int
    guard_bits: int = 7
    half_step: np.ndarray | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "shift", check.array("shift", self.shift, np.uint8, 1, 0, SHIFT_MAX))
        put(self, "exponent", check.integer("exponent", self.exponent, 0, EXPONENT_MAX))
        put(self, "multiplier", check.integer("multiplier", self.multiplier, 0, MULTIPLIER_MAX))
        put(self, "guard_bits", check.integer("guard_bits", self.guard_bits, 0, GUARD_BITS_MAX))
        if 0 < self.multiplier < MULTIPLIER_MIN:
            raise WesnpuError(f"multiplier is {self.multiplier}: must be 0 or in {MULTIPLIER_MIN}..{MULTIPLIER_MAX}")
        if self.half_step is not None:
            put(self, "half_step", check.array("half_step", self.half_step, np.uint8, 1, 0, 1))
            if self.half_step.shape != self.shift.shape:
                raise WesnpuError(f"half_step has {self.half_step.size} channels: must be {self.shift.size}, as shift")

    @property
    def channels(self) -> int:
        """Number of output channels O."""
        return int(self.shift.size)

    @property
    def shifted_bits(self) -> int:
        """T = G + 11: bits of the signed t of Eq. 3."""
        return self.guard_bits + 11

    @property
    def total_shift(self) -> np.ndarray:
        """Eq. 2: s_c = n_c + e, int64 (O,), in 0..31."""
        return self.shift.astype(np.int64) + self.exponent

    def shifted(self, acc: np.ndarray) -> np.ndarray:
        """Eq. 3 (3h where half_step is set): t = sat_T(floor(acc 2^G / 2^s_c)), int64."""
        half = np.zeros(self.channels, np.int64) if self.half_step is None else self.half_step
        h = per_channel(half, acc.ndim)
        scaled = acc * (1 + 2 * h) << self.guard_bits
        t = scaled >> (per_channel(self.total_shift, acc.ndim) + 2 * h)
        limit = 1 << (self.shifted_bits - 1)
        return np.clip(t, -limit, limit - 1)

    def stages(
        self, acc: np.ndarray, *, residual: np.ndarray | None = None, zero_point: int, lo: int, hi: int
    ) -> Stages:
        """Eq. 3..6 on acc, integers (O, ...) within int32; residual: r of Eq. 7, same shape, or None.

        zero_point: z_y in -128..127; -128 <= lo <= hi <= 127. WesnpuError for anything outside these ranges.
        """
        acc = checked_accumulator(acc, self.channels)
        r = checked_residual(residual, acc.shape, self.guard_bits)
        t = self.shifted(acc)
        p = t * self.multiplier  # Eq. 4
        q = (p + r + (1 << (15 + self.guard_bits))) >> (16 + self.guard_bits)  # Eq. 5
        return Stages(shifted=t, product=p, output=clamp(q, zero_point, lo, hi))  # Eq. 6

"""Requantizers: from the int32 accumulator to the int8 output (Eq. 2..7), every stage visible."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Stages:
    """Every stage of one requantization, channels first: shifted t (Eq. 3), product p (Eq. 4), output y (Eq. 6)."""

    shifted: np.ndarray
    product: np.ndarray
    output: np.ndarray


class Requantizer(Protocol):
    """What a layer needs of its requantizer; acc is int (C, ...) and residual r of Eq. 7 is int (C, ...) or None."""

    def stages(
        self, acc: np.ndarray, *, residual: np.ndarray | None, zero_point: int, lo: int, hi: int
    ) -> Stages: ...


@dataclass(frozen=True, eq=False)
class ShiftScaler:
    """The weight equalizing shift scaler: shift n_c uint8 (O,) in 0..15, exponent e 0..16, multiplier M 0 or 2^15..2^16-1."""

    shift: np.ndarray
    exponent: int
    multiplier: int
    guard_bits: int = 7

"""Eq. 2..7 of docs/arithmetic.md a third time, neither golden's code nor the hardware's, so each checks all."""

from dataclasses import dataclass

import numpy as np

SATURATED_BITS = 11  # T = G + 11
RESIDUAL_FRACTION = 1  # r of Eq. 7 is (u - z_u) M_u 2^(G + 1)
SCALE_BITS = 16  # M is in units of 2^-16


@dataclass(frozen=True)
class Requantization:
    """What a COMPUTE command and its engine say of Eq. 2..7.

    guard_bits: G. exponent: e in 0..31. multiplier: M in 0..65535. zero_point: z_y. low, high: the clamp of Eq. 6.
    residual_multiplier, residual_zero_point: M_u and z_u of Eq. 7.
    """

    guard_bits: int
    exponent: int
    multiplier: int
    zero_point: int
    low: int
    high: int
    residual_multiplier: int = 0
    residual_zero_point: int = 0

    def apply(self, acc: np.ndarray, shift: np.ndarray, operand: np.ndarray | None = None) -> np.ndarray:
        """int8 (C, ...) of sums `acc` (C, ...), which wrap to int32 as the accumulators do.

        shift: n_c (C,), 0..15. operand: u of Eq. 7, int8 (C, ...), or None.
        """
        acc = acc.astype(np.int64).astype(np.int32).astype(np.int64)
        shifted = self._shifted(acc, shift.astype(np.int64))
        total = shifted * self.multiplier  # Eq. 4
        if operand is not None:
            total = total + self._residual(operand.astype(np.int64))
        unit = SCALE_BITS + self.guard_bits
        rounded = (total + (1 << unit - 1)) // (1 << unit)  # Eq. 5: half up
        return np.minimum(np.maximum(rounded + self.zero_point, self.low), self.high).astype(np.int8)  # Eq. 6

    def _shifted(self, acc: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Eq. 2 and 3: floor(acc 2^G / 2^s_c), saturated to T bits."""
        divisor = np.left_shift(np.int64(1), shift + self.exponent)
        quotient = (acc * (1 << self.guard_bits)) // divisor.reshape(-1, *[1] * (acc.ndim - 1))
        largest = (1 << self.guard_bits + SATURATED_BITS - 1) - 1
        return np.minimum(np.maximum(quotient, -largest - 1), largest)

    def _residual(self, operand: np.ndarray) -> np.ndarray:
        """Eq. 7."""
        return (operand - self.residual_zero_point) * (self.residual_multiplier << self.guard_bits + RESIDUAL_FRACTION)


def of_command(fields: dict[str, int], guard_bits: int) -> Requantization:
    """The requantization that the fields of a COMPUTE command ask for."""
    return Requantization(
        guard_bits=guard_bits,
        exponent=fields["exponent"],
        multiplier=fields["multiplier"],
        zero_point=fields["output_zero_point"],
        low=fields["low"],
        high=fields["high"],
        residual_multiplier=fields["residual_multiplier"],
        residual_zero_point=fields["residual_zero_point"],
    )

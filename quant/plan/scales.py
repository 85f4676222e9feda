"""Scales and zero points of int8 activation tensors."""

import math
from dataclasses import dataclass

from golden.errors import WesnpuError

ACTIVATION_BITS = (4, 6, 8)
CODES = 255  # steps between -128 and 127
EMPTY_RANGE_SCALE = 2.0**-7  # of a tensor that is zero on every calibration image


@dataclass(frozen=True)
class Scale:
    """Real value = scale * (code - zero_point) of codes -128..top; scale > 0 and finite, zero_point one of them.

    A tensor of b < 8 bits has 2^b codes: top = 2^b - 129.
    """

    scale: float
    zero_point: int
    top: int = 127

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise WesnpuError(f"scale is {self.scale!r}: must be a finite number > 0")
        if not -128 <= self.zero_point <= self.top <= 127:
            raise WesnpuError(f"zero_point is {self.zero_point}: must be in -128..{self.top}, at most 127")

    @property
    def low(self) -> float:
        """Real value of code -128."""
        return self.scale * (-128 - self.zero_point)

    @property
    def high(self) -> float:
        """Real value of the largest code."""
        return self.scale * (self.top - self.zero_point)

    def code(self, real: float) -> int:
        """The nearest code, half up, clipped to -128..top."""
        return max(-128, min(self.top, self.zero_point + math.floor(real / self.scale + 0.5)))

    def raised_to(self, scale: float) -> "Scale":
        """A scale at least as large that starts at the same real value; zero stays exact."""
        return self if scale <= self.scale else Scale(scale, _zero_point(self.low, scale, self.top), self.top)


def scale_of_range(low: float, high: float, name: str = "tensor", bits: int = 8) -> Scale:
    """Asymmetric scale of 2^bits codes over [low, high] widened to hold zero, which gets a code of its own.

    A range of zero width takes EMPTY_RANGE_SCALE. WesnpuError where a bound is NaN or infinite or low > high.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise WesnpuError(f"{name}: activation range is [{low}, {high}]: must be finite with low <= high")
    low, high, top = min(low, 0.0), max(high, 0.0), (1 << bits) - 129
    scale = (high - low) / ((1 << bits) - 1)
    if scale < 2.0**-126:
        return Scale(EMPTY_RANGE_SCALE, -128 if low >= 0 else top, top)
    return Scale(scale, _zero_point(low, scale, top), top)


def _zero_point(low: float, scale: float, top: int) -> int:
    return max(-128, min(top, -128 - math.floor(low / scale + 0.5)))

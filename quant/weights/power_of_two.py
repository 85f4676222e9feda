"""Power-of-two scales: exact exponents by frexp, and activation scales 2^k over a range."""

import math

from quant.plan.scales import Scale


def ceil_exponent(value: float) -> int:
    """The smallest k with 2^k >= value > 0, exact."""
    mantissa, exponent = math.frexp(value)
    return exponent - 1 if mantissa == 0.5 else exponent


def floor_exponent(value: float) -> int:
    """The largest k with 2^k <= value > 0, exact."""
    return math.frexp(value)[1] - 1


def scale_of_exponent(exponent: int, low: float, high: float, top: int = 127) -> Scale:
    """Scale 2^exponent of codes -128..top, from low <= 0 on; where they do not reach high, both ends are cut alike.

    Zero keeps a code of its own. A range that starts at zero is only cut at its upper end.
    """
    scale = math.ldexp(1.0, exponent)
    excess = max(0.0, (high - low) - (top + 128) * scale)
    start = low + excess / 2 if low < 0 else low
    zero_point = -128 - math.floor(start / scale + 0.5)
    return Scale(scale, max(-128, min(top, zero_point)), top)

"""The layer multiplier m as integers: (M, e) of the shift scaler, (M_c, k_c) of the per-channel baseline."""

import math
from fractions import Fraction

import numpy as np

from golden.errors import WesnpuError
from golden.requantize import EXPONENT_MAX

FLOAT32_MAX = float(np.finfo(np.float32).max)
CHANNEL_SHIFTS = (31, 54)  # k_c of golden.channel_multiplier with a 32-bit multiplier


def smallest_output_scale(input_scale: float, weight_scale: float) -> float:
    """The smallest float s_y with s_x s_w / s_y < 1, by exact arithmetic; WesnpuError where that exceeds float32."""
    product = Fraction(input_scale) * Fraction(weight_scale)
    if product >= Fraction(FLOAT32_MAX):
        sizes = f"s_x {input_scale:.4g} and s_w {weight_scale:.4g}"
        raise WesnpuError(f"scales {sizes}: their product must be below {FLOAT32_MAX:.4g}, weights are too large")
    scale = float(product)
    return scale if Fraction(scale) > product else math.nextafter(scale, math.inf)


def layer_multiplier(input_scale: float, weight_scale: float, output_scale: float, name: str) -> tuple[int, int]:
    """(M, e) with m = s_x s_w / s_y = M 2^-(16+e) rounded half up, 2^15 <= M <= 2^16 - 1, e in 0..16.

    An m so close to 1 that M would be 2^16 with e = 0 takes M = 65535. WesnpuError for m >= 1, naming the layer and the
    smallest s_y that works, and for m < 2^-17 (scale s_w up).
    """
    m = Fraction(input_scale) * Fraction(weight_scale) / Fraction(output_scale)
    if m >= 1:
        needed = smallest_output_scale(input_scale, weight_scale)
        raise WesnpuError(
            f"layer {name!r}: multiplier s_x s_w / s_y is {float(m):.6g}: must be below 1, "
            f"which needs an output scale of at least {needed!r} (it is {output_scale!r})"
        )
    exponent = 0
    while m * 2 ** (exponent + 1) < 1:
        exponent += 1
    multiplier = math.floor(m * 2 ** (16 + exponent) + Fraction(1, 2))
    if multiplier == 2**16:
        multiplier, exponent = (2**15, exponent - 1) if exponent else (2**16 - 1, 0)
    if exponent > EXPONENT_MAX:
        raise WesnpuError(f"layer {name!r}: multiplier s_x s_w / s_y is {float(m):.6g}: must be at least 2^-17")
    return multiplier, exponent


def residual_multiplier(residual_scale: float, output_scale: float, name: str) -> int:
    """M_u = round half up of 2^15 s_u / s_y (Eq. 7); WesnpuError names the layer where s_u > s_y."""
    ratio = Fraction(residual_scale) / Fraction(output_scale)
    if ratio > 1:
        raise WesnpuError(
            f"layer {name!r}: residual scale {residual_scale!r} exceeds the output scale {output_scale!r}: "
            "must be at most as large (Eq. 7)"
        )
    return math.floor(ratio * 2**15 + Fraction(1, 2))


def channel_multipliers(
    input_scale: float, weight_scales: np.ndarray, output_scale: float, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """(M_c uint32, k_c uint8), each (O,), with s_x s_wc / s_y = M_c 2^-k_c, M_c of 31 bits where k_c allows it."""
    m = input_scale * weight_scales / output_scale
    if Fraction(input_scale) * Fraction(float(weight_scales.max())) >= Fraction(output_scale):
        needed = smallest_output_scale(input_scale, float(weight_scales.max()))
        raise WesnpuError(
            f"layer {name!r}: multiplier of channel {int(m.argmax())} is {m.max():.6g}: must be below 1, "
            f"which needs an output scale of at least {needed!r} (it is {output_scale!r})"
        )
    shift = np.clip(31 - np.frexp(m)[1].astype(np.int64), *CHANNEL_SHIFTS)
    multiplier = np.minimum(np.floor(np.ldexp(m, shift) + 0.5), 2**31 - 1)
    return multiplier.astype(np.uint32), shift.astype(np.uint8)

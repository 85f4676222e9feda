"""Integer weights of one operation: codes, the layer scale with its shifts (WES), or one float scale per channel."""

import math
from dataclasses import dataclass, replace

import numpy as np

from golden.bounds import product_bounds
from golden.requantize import INT32_MAX, INT32_MIN, SHIFT_MAX
from golden.sub_layer import input_shifts, shifted_weight

WEIGHT_MAX = 127
HALF_STEP = 0.75  # factor of Eq. 3h
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


@dataclass
class WeightCodes:
    """codes int8 like the weight, left-aligned to `bits`; real weight = real_scale * code per output channel.

    scale: the layer scale s_w. shift: n_c uint8 (O,). channel_scale: float64 (O,), replaces scale and shift in the
    channel-wise baseline, else None. group: output channels in a row that share n_c, the last group may be smaller.
    block_shift: d of Eq. 8, uint8 (O, blocks), by which a block of input channels is coarser than real_scale, or None.
    half_step: h_c of Eq. 3h, uint8 (O,), None where all are 0.
    """

    codes: np.ndarray
    scale: float
    shift: np.ndarray
    channel_scale: np.ndarray | None = None
    bits: int = 8
    group: int = 1
    block_shift: np.ndarray | None = None
    half_step: np.ndarray | None = None

    @property
    def unit(self) -> np.ndarray:
        """Real value of code 1 for every weight, float64 (O, 1, 1, 1), or (O, I, 1, 1) with block shifts."""
        scale = self.real_scale[:, None, None, None]
        if self.block_shift is None:
            return scale
        return np.ldexp(scale, input_shifts(self.block_shift, self.codes.shape[1])[:, :, None, None])

    @property
    def accumulator_codes(self) -> np.ndarray:
        """The codes in units of real_scale: 2^d codes (Eq. 8), int16, or the codes themselves (int8)."""
        return shifted_weight(self.codes, self.block_shift)

    @property
    def real(self) -> np.ndarray:
        """The real weights that the codes stand for, float64 like the weight."""
        return self.codes * self.unit

    @property
    def real_scale(self) -> np.ndarray:
        """Real value of code 1 per output channel, float64 (O,): s_w 2^-n_c (3/4)^h_c, or the channel's own scale."""
        if self.channel_scale is not None:
            return self.channel_scale
        scale = np.ldexp(self.scale, -self.shift.astype(np.int64))
        return scale if self.half_step is None else scale * np.where(self.half_step, HALF_STEP, 1.0)


def largest_code(bits: int) -> int:
    """The largest left-aligned code of `bits` bits: 127 for 8, 112 for 4, 64 for 2."""
    return ((1 << (bits - 1)) - 1) << (8 - bits)


def channel_ranges(weight: np.ndarray) -> np.ndarray:
    """max|W_c| per output channel, float64 (O,)."""
    return np.abs(weight).reshape(weight.shape[0], -1).max(axis=1)


def equalizing_shifts(ranges: np.ndarray, largest: int = SHIFT_MAX) -> np.ndarray:
    """n_c = floor(log2(max_c r_c / r_c)) clipped to 0..largest, exact by frexp; 0 for dead channels. uint8 (O,)."""
    mantissa, exponent = np.frexp(ranges)
    top_mantissa, top_exponent = math.frexp(float(ranges.max()))
    shift = top_exponent - exponent.astype(np.int64) - (mantissa > top_mantissa)
    return np.where(ranges > 0, np.clip(shift, 0, largest), 0).astype(np.uint8)


def half_steps(ranges: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """h_c of Eq. 3h, uint8 (O,): 1 where three quarters of the shifted scale still hold the channel's range."""
    fits = np.ldexp(ranges, shift.astype(np.int64)) <= HALF_STEP * ranges.max()
    return (fits & (ranges > 0)).astype(np.uint8)


def saturated_channels(ranges: np.ndarray, largest: int = SHIFT_MAX) -> int:
    """Number of live channels whose shift would need more than `largest`."""
    live = ranges[ranges > 0]
    return int(np.count_nonzero(live * 2.0 ** (largest + 1) <= ranges.max())) if live.size else 0


def layer_scale(largest: float, bits: int) -> float:
    """s_w so that `largest` is the largest code; 1.0 for a layer that is all zero."""
    return largest / largest_code(bits) if largest > 0 else 1.0


def rounded(weight: np.ndarray, real_scale: np.ndarray, bits: int) -> np.ndarray:
    """The nearest codes (halves to even), clipped to the grid and left-aligned, int8.

    real_scale: of every channel, (O,), or of every weight, broadcast over (O, I, KH, KW).
    """
    step, limit = 1 << (8 - bits), (1 << (bits - 1)) - 1
    unit = real_scale.reshape(-1, 1, 1, 1) if real_scale.ndim == 1 else real_scale
    code = np.rint(weight / (unit * step))
    return (np.clip(code, -limit, limit) * step).astype(np.int8)


def recode(weight: np.ndarray, weights: WeightCodes) -> WeightCodes:
    """The same scales and shifts with the codes rounded anew from the real weight."""
    return replace(weights, codes=rounded(weight, weights.unit, weights.bits))


def accumulator_excess(
    weights: WeightCodes, bias: np.ndarray, input_scale: float, zero_point: int, codes: tuple[int, int], headroom: int
) -> np.ndarray:
    """Per output channel, whether headroom * (|bias| + bound of the products) exceeds int32; bool (O,).

    bias: real float64 (O,). codes: smallest and largest input code. The products are bounded by the sums of positive
    and of negative weights times the input range less its zero point, which is what the folded accumulator reaches.
    """
    low, high = min(codes[0], zero_point) - zero_point, max(codes[1], zero_point) - zero_point
    smallest, largest = product_bounds(weights.accumulator_codes, low, high)
    real = bias / (input_scale * weights.real_scale)
    return (headroom * (np.ceil(real) + largest) > INT32_MAX) | (headroom * (np.floor(real) + smallest) < INT32_MIN)

"""The judge of golden: Eq. 1..8 once more, in Python's unbounded integers and fractions, one number at a time.

It shares no code with golden and uses no NumPy arithmetic, so that neither widths nor broadcasting can hide an error.
"""

from fractions import Fraction
from math import floor

from golden.network import ConvLayer
from golden.requantize import ShiftScaler

HALF = Fraction(1, 2)


def accumulator(layer: ConvLayer, x: list, zero_point: int, channel: int, row: int, column: int) -> int:
    """Eq. 1 (8 where the layer has block shifts) of one output; x: nested lists (C, H, W) of ints."""
    (sv, sh), (top, left, _, _) = layer.stride, layer.padding
    weight = layer.weight[channel].tolist()
    total = int(layer.bias[channel])
    exponents = [0] * len(weight) if layer.block_shift is None else input_exponents(layer, channel)
    for k, plane in enumerate(weight):
        source = x[channel if layer.depthwise else k]
        for i, line in enumerate(plane):
            for j, w in enumerate(line):
                r, c = row * sv + i - top, column * sh + j - left
                inside = 0 <= r < len(source) and 0 <= c < len(source[0])
                total += 2 ** exponents[k] * w * (source[r][c] if inside else zero_point)
    return total


def input_exponents(layer: ConvLayer, channel: int) -> list[int]:
    """d of Eq. 8 for every input channel: blocks of equal length from the first on, the last may be shorter."""
    row, inputs = layer.block_shift[channel].tolist(), layer.weight.shape[1]
    length = 1
    while length * len(row) < inputs:
        length += 1
    return [row[k // length] for k in range(inputs)]


def shifted(acc: int, shift: int, half_step: int, guard_bits: int, *, saturate: bool = True) -> int:
    """Eq. 3 and 3h; shift is s_c of Eq. 2."""
    t = floor(Fraction(acc * 2**guard_bits) * Fraction(3, 4) ** half_step / 2**shift)
    limit = 2 ** (guard_bits + 10)
    return max(-limit, min(limit - 1, t)) if saturate else t


def residual(u: int, zero_point: int, multiplier: int, guard_bits: int) -> int:
    """Eq. 7."""
    return (u - zero_point) * multiplier * 2 ** (guard_bits + 1)


def output(product: int, r: int, guard_bits: int, zero_point: int, lo: int, hi: int) -> int:
    """Eq. 5 and 6."""
    q = floor(Fraction(product + r, 2 ** (16 + guard_bits)) + HALF)
    return max(lo, min(hi, q + zero_point))


def stages(
    scaler: ShiftScaler, channel: int, acc: int, r: int, zero_point: int, lo: int, hi: int
) -> tuple[int, int, int]:
    """(shifted, product, output) of one accumulator."""
    half = 0 if scaler.half_step is None else int(scaler.half_step[channel])
    t = shifted(acc, int(scaler.shift[channel]) + scaler.exponent, half, scaler.guard_bits)
    p = t * scaler.multiplier
    return t, p, output(p, r, scaler.guard_bits, zero_point, lo, hi)

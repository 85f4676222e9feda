"""Phase search: where within an octave the layer scale of the weight equalizing shift lies.

WES sets the layer scale by the largest channel, so that channel uses the whole grid and another one anything from half
of it upwards. Raising the layer scale by 2^(j/K) costs the largest channel resolution and gives others one shift more.
"""

import numpy as np

from quant.weights.weights import channel_ranges, equalizing_shifts, layer_scale, rounded

PHASES = 8  # K: scales tried within one octave


def best_phase(weight: np.ndarray, bits: int, phases: int = PHASES) -> tuple[float, np.ndarray]:
    """(layer scale s_w, shifts n_c uint8 (O,)) with the least mean relative error of `phases` candidates.

    weight: float64 (O, I, KH, KW), not all zero. Nothing clips. A channel's relative error is its squared rounding
    error over r_c^2, so that channels count alike whatever their gain. A candidate whose worst channel is worse than
    the worst one of plain WES (phase 0) is out, so neither the mean nor the worst ever grows; of equals the first wins.
    """
    best_scale, best_shift = phase(weight, bits, 0.0)
    errors = relative_errors(weight, bits, best_scale, best_shift)
    worst, least = errors.max(), errors.mean()
    for index in range(1, phases):
        scale, shift = phase(weight, bits, index / phases)
        errors = relative_errors(weight, bits, scale, shift)
        if errors.max() <= worst and errors.mean() < least:
            best_scale, best_shift, least = scale, shift, errors.mean()
    return best_scale, best_shift


def phase(weight: np.ndarray, bits: int, octaves: float) -> tuple[float, np.ndarray]:
    """Scale and shifts as WES would set them if the largest channel were 2^octaves larger."""
    ranges = channel_ranges(weight)
    top = float(ranges.max()) * 2.0**octaves
    return layer_scale(top, bits), equalizing_shifts(np.append(ranges, top))[:-1]


def relative_errors(weight: np.ndarray, bits: int, scale: float, shift: np.ndarray) -> np.ndarray:
    """Sum of squared rounding errors over r_c^2 per channel, float64 (O,); 0 for dead channels."""
    real = np.ldexp(scale, -shift.astype(np.int64))
    ranges = channel_ranges(weight)
    codes = rounded(weight, real, bits)
    error = (codes * real[:, None, None, None] - weight) / np.where(ranges > 0, ranges, 1.0)[:, None, None, None]
    return np.square(error).sum(axis=(1, 2, 3))

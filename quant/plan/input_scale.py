"""The network's input: from real values to int8 codes, exact for uint8 pixels where the normalisation allows it."""

import numpy as np

from golden.network import Preprocessing
from quant.plan.scales import Scale


def exact_input_scale(preprocessing: Preprocessing | None) -> Scale | None:
    """The scale for which code = pixel - 128 exactly: all channels share a mean, a whole number of pixel steps in
    0..255.

    real = (pixel / value_range - mean) / std, so the scale is 1 / (value_range std), a power of two for (pixel -
    127) / 128, and the zero point is mean value_range - 128. None where the normalisation has no such scale.
    """
    if preprocessing is None or len(set(preprocessing.mean)) > 1 or len(set(preprocessing.std)) > 1:
        return None
    zero_pixel = preprocessing.mean[0] * preprocessing.value_range
    if not 0 <= round(zero_pixel) <= 255 or abs(zero_pixel - round(zero_pixel)) > 1e-6:
        return None
    return Scale(1.0 / (preprocessing.value_range * preprocessing.std[0]), round(zero_pixel) - 128)


def quantize_real(real: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Nearest int8 codes of real values of any shape, half up, clipped to -128..127."""
    codes = np.floor(np.asarray(real, np.float64) / scale + 0.5) + zero_point
    return np.clip(codes, -128, 127).astype(np.int8)

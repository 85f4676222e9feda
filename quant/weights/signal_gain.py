"""The gain of quantized weights: how much of the real output their output is, on the inputs that a layer reads."""

from dataclasses import replace

import numpy as np

from quant.weights.weights import WeightCodes

GAIN_MIN, GAIN_MAX = 0.5, 2.0  # beyond, the weights are too coarse to tell


def unit_gain(weights: WeightCodes, real: np.ndarray, moments: np.ndarray) -> WeightCodes:
    """The same codes, their scale divided by the gain sum_c q_c H w_c' / sum_c w_c H w_c'.

    q: real values of the codes, w: real weights, float64 (O, I, KH, KW), moments: H as in `compensation`. One
    gain for the layer, or one for each channel that has a scale of its own. It is what a regression of the quantized on
    the real output finds. Where it is outside GAIN_MIN..GAIN_MAX or there is no signal the scale stays.
    """
    ours, theirs = (values.reshape(len(real), -1) for values in (weights.real, real))
    signals = [(_times(values, moments) * theirs).sum(axis=1) for values in (ours, theirs)]
    if weights.channel_scale is not None:
        return replace(weights, channel_scale=weights.channel_scale / _gain(*signals))
    return replace(weights, scale=weights.scale / float(_gain(*(signal.sum() for signal in signals))))


def _times(rows: np.ndarray, moments: np.ndarray) -> np.ndarray:
    return rows @ moments if moments.ndim == 2 else np.einsum("oi,oij->oj", rows, moments)


def _gain(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    found = np.divide(ours, theirs, out=np.ones_like(ours), where=np.asarray(theirs > 0))
    return np.where((found >= GAIN_MIN) & (found <= GAIN_MAX), found, 1.0)

"""Real scales of a quantized layer, recovered from its integers."""

import numpy as np

from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from golden.requantize import ShiftScaler


def real_multiplier(layer: ConvLayer) -> np.ndarray:
    """m_c of every output channel, float64 (O,): what the requantizer multiplies the accumulator by.

    Shift scaler: M 2^-(16 + e + n_c), times 3/4 where Eq. 3h applies. WesnpuError for a requantizer without such a
    form.
    """
    requantizer = layer.requantizer
    if isinstance(requantizer, ShiftScaler):
        half = 0 if requantizer.half_step is None else requantizer.half_step.astype(np.int64)
        return np.ldexp(requantizer.multiplier * (1.0 + 2 * half), -(16 + requantizer.total_shift + 2 * half))
    if isinstance(requantizer, ChannelMultiplier):
        return np.ldexp(requantizer.multiplier.astype(np.float64), -requantizer.shift.astype(np.int64))
    raise WesnpuError(f"layer {layer.name!r}: {type(requantizer).__name__} has no real multiplier per channel")


def real_weight_scale(network: Network, layer: ConvLayer) -> np.ndarray:
    """Real value of weight code 1 per output channel, float64 (O,): m_c s_y / s_x; 1 where the multiplier is 0.

    With block shifts (Eq. 8) it is that of the blocks with d = 0.
    """
    ratio = network.tensors[layer.output].scale / network.tensors[layer.input].scale
    multiplier = real_multiplier(layer)
    return np.where(multiplier > 0, multiplier * ratio, 1.0)

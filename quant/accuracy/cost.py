"""What a network costs in hardware: parameters per output channel besides weights, and the kind of its multiplier."""

from collections.abc import Mapping

import numpy as np

from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from golden.requantize import MULTIPLIER_MIN, ShiftScaler

BIAS_BITS = 32
BLOCK_SHIFT_BITS = 2  # d of Eq. 8
CHANNEL_SHIFT_BITS = 6  # k_c of Eq. 9, up to 54
#: Kinds of multiplier behind the accumulator, cheapest first.
MULTIPLIERS = (
    "none", "16 bits per layer", "16 bits per channel", "32 bits per channel", "float per layer", "float per channel",
)


def channel_bytes(network: Network, groups: Mapping[str, int] | None = None) -> float:
    """Bytes per output channel, mean over all channels: bias and what the requantizer stores for each channel.

    A shift field has as many bits as the largest shift of the network needs, a field of Eq. 8 has BLOCK_SHIFT_BITS.
    groups: by layer, how many channels share both fields; 1 where not named. What is stored once per layer
    (multiplier, exponent, zero point, clamp) is not counted.
    """
    largest = max((int(_shift(layer.requantizer).max()) for layer in network.layers), default=0)
    bits = 0.0
    for layer in network.layers:
        sharing = (groups or {}).get(layer.name, 1)
        blocks = 0 if layer.block_shift is None else layer.block_shift.shape[1]
        shared = BLOCK_SHIFT_BITS * blocks + _requantizer_bits(layer.requantizer, largest.bit_length())
        bits += layer.channels * BIAS_BITS + -(-layer.channels // sharing) * shared
    return bits / sum(layer.channels for layer in network.layers) / 8


def multiplier_kind(network: Network) -> str:
    """The costliest kind of MULTIPLIERS that the network's requantizers need."""
    return max((_kind(layer.requantizer) for layer in network.layers), key=MULTIPLIERS.index)


def runs_on_engine(network: Network) -> bool:
    """Whether every layer is one that the engine has: the shift scaler without half steps, no block shifts."""
    return all(_engine_has(layer) for layer in network.layers)


def _engine_has(layer: ConvLayer) -> bool:
    requantizer = layer.requantizer
    return isinstance(requantizer, ShiftScaler) and requantizer.half_step is None and layer.block_shift is None


def _shift(requantizer: object) -> np.ndarray:
    return requantizer.shift if isinstance(requantizer, ShiftScaler) else np.zeros(1, np.uint8)


def _requantizer_bits(requantizer: object, shift_bits: int) -> int:
    if isinstance(requantizer, ShiftScaler):
        return shift_bits + (requantizer.half_step is not None)
    if isinstance(requantizer, ChannelMultiplier):
        return requantizer.bits + CHANNEL_SHIFT_BITS
    raise WesnpuError(f"{type(requantizer).__name__}: no cost is known for this requantizer")


def _kind(requantizer: object) -> str:
    if isinstance(requantizer, ShiftScaler):
        return "none" if requantizer.multiplier in (0, MULTIPLIER_MIN) else "16 bits per layer"
    if isinstance(requantizer, ChannelMultiplier):
        return f"{requantizer.bits} bits per channel"
    raise WesnpuError(f"{type(requantizer).__name__}: no cost is known for this requantizer")

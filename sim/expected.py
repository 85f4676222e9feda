"""What an engine must produce for a network and an image, from golden alone: padded tensors and every stage."""

from dataclasses import dataclass

import numpy as np

from compiler.config import WORD_BYTES
from compiler.layout import blocks_of
from golden.network import ConvLayer, Network
from golden.requantize import residual_term
from golden.run import run

STAGES = ("acc", "shifted", "product", "output")


@dataclass(frozen=True, eq=False)
class Expected:
    """tensors: int8 (16 * blocks, H, W) by name, the channels beyond C included. stages: by layer name, then stage,
    arrays of the same shape (empty unless asked for)."""

    tensors: dict[str, np.ndarray]
    stages: dict[str, dict[str, np.ndarray]]


def _pad(values: np.ndarray, channels: int, fill: np.ndarray | int) -> np.ndarray:
    """`values` (C, H, W) with channels up to `channels`; the new ones hold `fill`, a number or (H, W)."""
    extra = np.broadcast_to(np.asarray(fill, values.dtype), (channels - values.shape[0], *values.shape[1:]))
    return np.concatenate([values, extra])


def _beyond(network: Network, layer: ConvLayer, residual: np.ndarray | None, count: int, shape: tuple) -> np.ndarray:
    """Output of `count` channels with weights, bias and shift 0: acc = 0, so Eq. 5..7 with t = 0."""
    guard = network.guard_bits
    r = np.zeros((count, *shape), np.int64)
    if residual is not None:
        zero_point = network.tensors[layer.residual.tensor].zero_point
        r = residual_term(residual[-count:], zero_point, layer.residual.multiplier, guard)
    q = (r + (1 << (15 + guard))) >> (16 + guard)
    return np.clip(q + network.tensors[layer.output].zero_point, layer.lo, layer.hi).astype(np.int8)


def expected_of(network: Network, image: np.ndarray, *, stages: bool = False) -> Expected:
    """Run golden on `image`, int8 (C, H, W), and pad every result as docs/engine.md says."""
    result = run(network, image, keep=True, stages=stages)
    source = network.tensors[network.input]
    tensors = {network.input: _pad(image, WORD_BYTES * blocks_of(source.channels), source.zero_point)}
    padded_stages = {}
    for layer in network.layers:
        values = result.tensors[layer.output]
        total = WORD_BYTES * blocks_of(layer.channels)
        count = total - layer.channels
        if count:
            operand = tensors[layer.residual.tensor] if layer.residual else None
            values = np.concatenate([values, _beyond(network, layer, operand, count, values.shape[1:])])
        tensors[layer.output] = values
        if stages:
            found = result.stages[layer.name]
            padded_stages[layer.name] = {name: _pad(getattr(found, name), total, 0) for name in STAGES[:3]}
            padded_stages[layer.name]["output"] = values
    return Expected(tensors, padded_stages)

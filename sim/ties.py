"""A residual layer whose sums lie as close to a tie of Eq. 5 as they can: any wrong bit changes an output."""

from dataclasses import replace

import numpy as np

from compiler.config import EngineConfig
from golden.network import Network, Residual
from golden.requantize import ShiftScaler
from sim.layers import Builder, Shape

SIDE = 8  # pixels of the image, each way
CHOSEN = 8  # output channels whose sums are chosen: operand c, digits 8 + c and 16 + c
RADIX = 127  # the accumulator is RADIX * one digit + the other
MULTIPLIER, RESIDUAL_MULTIPLIER = 48611, 23173


def _nearest(guard_bits: int, zero_points: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(operands u, sums t): the `count` pairs that miss the step between two outputs by least, on either side of it."""
    u = np.arange(-128, 128)[:, None]
    t = np.arange(-(RADIX << 6), RADIX << 6)[None, :]
    total = t * MULTIPLIER + (u - zero_points[0]) * RESIDUAL_MULTIPLIER * (1 << (guard_bits + 1))
    total += 1 << (15 + guard_bits)
    step = 1 << (16 + guard_bits)
    inside = np.abs((total >> (16 + guard_bits)) + zero_points[1]) < 120  # the clamp hides nothing
    above = np.where(inside, total % step, step)
    below = np.where(inside, step - 1 - total % step, step)
    flat = np.concatenate([np.argpartition(side.ravel(), count // 2)[: count // 2] for side in (above, below)])
    row, column = np.unravel_index(flat, inside.shape)
    return u[row, 0], t[0, column]


def ties(seed: int, config: EngineConfig) -> tuple[Network, np.ndarray]:
    """A 1x1 layer with its input as residual operand, and an image, int8 (24, 8, 8), that brings it to ties."""
    rng = np.random.default_rng([seed, SIDE])
    builder = Builder(rng, config.guard_bits, 3 * CHOSEN, SIDE, SIDE)
    source = builder.last
    target = builder.add(
        Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=3 * CHOSEN, clamp=(-128, 127)), residual=source
    )
    network = builder.network(f"ties_{seed}")
    (layer,) = network.layers
    weight = np.zeros_like(layer.weight)
    for channel in range(3 * CHOSEN):
        weight[channel, CHOSEN + channel % CHOSEN] = RADIX
        weight[channel, 2 * CHOSEN + channel % CHOSEN] = 1
    layer = replace(
        layer, weight=weight, bias=np.zeros(3 * CHOSEN, np.int32), residual=Residual(source.name, RESIDUAL_MULTIPLIER),
        requantizer=ShiftScaler(  # t is the accumulator itself
            shift=np.zeros(3 * CHOSEN, np.uint8), exponent=config.guard_bits, multiplier=MULTIPLIER,
            guard_bits=config.guard_bits,
        ),
    )
    u, t = _nearest(config.guard_bits, (source.zero_point, target.zero_point), CHOSEN * SIDE * SIDE)
    order = rng.permutation(u.size)
    u, t = u[order], t[order]
    high = np.clip(np.rint(t / RADIX), -128, 127).astype(np.int64)
    image = np.concatenate([part.reshape(CHOSEN, SIDE, SIDE) for part in (u, high, t - RADIX * high)])
    return replace(network, layers=(layer,)), image.astype(np.int8)

"""Weight scales whose steps are finer than the smallest that clips nothing, as trials for rounding."""

from dataclasses import replace

import numpy as np

from golden.errors import WesnpuError
from quant.weights.weights import WeightCodes

FACTORS = (1.0, 0.9, 0.8, 0.7)  # of a channel's own float scale


def trials(weights: WeightCodes, largest_shift: np.ndarray) -> list[WeightCodes]:
    """The weights as they are, then with finer steps in every channel that may have them, coarsest first.

    A float scale per channel is tried at FACTORS; a shift n_c also at n_c + 1 where `largest_shift` (O,) allows
    it. With half steps the two next finer ones are tried: 3/4 and 1/2 of a whole step, 2/3 and 1/2 of a half one. Codes
    are not made. WesnpuError for scales that several channels or blocks of inputs share.
    """
    if weights.group != 1 or weights.block_shift is not None:
        raise WesnpuError("steps are chosen channel by channel: not with shifts that channels or inputs share")
    if weights.channel_scale is not None:
        return [replace(weights, channel_scale=factor * weights.channel_scale) for factor in FACTORS]
    room = weights.shift < largest_shift
    if weights.half_step is None:
        return [weights, replace(weights, shift=(weights.shift + room).astype(np.uint8))]
    one = _half_finer(weights, room)
    return [weights, one, _half_finer(one, one.shift < largest_shift)]


def _half_finer(weights: WeightCodes, room: np.ndarray) -> WeightCodes:
    """The next finer step of each channel: 3/4 of a whole one, 2/3 of a half one (the next shift's, if it has room)."""
    assert weights.half_step is not None
    half = weights.half_step.astype(bool)
    shift = weights.shift + (half & room)
    return replace(weights, shift=shift.astype(np.uint8), half_step=(~half | (half & ~room)).astype(np.uint8))


def picked(options: list[WeightCodes], choice: np.ndarray) -> WeightCodes:
    """Channel by channel the trial of that index, choice (O,); all trials have one layer scale."""

    def of(values: list[np.ndarray]) -> np.ndarray:
        return np.stack(values)[choice, np.arange(len(choice))]

    first = options[0]
    codes, shift = of([option.codes for option in options]), of([option.shift for option in options])
    channel_scale = half_step = None
    if first.channel_scale is not None:
        channel_scale = of([option.real_scale for option in options])
    if first.half_step is not None:
        half_step = of([option.half_step for option in options if option.half_step is not None])
    return replace(first, codes=codes, shift=shift, channel_scale=channel_scale, half_step=half_step)

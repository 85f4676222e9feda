"""What a network costs per channel, counted by hand, and whether the engine runs it, as the compiler says."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.config import preset
from compiler.program import compile_network
from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.network import Network, Tensor
from golden.power_of_two import PowerOfTwo
from golden.requantize import ShiftScaler
from quant.accuracy.cost import MULTIPLIERS, channel_bytes, multiplier_kind, runs_on_engine

CONFIG = preset("small")


def network(*requantizers):
    """1x1 convolutions of two channels, one for each requantizer."""
    names = [f"t{index}" for index in range(len(requantizers) + 1)]
    tensors = {name: Tensor(name, 2, 4, 4, 1.0, 0) for name in names}
    layers = [
        ConvLayer(
            f"layer{index}", names[index], names[index + 1], False, np.ones((2, 2, 1, 1), np.int8),
            np.zeros(2, np.int32), (1, 1), (0, 0, 0, 0), requantizer, -128, 127,
        )
        for index, requantizer in enumerate(requantizers)
    ]
    return Network("made", "t0", (names[-1],), tensors, tuple(layers), CONFIG.guard_bits)


def scaler(*shifts, multiplier=40_000, half=None):
    half_step = None if half is None else np.array(half, np.uint8)
    return ShiftScaler(np.array(shifts, np.uint8), 3, multiplier, CONFIG.guard_bits, half_step)


def multipliers(bits):
    return ChannelMultiplier(np.full(2, 1000, np.uint32), np.full(2, 35, np.uint8), bits, CONFIG.guard_bits)


@pytest.mark.parametrize(
    ("requantizers", "expected", "kind", "engine"),
    [
        ([scaler(0, 0)], 4.0, "16 bits per layer", True),
        ([scaler(0, 1)], 4 + 1 / 8, "16 bits per layer", True),
        ([scaler(0, 0), scaler(9, 0)], 4 + 4 / 8, "16 bits per layer", True),
        ([scaler(7, 2, half=(0, 1))], 4 + 3 / 8 + 1 / 8, "16 bits per layer", False),
        ([scaler(0, 3, multiplier=2**15), scaler(0, 0, multiplier=0)], 4 + 2 / 8, "none", True),
        ([scaler(0, 3, multiplier=2**15), scaler(0, 0)], 4 + 2 / 8, "16 bits per layer", True),
        ([multipliers(32)], 4 + 38 / 8, "32 bits per channel", False),
        ([multipliers(16), scaler(3, 0)], 4 + (22 + 2) / 2 / 8, "16 bits per channel", False),
    ],
)
def test_cost_counted_by_hand(requantizers, expected, kind, engine):
    made = network(*requantizers)
    assert channel_bytes(made) == pytest.approx(expected, abs=1e-12)
    assert multiplier_kind(made) == kind in MULTIPLIERS
    assert runs_on_engine(made) == engine
    if engine:
        compile_network(made, CONFIG)
    else:
        with pytest.raises(WesnpuError, match="ShiftScaler without half steps"):
            compile_network(made, CONFIG)


def test_groups_share_their_shifts_and_blocks_have_their_own():
    layer = network(scaler(3, 3)).layers[0]
    weight, bias = np.full((5, 4, 1, 1), 8, np.int8), np.zeros(5, np.int32)
    blocks = np.array([[0, 1, 0, 0]] * 5, np.uint8)
    wide = replace(layer, weight=weight, bias=bias, requantizer=scaler(*[3] * 5), block_shift=blocks)
    tensors = {"t0": Tensor("t0", 4, 4, 4, 1.0, 0), "t1": Tensor("t1", 5, 4, 4, 1.0, 0)}
    made = Network("wide", "t0", ("t1",), tensors, (wide,), CONFIG.guard_bits)
    assert channel_bytes(made, {"layer0": 2}) == (5 * 32 + 3 * (2 + 4 * 2)) / 5 / 8
    assert channel_bytes(made) == (32 + 2 + 4 * 2) / 8 and not runs_on_engine(made)
    with pytest.raises(WesnpuError):
        compile_network(made, CONFIG)


def test_a_requantizer_without_a_known_cost_is_named():
    made = network(PowerOfTwo(np.zeros(2, np.uint8), CONFIG.guard_bits))
    for ask in (channel_bytes, multiplier_kind):
        with pytest.raises(WesnpuError, match="PowerOfTwo"):
            ask(made)
    assert not runs_on_engine(made)


def test_channels_weigh_alike_whatever_layer_they_are_in():
    layer = network(scaler(0, 0)).layers[0]
    weight, bias = np.ones((6, 2, 1, 1), np.int8), np.zeros(6, np.int32)
    wide = replace(layer, weight=weight, bias=bias, requantizer=scaler(*[7] * 6))
    tensors = {"t0": Tensor("t0", 2, 4, 4, 1.0, 0), "t1": Tensor("t1", 6, 4, 4, 1.0, 0)}
    assert channel_bytes(Network("wide", "t0", ("t1",), tensors, (wide,), CONFIG.guard_bits)) == 4 + 3 / 8

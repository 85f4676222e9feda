# amaranth: UnusedElaboratable=no
"""Every requantizer lane that is compared equals golden: corner operands, random ones, other constants every cycle."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.power_of_two import PowerOfTwo
from golden.requantize import ShiftScaler, residual_term
from rtl.interfaces import LayerConstants
from rtl.schemes.catalogue import SCHEMES
from rtl.schemes.multiplier import MultiplierLane
from rtl.schemes.shift_scaler import ShiftScalerLane

INT32 = (-(2**31), 2**31 - 1)
CORNERS = (*INT32, -1, 0, 1, 127, -128, 2**15, -(2**15), 2**17, -(2**17) - 1, 12345678, -12345679)
ITEMS = 1200


def requantizer(name: str, item: dict):
    """Golden's requantizer of one channel."""
    shift = np.array([item["shift"]], np.uint8)
    if name in ("shift-4", "shift-4-adders", "shift-3", "shift-2", "half-step"):
        half = np.array([item["half_step"]], np.uint8) if name == "half-step" else None
        return ShiftScaler(shift, item["constants"]["exponent"], item["constants"]["multiplier"], 7, half)
    if name == "power-of-two":
        return PowerOfTwo(shift)
    multiplier = np.array([item["multiplier"]], np.uint32)
    if name == "double-rounding":
        return DoubleRounding(multiplier, shift)
    bits = int(name.removeprefix("multiplier-"))
    return ChannelMultiplier(multiplier, shift + {16: 16, 32: 31}[bits], bits)


def expected(name: str, item: dict) -> int:
    """y by golden."""
    constants = item["constants"]
    r = None
    if constants["residual"]:
        u = np.array([[item["residual"]]], np.int8)
        r = residual_term(u, constants["residual_zero_point"], constants["residual_multiplier"], 7)
    stages = requantizer(name, item).stages(
        np.array([[item["acc"]]]), residual=r, zero_point=constants["output_zero_point"], lo=constants["low"],
        hi=constants["high"],
    )
    return int(stages.output[0, 0])


def drawn(rng: random.Random, lane) -> dict:
    """Any legal operands; accumulators that give codes in range preferred, limits and ties among them."""
    low, high = sorted((rng.randint(-128, 127), rng.randint(-128, 127)))
    constants = {
        "exponent": rng.randint(0, 16), "multiplier": rng.choice((0, 2**15, 2**16 - 1, rng.randint(2**15, 2**16 - 1))),
        "output_zero_point": rng.randint(-128, 127), "low": low if rng.random() < 0.3 else -128,
        "high": high if rng.random() < 0.3 else 127, "residual": rng.randint(0, 1),
        "residual_multiplier": rng.choice((0, 2**15, rng.randint(0, 2**15))),
        "residual_zero_point": rng.randint(-128, 127),
    }
    item = {name: rng.choice((0, (1 << bits) - 1, rng.getrandbits(bits))) for name, bits in lane.channel.items()}
    if isinstance(lane, MultiplierLane) and lane.channel["multiplier"] == 31:
        item["shift"] = min(item["shift"], 23 if "Double" not in type(lane).__name__ else 31)
    scale = 1.0
    if "multiplier" in item:
        least = {16: 16, 31: 31}[lane.channel["multiplier"]]
        scale = item["multiplier"] / 2.0 ** (item["shift"] + least)
    elif isinstance(lane, ShiftScalerLane):
        scale = constants["multiplier"] / 2.0 ** (16 + item["shift"] + constants["exponent"])
    else:
        scale = 2.0 ** -item["shift"]
    near = int(rng.choice((rng.randint(-700, 700), rng.randint(-140, 140) + 0.5)) / scale) if scale else 0
    near = max(INT32[0], min(INT32[1], near + rng.randint(-2, 2)))
    acc = rng.choice((near, near, rng.choice(CORNERS), rng.randint(*INT32) >> rng.randint(0, 31)))
    return item | {"acc": acc, "residual": rng.choice((-128, 127, rng.randint(-128, 127))), "constants": constants}


def run_lane(lane, items: list[dict]) -> list[int]:
    """y of every item, one item per cycle."""
    results = []

    async def bench(ctx):
        for cycle in range(len(items) + lane.latency):
            if cycle < len(items):
                item = items[cycle]
                for name in ("acc", "residual", *lane.channel):
                    ctx.set(getattr(lane, name), item[name])
                ctx.set(lane.constants, {name: item["constants"][name] for name in LayerConstants.as_shape().members})
            await ctx.tick()
            if cycle >= lane.latency - 1 and len(results) < len(items):
                results.append(ctx.get(lane.output))

    simulator = Simulator(lane)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_lane_equals_golden(name):
    lane, rng = SCHEMES[name](), random.Random(sorted(SCHEMES).index(name))
    items = [drawn(rng, lane) for _ in range(ITEMS)]
    got = run_lane(lane, items)
    assert len(got) == len(items) and len(set(got)) > 100
    for number, (item, y) in enumerate(zip(items, got, strict=True)):
        assert y == expected(name, item), f"input {number} of {name}: {item}"


def test_hand_computed():
    """Eq. 9 with 1000 * 2^15 / 2^20 = 31.25 and Eq. 10 to 12 with ties: halves up, halves away from zero."""
    constants = dict.fromkeys(LayerConstants.as_shape().members, 0) | {"low": -128, "high": 127, "output_zero_point": 3}
    item = {"acc": 1000, "residual": 0, "multiplier": 2**15, "shift": 4, "constants": constants}
    assert run_lane(SCHEMES["multiplier-16"](), [item]) == [34]
    ties = [item | {"acc": acc, "multiplier": 2**30, "shift": 1} for acc in (10, -10, 6, -6)]  # 2.5, -2.5, 1.5, -1.5
    assert run_lane(SCHEMES["double-rounding"](), ties) == [6, 0, 5, 1]
    ties = [one | {"shift": 1} for one in ties]  # 31 + 1: the same numbers, rounded once, half up
    assert run_lane(SCHEMES["multiplier-32"](), ties) == [6, 1, 5, 2]


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="bits = 24"):
        MultiplierLane(24)
    with pytest.raises(ValueError, match="bits = 5"):
        ShiftScalerLane(5)

# amaranth: UnusedElaboratable=no
"""The requantizer lane against exact Python integers written here and against golden, all stages."""

import random
from itertools import product

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden.requantize import ShiftScaler, residual_term
from rtl.interfaces import LayerConstants
from rtl.requantizer import RequantizerLane

INT32 = (-(2**31), 2**31 - 1)


def reference(item: dict, guard_bits: int) -> tuple[int, int, int]:
    """(t, p, y) of one input by golden."""
    scaler = ShiftScaler(
        shift=np.array([item["shift"]], np.uint8), exponent=item["exponent"], multiplier=item["multiplier"],
        guard_bits=guard_bits,
    )
    r = None
    if item["residual"]:
        u = np.array([[item["u"]]], np.int8)
        r = residual_term(u, item["residual_zero_point"], item["residual_multiplier"], guard_bits)
    stages = scaler.stages(
        np.array([[item["acc"]]]), residual=r, zero_point=item["output_zero_point"], lo=item["low"], hi=item["high"]
    )
    return int(stages.shifted[0, 0]), int(stages.product[0, 0]), int(stages.output[0, 0])


def corners() -> list[dict]:
    accs = (*INT32, -1, 0, 1, 2**17, -(2**17) - 1, 12345678, -12345679)
    scalings = ((0, 0, 65535), (15, 16, 32768), (3, 7, 40000), (15, 0, 0), (1, 16, 65535), (7, 3, 32769))
    bounds = ((0, -128, 127), (127, -128, 127), (-128, -128, 127), (-5, -5, 90), (3, 17, 17))
    residuals = ((0, 0, 0, 0), (1, 127, -128, 32768), (1, -128, 127, 32768), (1, 5, 5, 20000))
    return [
        {
            "acc": acc, "shift": shift, "exponent": exponent, "multiplier": multiplier, "output_zero_point": zero,
            "low": low, "high": high, "residual": residual, "u": u, "residual_zero_point": u_zero,
            "residual_multiplier": u_multiplier,
        }
        for acc, (shift, exponent, multiplier), (zero, low, high), (residual, u, u_zero, u_multiplier) in product(
            accs, scalings, bounds, residuals
        )
    ]


def drawn(rng: random.Random) -> dict:
    low, high = sorted((rng.randint(-128, 127), rng.randint(-128, 127)))
    return {
        "acc": rng.randint(*INT32) >> rng.randint(0, 31),
        "shift": rng.randint(0, 15),
        "exponent": rng.randint(0, 16),
        "multiplier": rng.choice((0, rng.randint(2**15, 2**16 - 1))),
        "output_zero_point": rng.randint(-128, 127),
        "low": low if rng.random() < 0.5 else -128,
        "high": high if rng.random() < 0.5 else 127,
        "residual": rng.randint(0, 1),
        "u": rng.randint(-128, 127),
        "residual_zero_point": rng.randint(-128, 127),
        "residual_multiplier": rng.randint(0, 2**15),
    }


def run_lane(lane: RequantizerLane, items: list[dict]) -> list[tuple[int, int, int]]:
    """(t, p, y) of every item, one item per cycle, other constants every cycle."""
    results = []

    async def bench(ctx):
        for cycle in range(len(items) + lane.latency):
            if cycle < len(items):
                item = items[cycle]
                ctx.set(lane.acc, item["acc"])
                ctx.set(lane.shift, item["shift"])
                if hasattr(lane, "residual"):
                    ctx.set(lane.residual, item["u"])
                ctx.set(lane.constants, {name: item[name] for name in LayerConstants.as_shape().members})
            await ctx.tick()
            if cycle >= lane.latency - 1 and len(results) < len(items):
                results.append((ctx.get(lane.shifted), ctx.get(lane.product), ctx.get(lane.output)))

    simulator = Simulator(lane)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("guard_bits", [5, 7])
@pytest.mark.parametrize("residual", [False, True])
def test_every_stage_equals_golden(guard_bits, residual):
    seed = 20 * guard_bits + residual
    rng = random.Random(seed)
    items = rng.sample(corners(), 300) + [drawn(rng) for _ in range(500)]
    if not residual:
        items = [item | {"residual": 0} for item in items]
    got = run_lane(RequantizerLane(guard_bits=guard_bits, residual=residual), items)
    assert len(got) == len(items)
    for number, (item, stages) in enumerate(zip(items, got, strict=True)):
        assert stages == reference(item, guard_bits), (
            f"(shifted, product, output) of input {number} {item}, seed {seed}; "
            f"repeat: pytest 'rtl/test_requantizer.py::test_every_stage_equals_golden[{residual}-{guard_bits}]'"
        )


def test_hand_computed():
    """Eq. 3..6 by hand: acc 1000, s = 4 -> t = 8000 at G = 7; M = 2^15 -> q = floor(31.25 + .5) = 31, + z_y 3."""
    item = dict.fromkeys(corners()[0], 0) | {
        "acc": 1000, "shift": 1, "exponent": 3, "multiplier": 2**15, "output_zero_point": 3, "low": -128, "high": 127,
    }
    assert run_lane(RequantizerLane(), [item]) == [(8000, 8000 * 2**15, 34)]
    item |= {"residual": 1, "u": -7, "residual_zero_point": 3, "residual_multiplier": 2**14}  # r = -10 / 2
    assert run_lane(RequantizerLane(), [item])[0][2] == 29


def test_other_guard_bits_are_refused():
    with pytest.raises(ValueError, match="guard_bits = 6"):
        RequantizerLane(guard_bits=6)

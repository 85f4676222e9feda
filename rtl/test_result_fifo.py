# amaranth: UnusedElaboratable=no
"""The credit FIFO behind a pipeline that cannot stall: nothing lost, nothing twice, never too many, full rate."""

import random

import pytest
from amaranth.sim import Simulator

from rtl.result_fifo import CreditFifo

LATENCY = 5


def run(*, depth: int, ready_chance: float, count: int, seed: int) -> tuple[list[int], int]:
    """(what came out, cycles) of `count` results taken as fast as credits allow, pushed LATENCY cycles later."""
    rng = random.Random(seed)
    dut = CreditFifo(width=16, depth=depth)
    out: list[int] = []
    used = [0]

    async def bench(ctx):
        pipeline, taken, cycles = [None] * LATENCY, 0, 0
        while len(out) < count or cycles < used[0] + 20:
            take = bool(ctx.get(dut.credit_available)) and taken < count
            ctx.set(dut.take, take)
            pipeline.append(taken if take else None)
            taken += take
            arriving = pipeline.pop(0)
            ctx.set(dut.push, arriving is not None)
            ctx.set(dut.push_data, rng.getrandbits(16) if arriving is None else arriving * 7 % 65536)
            ctx.set(dut.o.ready, rng.random() < ready_chance)
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if valid and ready:
                out.append(payload)
                used[0] = cycles
            cycles += 1
            assert cycles < 100 * count, "results are missing"

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return out, used[0]


@pytest.mark.parametrize("depth", [3, 4, 5, 16])
@pytest.mark.parametrize("ready_chance", [0.2, 0.7, 1.0])
def test_everything_once_in_order(depth, ready_chance):
    seed = depth
    out, _ = run(depth=depth, ready_chance=ready_chance, count=60, seed=seed)
    assert out == [i * 7 % 65536 for i in range(60)], f"seed {seed}"


def test_full_rate_with_the_documented_depth():
    out, cycles = run(depth=LATENCY + 3, ready_chance=1.0, count=200, seed=0)
    assert len(out) == 200 and cycles <= 200 + LATENCY + 3


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="depth = 2"):
        CreditFifo(width=1, depth=2)
    with pytest.raises(ValueError, match="width = 0"):
        CreditFifo(width=0, depth=3)

# amaranth: UnusedElaboratable=no
"""Packed multipliers: every triple of operands, in compiled Verilog; the array with them equals the plain one."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator

from compiler.config import EngineConfig
from rtl.array import MacArray
from rtl.compiled_check import compiled_check
from rtl.packed import OFFSET, PLACE, PackedProducts

CHECK = """
#include <cstdio>
#include <cstdlib>
#include "Vpacked.h"
static int extended(unsigned value, int bits) { return int(value << (32 - bits)) >> (32 - bits); }
int main(int count, char **arguments) {
    int most = std::atoi(arguments[1]);  // values of x0
    Vpacked top;
    long wrong = 0, seen = 0;
    for (int x0 = -128; x0 < most - 128; x0++) for (int x1 = -128; x1 < 128; x1++) for (int w = -128; w < 128; w++) {
        top.x0 = x0 & 255; top.x1 = x1 & 255; top.w = w & 255;
        for (int cycle = 0; cycle < 2; cycle++) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
        int carry = extended(top.carry, 6), above = extended(top.above, 16), below = top.below;
        wrong += carry * 1024 + below - 128 * w != x0 * w || above - carry != x1 * w;
        seen++;
    }
    std::printf("%ld wrong of %ld\\n", wrong, seen);
}
"""
PLAIN = EngineConfig(
    name="array", pixels=2, lanes=2, taps=4, requant_lanes=4, scratchpad_words=1024, weight_rows=64, parameter_rows=32
)


def checked(text: str, folder: Path, values: int) -> str:
    """What CHECK prints about this Verilog of the module `packed`, with that many values of x0."""
    return compiled_check(text, "packed", CHECK, values, folder)


def test_every_triple_of_operands(tmp_path: Path) -> None:
    text = verilog.convert(PackedProducts(), name="packed", emit_src=False)
    assert checked(text, tmp_path, 256) == f"0 wrong of {2**24}\n"
    bug = text.replace("{ x1, 2'h0, ", "{ x1, 2'h1, ")
    assert bug != text
    assert not checked(bug, tmp_path, 1).startswith("0 wrong")


def test_the_packed_operand_fits_18_bits() -> None:
    packed = [x0 + OFFSET + (x1 << PLACE) for x0 in (-128, 127) for x1 in (-128, 127)]
    assert min(packed) == -(2**17) and max(packed) < 2**17


def run_array(array: MacArray, operands: list[tuple[list[list[list[int]]], list[list[int]]]]) -> list[list[list[int]]]:
    """acc[pixel][lane] of each (x, w), all begun afresh with bias 0."""
    results = []

    async def bench(ctx):
        ctx.set(array.accumulate, 1)
        ctx.set(array.first, 1)
        for cycle in range(len(operands) + array.latency):
            if cycle < len(operands):
                x, w = operands[cycle]
                ctx.set(array.x, [[[v & 255 for v in taps] for taps in lanes] for lanes in x])
                ctx.set(array.w, [[v & 255 for v in taps] for taps in w])
            await ctx.tick()
            if cycle >= array.latency - 1 and len(results) < len(operands):
                results.append([[ctx.get(array.acc[p][n]) for n in range(len(w))] for p in range(len(x))])

    simulator = Simulator(array)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize(("pixels", "multiplier"), [(2, "plain"), (2, "packed18"), (4, "packed18")])
def test_dot_products_of_the_array(pixels: int, multiplier: str) -> None:
    rng = random.Random(pixels)
    config = replace(PLAIN, pixels=pixels, requant_lanes=2 * pixels, multiplier=multiplier)

    def drawn() -> int:
        return rng.choice((-128, 127, rng.randint(-128, 127)))

    operands = [
        (
            [[[drawn() for _ in range(4)] for _ in range(2)] for _ in range(pixels)],
            [[drawn() for _ in range(4)] for _ in range(2)],
        )
        for _ in range(200)
    ]
    exact = [
        [[sum(a * b for a, b in zip(x[p][n], w[n], strict=True)) for n in range(2)] for p in range(pixels)]
        for x, w in operands
    ]
    assert run_array(MacArray(config), operands) == exact


def test_packing_takes_two_pixels() -> None:
    with pytest.raises(ValueError, match="multiplier = 'packed18' must be one of"):
        replace(PLAIN, pixels=1, requant_lanes=2, multiplier="packed18")

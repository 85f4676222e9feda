"""The requantizer lane against exact Python integers, one operand set per cycle."""

import itertools
import time
from collections import deque

import cocotb
import numpy as np
from amaranth.lib import data
from cocotb.triggers import Timer

from rtl.interfaces import LayerConstants
from rtl.requantizer import RequantizerLane
from sim.block_cases import write_block_result
from sim.runner import ordered

RANDOM_CYCLES = 4000
ACCUMULATORS = (0, 1, -1, 127, -128, 2**15, -(2**15), 2**31 - 1, -(2**31))
FIELDS = ("multiplier", "exponent", "output_zero_point", "low", "high", "residual", "residual_multiplier",
          "residual_zero_point")


def exact(acc: int, shift: int, u: int, constants: dict[str, int], guard: int) -> tuple[int, int, int]:
    """(t, p, y) of Eq. 2..7 by Python integers."""
    limit = 1 << (guard + 10)
    t = max(-limit, min(limit - 1, (acc << guard) >> (shift + constants["exponent"])))
    p = t * constants["multiplier"]
    r = (u - constants["residual_zero_point"]) * constants["residual_multiplier"] << (guard + 1)
    q = (p + (r if constants["residual"] else 0) + (1 << (15 + guard))) >> (16 + guard)
    y = max(constants["low"], min(constants["high"], q + constants["output_zero_point"]))
    return t, p, y


def corner_operands():
    """acc, shift, u and constants over their corners."""
    fixed = {"output_zero_point": 3, "low": -128, "high": 127, "residual_zero_point": -7}
    for acc, shift, exponent, multiplier in itertools.product(
        ACCUMULATORS, (0, 1, 8, 15), (0, 7, 16), (0, 2**15, 2**16 - 1)
    ):
        yield acc, shift, 127, fixed | {"exponent": exponent, "multiplier": multiplier, "residual": acc & 1,
                                        "residual_multiplier": 2**15}
    for acc in range(-300, 300):  # ties and both signs
        yield acc, 7, 0, fixed | {"exponent": 0, "multiplier": 2**15, "residual": 0, "residual_multiplier": 0}


def random_operands(rng: np.random.Generator):
    """Any legal operands."""
    for _ in range(RANDOM_CYCLES):
        low, high = sorted(int(value) for value in rng.integers(-128, 128, 2))
        acc = int(rng.integers(-(2**31), 2**31)) >> int(rng.integers(0, 31))
        constants = {
            "exponent": int(rng.integers(0, 17)), "multiplier": int(rng.choice([0, *rng.integers(2**15, 2**16, 9)])),
            "output_zero_point": int(rng.integers(-128, 128)), "low": low, "high": high,
            "residual": int(rng.integers(2)), "residual_multiplier": int(rng.integers(0, 2**15 + 1)),
            "residual_zero_point": int(rng.integers(-128, 128)),
        }
        yield acc, int(rng.integers(0, 16)), int(rng.integers(-128, 128)), constants


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@cocotb.test()
async def lane(dut):
    """New operands every cycle; every result compared `latency` cycles later, the pipeline drained at the end."""
    start, (orders, _) = time.monotonic(), ordered()
    guard = len(dut.shifted) - 11
    latency = RequantizerLane(guard_bits=guard).latency
    layout = LayerConstants.as_shape() if hasattr(LayerConstants, "as_shape") else LayerConstants
    due: deque = deque()
    compared = 0
    operands = itertools.chain(corner_operands(), random_operands(np.random.default_rng(orders.seed)))
    for given in itertools.chain(operands, [None] * (latency - 1)):
        if given is not None:
            acc, shift, u, constants = given
            dut.acc.value, dut.shift.value, dut.residual.value = acc & 0xFFFFFFFF, shift, u & 0xFF
            dut.constants.value = data.Layout.cast(layout).const(constants).as_value().value & (
                (1 << len(dut.constants)) - 1
            )
        due.append(given)
        dut.clk.value = 0
        await Timer(1, "ns")
        dut.clk.value = 1
        await Timer(1, "ns")
        if len(due) < latency:
            continue
        acc, shift, u, constants = due.popleft()
        want = exact(acc, shift, u, constants, guard)
        got = (
            _signed(int(dut.shifted.value), guard + 11), _signed(int(dut.product.value), guard + 27),
            _signed(int(dut.output.value), 8),
        )
        for stage, expected, actual in zip(("shifted", "product", "output"), want, got, strict=True):
            message = f"stage {stage}: expected {expected}, got {actual}: acc {acc} shift {shift} u {u} {constants}"
            if expected != actual:
                write_block_result(compared, time.monotonic() - start, message)
            assert expected == actual, message
            compared += 1
    assert all(one is None for one in due), "operands without a compared result"
    write_block_result(compared, time.monotonic() - start)

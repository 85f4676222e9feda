"""Ports that the compute unit has in every engine."""

from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from rtl.array import ACC_BITS
from rtl.scratchpad import results_layout
from rtl.weights import SHIFT_BITS


def back_members(config: EngineConfig) -> dict:
    """What it writes, the memories of weights and parameters, and what it tells of its command and of this cycle."""
    return {
        "result": Out(results_layout(config)),
        "result_valid": Out(1),
        "weight_row": Out(range(config.weight_rows)),
        "weights": In(config.weight_row_bytes * 8),
        "parameter_row": Out(range(config.parameter_rows)),
        "bias": In(data.ArrayLayout(ACC_BITS, config.lanes)),
        "shift": In(data.ArrayLayout(SHIFT_BITS, config.lanes)),
        "finished": Out(1),
        "cause": Out(4),
        "cause_layer": Out(16),
        "illegal": Out(1),
        "overflow": Out(1),
    }


def trace_members(config: EngineConfig) -> dict:
    """The stages of a result for a simulation to compare: accumulator, shifted, product, and their layer."""
    guard = config.guard_bits
    stages = {"acc": ACC_BITS, "shifted": guard + 11, "product": guard + 27}
    shapes = {name: data.ArrayLayout(bits * config.lanes, config.pixels) for name, bits in stages.items()}
    return {"trace_layer": Out(16)} | {f"trace_{name}": Out(shape) for name, shape in shapes.items()}

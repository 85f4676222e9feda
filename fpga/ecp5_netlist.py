"""What becomes of the netlist that yosys makes for ECP5, before it is placed; what it computes stays the same."""

from fpga import adder_gates, flat_module, memory_registers, multiplier_registers

#: Files that decide it.
SOURCES = (
    __file__, *(one.__file__ for one in (adder_gates, flat_module, memory_registers, multiplier_registers)),
)
_STEPS = (
    multiplier_registers.move_before, multiplier_registers.move_behind, memory_registers.move_behind,
    adder_gates.move_inside,
)


def improved(netlist: dict, top: str) -> dict:
    """The JSON netlist with registers moved into multipliers and block RAMs, and gates into adders."""
    module = netlist["modules"][top]
    for step in _STEPS:
        module = module | {"cells": step(flat_module.FlatModule(module))}
    return netlist | {"modules": netlist["modules"] | {top: module}}

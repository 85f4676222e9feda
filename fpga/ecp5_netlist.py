"""Registers beside an ECP5's multipliers and block RAMs move into them, where their wires are short and known."""

from fpga import flat_module, memory_registers, multiplier_registers

#: Files that decide what a netlist becomes here.
SOURCES = (__file__, flat_module.__file__, memory_registers.__file__, multiplier_registers.__file__)
_STEPS = (multiplier_registers.move_before, multiplier_registers.move_behind, memory_registers.move_behind)


def with_registers_inside(netlist: dict, top: str) -> dict:
    """The JSON netlist that yosys writes for ECP5 with registers moved into the cells of module `top`."""
    module = netlist["modules"][top]
    for move in _STEPS:
        module = module | {"cells": move(flat_module.FlatModule(module))}
    return netlist | {"modules": netlist["modules"] | {top: module}}

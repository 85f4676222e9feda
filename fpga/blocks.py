"""What can be synthesized: an engine of a preset, or one of its blocks with registers around it."""

import re
from collections.abc import Callable

from amaranth.back import verilog
from amaranth.hdl import Signal, Value
from amaranth.lib.wiring import Component

from compiler.config import EngineConfig
from fpga.harness import Harness
from golden.errors import WesnpuError
from rtl.access import Access
from rtl.array import MacArray
from rtl.axi4 import Axi4Adaptor
from rtl.compute import Compute
from rtl.fetch import Fetch
from rtl.generate import MODULE, portable, verilog_text
from rtl.in_order import InOrderAccess
from rtl.in_order_walk import InOrderWalk
from rtl.load import Load
from rtl.mover import Mover
from rtl.operands import Operands
from rtl.planned_walk import PlannedWalk
from rtl.read_arbiter import ReadArbiter
from rtl.registers import Registers
from rtl.requantizer import RequantizerLane
from rtl.results import Results
from rtl.rows import RowPlanner
from rtl.scratchpad import Scratchpad
from rtl.sequencer import Sequencer
from rtl.store import Store
from rtl.top import Top
from rtl.weights import ParameterMemory, WeightMemory, Weights

BLOCKS: dict[str, Callable[[EngineConfig], Component]] = {
    "requantizer": lambda config: RequantizerLane(guard_bits=config.guard_bits),
    "requantizer-plain": lambda config: RequantizerLane(guard_bits=config.guard_bits, residual=False),
    "array": MacArray,
    "operands": Operands,
    "sequencer": Sequencer,
    "planner": RowPlanner,
    "results": lambda config: Results(config, trace=False),
    "compute": lambda config: Compute(config, trace=False),
    "scratchpad": Scratchpad,
    "weight-memory": WeightMemory,
    "parameter-memory": ParameterMemory,
    "weights": Weights,
    "load": lambda config: Load(scratchpad_words=config.scratchpad_words),
    "store": lambda config: Store(scratchpad_words=config.scratchpad_words),
    "fetch": lambda config: Fetch(),
    "arbiter": lambda config: ReadArbiter(),
    "axi4": lambda config: Axi4Adaptor(bus_bytes=config.bus_bytes),
    "registers": Registers,
    "access": lambda config: InOrderAccess(config) if config.in_order else Access(config),
    "walk": lambda config: InOrderWalk(config) if config.in_order else PlannedWalk(config),
    "mover": Mover,
}
ENGINE = "engine"
TOP = MODULE
_BRACKETS = re.compile(r"\\[^\s\[]+(\[\d+\])+\S* ")


def block(name: str, config: EngineConfig) -> Component:
    """The block as it is in the engine of `config`; WesnpuError lists the names."""
    if name not in BLOCKS:
        raise WesnpuError(f"BLOCK is {name!r}: must be one of {', '.join((ENGINE, *BLOCKS))}")
    return BLOCKS[name](config)


def without_brackets(text: str) -> str:
    r"""`text` with `\bias[0] ` named `\bias.0 `: yosys takes the former for a bit of `bias` when it maps to LUTs."""
    return _BRACKETS.sub(lambda name: re.sub(r"\[(\d+)\]", r".\1", name[0]), text)


def component_verilog(component: Component, top: str = TOP) -> str:
    """Verilog of any component, top module `top`; members that are constants (ready streams) are no ports."""
    members = [Value.cast(value) for _, _, value in component.signature.flatten(component)]
    ports = [value for value in members if isinstance(value, Signal)]
    text = verilog.convert(component, name=top, ports=ports, emit_src=False, strip_internal_attrs=True)
    return without_brackets(portable(text))


def block_verilog(name: str, config: EngineConfig) -> tuple[str, str]:
    """Verilog, top module `wesnpu`, of the block alone (its area) and in its harness (its clock frequency)."""
    if name == ENGINE:
        return verilog_text(config), component_verilog(Harness(Top(config)))
    return component_verilog(block(name, config)), component_verilog(Harness(block(name, config)))

"""Tests of single blocks of the generated design: the requantizer, the register file and the AXI4 master, judged by
exact integers and by cocotbext-axi."""

import json
from dataclasses import replace
from pathlib import Path

from compiler.config import EngineConfig
from sim.build import CACHE, Build, build_sources, engine_verilog, locked, rtl_digest
from sim.cases import Orders, repeat_command
from sim.runner import Result, run_case

BLOCK_CASES = {
    "requantizer": "the shift-scaler lane: all corner values, then random ones, against exact integers",
    "registers": "AXI4-Lite: W before AW, partial strobes, unmapped, read-only, locked, random stalls",
    "axi4": "the engine's AXI4 master against cocotbext-axi's memory, random stalls",
}


def requantizer_verilog(guard_bits: int) -> Path:
    """The requantizer lane alone, as module `requantizer`."""
    from amaranth.back import verilog

    from rtl.requantizer import RequantizerLane

    target = CACHE / f"requantizer-{rtl_digest()}-{guard_bits}.v"
    with locked(target):
        if not target.exists():
            text = verilog.convert(RequantizerLane(guard_bits=guard_bits), name="requantizer", emit_src=False)
            temporary = target.with_suffix(".new")
            temporary.write_text(text)
            temporary.rename(target)
    return target


def _build(case: str, config: EngineConfig, waves: bool) -> Build:
    if case == "requantizer":
        return build_sources([requantizer_verilog(config.guard_bits)], "requantizer", waves=waves)
    return build_sources([engine_verilog(config)], "wesnpu", waves=waves)


def run_block(
    case: str, config: EngineConfig, *, seed: int = 0, waves: bool = False, initial: int = 0
) -> Result:
    """Run a block test; its cocotb module is sim/blocks/<case>.py. A failure ends with the command that repeats it."""
    result = run_case(
        Orders(case, seed=seed, initial=initial), config, build=_build(case, config, waves), waves=waves,
        module=f"sim.blocks.{case}",
    )
    if not result.failure:
        return result
    repeat = repeat_command(case, config, seed, initial)
    return replace(result, failure=f"{result.failure}; repeat with: {repeat}")


def write_block_result(values: int, seconds: float, failure: str = "") -> None:
    """What a block's cocotb module leaves for its runner; `values` is how many were compared."""
    result = {"programs": 0, "tensors": 0, "values": values, "memory_bytes": 0, "cycles": 0, "notes": []}
    rates = {"seconds": seconds, "cycles_per_second": 0.0, "cycles_per_cpu_second": 0.0}
    Path("result.json").write_text(json.dumps(result | rates | {"failure": failure}))



"""The cycle model: what a compiled network costs on its engine with a given memory, from its commands alone.

Five parties run beside each other (docs/engine.md): fetch, LOAD and WEIGHTS share the read channel, COMPUTE works off
rows, STORE writes. Their rules and delays are those of rtl/. Left out of the bank conflicts in the scratchpad: those
of the residual operand and of the first layer's packed input.
"""

from dataclasses import dataclass

from compiler.cycle_compute import Compute, LayerCount, Store
from compiler.cycle_queue import UNITS, Clock, Finished, Queue
from compiler.cycle_reads import Memory, Reads
from compiler.cycle_units import Fetch, Load, Weights
from compiler.encode import Command, decode
from compiler.encoding import Unit
from compiler.program import CompiledNetwork
from golden.errors import WesnpuError
from golden.network import ConvLayer

ENDING = 4  # cycles from END being met to the interrupt


@dataclass(frozen=True)
class LayerEstimate:
    """Cycles of one layer, by cause: those of rtl.interfaces.Cause, without "bus"; its multiply-accumulates."""

    name: str
    macs: int
    causes: dict[str, int]

    @property
    def cycles(self) -> int:
        """All cycles that the counters give to this layer."""
        return sum(self.causes.values())


@dataclass(frozen=True)
class Estimate:
    """A whole inference: cycles from start to interrupt, layers in order, bytes read and written."""

    cycles: int
    layers: tuple[LayerEstimate, ...]
    read_bytes: int
    written_bytes: int


def estimate(compiled: CompiledNetwork, memory: Memory) -> Estimate:
    """Predict the cycles of one inference; WesnpuError for an engine without queues, whose order is not modelled."""
    if compiled.config.in_order:
        raise WesnpuError(
            f"EngineConfig.queue_units = 0 of {compiled.config.name}: the cycle model describes engines with queues; "
            "`wesnpu cosim` counts the cycles of one without"
        )
    program = decode(compiled.program)
    config, clock = compiled.config, Clock()
    finished = Finished(clock)
    queues = {
        unit: Queue(clock, unit, [one for one in program if one.unit == unit], config.queue_units) for unit in UNITS
    }
    reads = Reads(clock, memory, config.bus_bytes)
    Fetch(clock, reads, queues, program, compiled.program_offset)
    compute = Compute(clock, config, queues[Unit.COMPUTE], finished)
    Load(clock, reads, queues[Unit.LOAD], finished, compute.accesses)
    Weights(clock, reads, queues[Unit.WEIGHTS], finished)
    store = Store(clock, config, queues[Unit.STORE], finished, memory, compute.accesses)
    clock.run()
    _all_finished(finished, program)
    end = clock.now + ENDING
    compute.finish(end)
    layers = tuple(
        LayerEstimate(layer.name, _macs(compiled, layer), compute.layers.get(i, LayerCount()).causes)
        for i, layer in enumerate(compiled.network.layers)
    )
    return Estimate(end, layers, 16 * reads.units, 16 * store.units)


def _all_finished(finished: Finished, program: list[Command]) -> None:
    """RuntimeError when a command never started: a program that waits for itself."""
    for unit in UNITS:
        count = sum(one.unit == unit for one in program)
        if finished.counts[unit] != count:
            raise RuntimeError(f"cycle model: {finished.counts[unit]} of {count} {unit.name} commands finished")


def _macs(compiled: CompiledNetwork, layer: ConvLayer) -> int:
    target = compiled.network.tensors[layer.output]
    return layer.weight.size * target.height * target.width

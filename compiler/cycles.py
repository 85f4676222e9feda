"""The cycle model: what a compiled network costs on its engine with a given memory, from its commands alone.

Five parties run beside each other (docs/engine.md): fetch, LOAD and WEIGHTS share the read channel, COMPUTE works off
rows, STORE writes. Their rules and delays are those of rtl/. Left out of the bank conflicts in the scratchpad: those
of the residual operand (a depthwise 3x3 of stride 2 that has one takes up to 1.8 times the cycles told where it reads
four columns in a cycle: LayerEstimate.at_least) and of the first layer's packed input (6 % of a small one). An engine
without queues does one thing after the other (compiler/cycle_in_order.py).
"""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.cycle_compute import Compute, LayerCount, Store
from compiler.cycle_in_order import InOrderCompute, Sequence
from compiler.cycle_mover import BeatReads, Mover
from compiler.cycle_queue import UNITS, Clock, Finished, Queue
from compiler.cycle_reads import Memory, Reads
from compiler.cycle_units import Fetch, Load, Weights
from compiler.encode import Command, decode
from compiler.encoding import Unit
from compiler.footprint import feed_words
from compiler.program import CompiledNetwork
from compiler.traffic import Traffic
from golden.network import ConvLayer

WAITS_SEEN = 2  # cycles from the end of a command to the commands that wait for it (rtl/access.py)
ENDING = 4  # cycles from END being met to the interrupt
IN_ORDER_ENDING = 2  # the same, of an engine without queues
RESIDUAL_WAITS = 1.8  # most that was seen: cycles of a layer in simulation for each one told, where `at_least`


@dataclass(frozen=True)
class LayerEstimate:
    """Cycles of one layer, by cause: those of rtl.interfaces.Cause, without "bus"; its macs and traffic.

    at_least: the engine may take up to RESIDUAL_WAITS times these cycles, which the model does not know.
    """

    name: str
    macs: int
    causes: dict[str, int]
    traffic: Traffic
    at_least: bool = False

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

    @property
    def at_least(self) -> bool:
        """Whether the engine may take more cycles because one of its layers may."""
        return any(layer.at_least for layer in self.layers)


def estimate(compiled: CompiledNetwork, memory: Memory) -> Estimate:
    """Predict the cycles of one inference."""
    program = decode(compiled.program)
    found = _in_order(compiled, program, memory) if compiled.config.in_order else _overlapped(compiled, program, memory)
    waiting = _waiting_residuals(program, compiled.config)
    layers = tuple(
        LayerEstimate(
            layer.name, _macs(compiled, layer), found.layers.get(i, LayerCount()).causes, compiled.traffic[i],
            at_least=i in waiting,
        )
        for i, layer in enumerate(compiled.network.layers)
    )
    return Estimate(found.end, layers, 16 * found.read, 16 * found.written)


def _waiting_residuals(program: list[Command], config: EngineConfig) -> set[int]:
    """Layers whose residual operand waits for banks that double feeds keep busy: how long, the model does not know."""
    return {
        one.fields["layer"] for one in program
        if one.unit == Unit.COMPUTE and one.fields["residual"] and feed_words(one.fields, config) > config.pixels
    }


@dataclass(frozen=True)
class _Played:
    """A program from start to interrupt: cycles, counts by layer, 16-byte units read and written."""

    end: int
    layers: dict[int, LayerCount]
    read: int
    written: int


def _overlapped(compiled: CompiledNetwork, program: list[Command], memory: Memory) -> _Played:
    """On an engine with queues."""
    config, clock = compiled.config, Clock()
    finished = Finished(clock, seen=WAITS_SEEN)
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
    return _Played(end, compute.layers, reads.units, store.units)


def _in_order(compiled: CompiledNetwork, program: list[Command], memory: Memory) -> _Played:
    """On an engine without queues."""
    config, clock = compiled.config, Clock()
    finished, reads = Finished(clock), BeatReads(clock, memory, config.bus_bytes)
    compute = InOrderCompute(clock, config, finished)
    mover = Mover(clock, config, memory, reads, finished, compute)

    def free(unit: Unit) -> bool:
        return compute.free and mover.free if unit == Unit.END else compute.free if unit == Unit.COMPUTE else mover.free

    def start(command: Command) -> None:
        compute.start(command) if command.unit == Unit.COMPUTE else mover.start(command)

    sequence = Sequence(clock, reads, finished, program, start, free)
    clock.run()
    _all_finished(finished, program)
    end = sequence.ended + IN_ORDER_ENDING
    compute.finish(end, mover.periods)
    return _Played(end, compute.layers, reads.units, mover.written)


def _all_finished(finished: Finished, program: list[Command]) -> None:
    """RuntimeError when a command never started: a program that waits for itself."""
    for unit in UNITS:
        count = sum(one.unit == unit for one in program)
        if finished.counts[unit] != count:
            raise RuntimeError(f"cycle model: {finished.counts[unit]} of {count} {unit.name} commands finished")


def _macs(compiled: CompiledNetwork, layer: ConvLayer) -> int:
    target = compiled.network.tensors[layer.output]
    return layer.weight.size * target.height * target.width

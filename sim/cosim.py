"""A whole network in simulated Verilog against golden: every tensor of every image, by equality."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig, preset
from compiler.program import CompiledNetwork, compile_network
from compiler.traffic import Traffic
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from rtl.interfaces import Cause
from sim.build import Build, build_bench, random_values
from sim.compiled import prepare_compiled
from sim.driver import SimulationError
from sim.job import Manners, manners
from sim.process import ProcessDriver
from sim.runner import RUNS
from sim.session import Session

MOST_LATENCY = 65535  # cycles that the bench's memory can wait
LARGE = 100_000_000  # multiply-accumulates of a network that is worth a simulator of its own, without stages


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer in one image, by their cause (rtl.interfaces.Cause), its multiply-accumulates, and what its
    commands move."""

    name: str
    cycles: int
    macs: int
    causes: dict[str, int]
    traffic: Traffic


@dataclass(frozen=True)
class CosimResult:
    """What was compared. tensors_compared: those with every position compared; layers, read_bytes and written_bytes (by
    the engine's counters, 0 where it has none): of the first image without a mismatch; cycles_per_image: from start to
    interrupt, of the images without a mismatch.

    simulated_cycles_per_second: of all processes together, while they simulated.
    """

    tensors_compared: int
    values_compared: int
    mismatches: list[str]
    layers: list[LayerCycles]
    cycles_per_image: list[int]
    simulated_cycles_per_second: float
    read_bytes: int = 0
    written_bytes: int = 0

    @property
    def simulated_macs_per_second(self) -> float:
        """Multiply-accumulates of the network simulated per second."""
        cycles = sum(layer.cycles for layer in self.layers)
        return sum(layer.macs for layer in self.layers) / max(cycles, 1) * self.simulated_cycles_per_second


@dataclass(frozen=True)
class Progress:
    """How far a run is: images done, of `images`; the image told about is in layer number `layer`, from 1, of `layers`
    after `cycles`; share: part of all multiply-accumulates that is behind, 0..1."""

    done: int
    images: int
    layer: int
    layers: int
    cycles: int
    share: float


class _Watch:
    """Turns what the simulators tell into Progress; they tell from several threads."""

    def __init__(self, network: Network, images: int, tell: Callable[[Progress], object] | None):
        macs = [layer_macs(network, layer) for layer in network.layers]
        self._before = [0, *accumulate(macs)]
        self._tell, self._lock = tell, threading.Lock()
        self._parts = [0.0] * images

    def at(self, image: int, layer: int, cycles: int) -> None:
        """This image is in this layer, from 0; len(layers) when it is done."""
        with self._lock:
            whole = self._before[-1]
            self._parts[image] = max(self._parts[image], self._before[layer] / whole)
            done, images, layers = self._parts.count(1.0), len(self._parts), len(self._before) - 1
            told = Progress(done, images, min(layer + 1, layers), layers, cycles, sum(self._parts) / images)
            if self._tell is not None:
                self._tell(told)


@dataclass(frozen=True)
class _ImageRun:
    """One image: tensors and values compared, mismatches, the engine's counters (none after a mismatch) and causes, and
    the simulator's rate."""

    tensors: int
    values: int
    mismatch: str
    counters: dict[str, int]
    causes: list[list[int]]
    rate: float

    @property
    def cycles(self) -> int:
        """From start to interrupt, 0 after a mismatch."""
        return self.counters.get("cycles", 0)


def layer_macs(network: Network, layer: ConvLayer) -> int:
    """Multiply-accumulates of a layer: weights times output positions."""
    target = network.tensors[layer.output]
    return layer.weight.size * target.height * target.width


def cosim(
    network: Network, images: np.ndarray, engine: str | EngineConfig = "large", seed: int = 0, *, stalls: str = "none",
    processes: int | None = None, progress: Callable[[Progress], object] | None = None, fuse: bool = True,
    latency: int | None = None,
) -> CosimResult:
    """Run every image, int8 (N, C, H, W), through the generated Verilog of an engine and compare every tensor.

    engine: a preset's name, or any configuration. seed draws where the regions lie, what unused memory holds and what
    every register starts with; stalls is a pattern of sim.job.manners. At most `processes` simulators run at once
    (default: one per core); fuse: as compile_network's; latency: cycles of the memory's answers, instead of those of
    `stalls`. WesnpuError when the network does not fit the engine or the simulation cannot run; a wrong value is a line
    in `mismatches` that names layer, channel, row, column, stage and both values.
    """
    config = preset(engine) if isinstance(engine, str) else engine
    if images.ndim != 4 or images.dtype != np.int8 or not len(images):
        raise WesnpuError(f"images are {images.dtype} {images.shape}: must be int8 (N, C, H, W), N at least 1")
    if processes is not None and processes < 1:
        raise WesnpuError(f"processes is {processes}: must be at least 1")
    compiled = compile_network(network, config, fuse=fuse)  # refuse before anything is built
    how = manners(stalls, seed)
    if latency is not None:
        if not 0 <= latency <= MOST_LATENCY:
            raise WesnpuError(f"latency is {latency}: must be in 0..{MOST_LATENCY}")
        how = replace(how, read_latency=latency, write_latency=latency)
    macs = sum(layer_macs(network, layer) for layer in network.layers)
    build, watch = build_bench(config, stages=macs < LARGE), _Watch(network, len(images), progress)
    workers = min(len(images), processes or os.cpu_count() or 1)

    def one(number: int) -> _ImageRun:
        def run(build: Build) -> _ImageRun:
            return _run_image(compiled, images[number], build, seed, how, lambda *at: watch.at(number, *at))

        found = run(build)
        if not found.mismatch or build.stages:
            return found
        again = run(build_bench(config))  # tells the stage
        return again if again.mismatch else found

    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(one, range(len(images))))
    first = next((run for run in runs if not run.mismatch), runs[0])
    return CosimResult(
        tensors_compared=sum(run.tensors for run in runs),
        values_compared=sum(run.values for run in runs),
        mismatches=[f"image {number}: {run.mismatch}" for number, run in enumerate(runs) if run.mismatch],
        layers=_layers(compiled, first.causes),
        cycles_per_image=[run.cycles for run in runs if run.cycles],
        simulated_cycles_per_second=workers * float(np.mean([run.rate for run in runs])),
        read_bytes=WORD_BYTES * first.counters.get("read_beats", 0),
        written_bytes=WORD_BYTES * first.counters.get("write_beats", 0),
    )


def _run_image(
    compiled: CompiledNetwork, image: np.ndarray, build: Build, seed: int, how: Manners,
    tell: Callable[[int, int], None],
) -> _ImageRun:
    """One image in a simulator process of its own."""
    prepared = prepare_compiled(compiled, image, how, seed)
    RUNS.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="cosim_", dir=RUNS) as folder,
        ProcessDriver(
            build, compiled.config, Path(folder), arguments=random_values(seed), progress=tell
        ) as driver,
    ):
        session, mismatch, causes = Session(driver, compiled.config, stages=build.stages), "", []
        counters: dict[str, int] = {}
        try:
            asyncio.run(driver.reset())
            outcome = asyncio.run(session.check(prepared))
            counters, causes = outcome.counters, outcome.causes.tolist()
        except SimulationError as error:
            mismatch = str(error)
    tally, rate = session.tally, driver.cycles / max(driver.seconds, 1e-9)
    run = _ImageRun(tally.tensors, tally.values, mismatch, counters, causes, rate)
    tell(len(compiled.network.layers), run.cycles)
    return run


def _layers(compiled: CompiledNetwork, causes: list[list[int]]) -> list[LayerCycles]:
    network = compiled.network
    return [
        LayerCycles(
            layer.name, sum(counts), layer_macs(network, layer),
            {cause.name.lower(): counts[cause] for cause in Cause}, moved,
        )
        for layer, counts, moved in zip(network.layers, causes, compiled.traffic, strict=False)
    ]

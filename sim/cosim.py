"""A whole network in simulated Verilog against golden: every tensor of every image, by equality."""

import json
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compiler.config import EngineConfig, preset
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.file import load_network, save_network
from golden.network import ConvLayer, Network
from rtl.interfaces import Cause
from sim.build import build_bench
from sim.driver import SimulationError
from sim.job import manners

WORKERS = 2  # simulator processes at most: more than the cores of a small machine only wait for each other


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer in one image, by their cause (rtl.interfaces.Cause), and its multiply-accumulates."""

    name: str
    cycles: int
    macs: int
    causes: dict[str, int]


@dataclass(frozen=True)
class CosimResult:
    """What was compared. layers: of the first image; cycles_per_image: from start to interrupt."""

    tensors_compared: int
    values_compared: int
    mismatches: list[str]
    layers: list[LayerCycles]
    cycles_per_image: list[int]
    simulated_cycles_per_second: float


@dataclass
class _Found:
    """What one simulator process found."""

    tensors: int = 0
    mismatches: list[str] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    causes: list[list[int]] = field(default_factory=list)


def layer_macs(network: Network, layer: ConvLayer) -> int:
    """Multiply-accumulates of a layer: weights times output positions."""
    target = network.tensors[layer.output]
    return layer.weight.size * target.height * target.width


async def run_images(session, orders) -> None:
    """The case "cosim": images of the folder's network, one program each; writes cosim.json."""
    from sim.compiled import prepare_compiled

    folder = Path(os.environ["SIM_COSIM_FOLDER"])
    network, images = load_network(folder / "network.npz"), np.load(folder / "images.npy")
    compiled = compile_network(network, session.config)
    found, first = _Found(), int(os.environ["SIM_COSIM_FIRST"])
    for number, image in enumerate(images[first : first + orders.count], first):
        prepared = prepare_compiled(compiled, image, manners(orders.stalls or "none", orders.seed), orders.seed)
        try:
            outcome = await session.check(prepared)
            found.cycles.append(outcome.counters["cycles"])
            found.causes = found.causes or outcome.causes.tolist()
        except SimulationError as error:
            found.mismatches.append(f"image {number}: {error}")
        found.tensors += len(network.layers)
        (folder / f"done_{number}").touch()
    Path("cosim.json").write_text(json.dumps(vars(found)))


def cosim(
    network: Network, images: np.ndarray, config_name: str = "large", seed: int = 0, *, stalls: str = "none",
    progress: Callable[[int], object] | None = None,
) -> CosimResult:
    """Run every image, int8 (N, C, H, W), through the generated Verilog of a preset and compare every tensor.

    seed draws where the regions lie and what unused memory holds; stalls is a pattern of sim.job.manners. progress is
    called with the number of images done. WesnpuError when the network does not fit the engine or the simulation
    cannot run; a wrong value is a line in `mismatches` that names layer, channel, row, column, stage and both values.
    """
    config = preset(config_name)
    if images.ndim != 4 or images.dtype != np.int8 or not len(images):
        raise WesnpuError(f"images are {images.dtype} {images.shape}: must be int8 (N, C, H, W), N at least 1")
    compile_network(network, config)  # refuse before anything is built
    build = build_bench(config)
    with tempfile.TemporaryDirectory(prefix="wesnpu_cosim_") as name:
        folder = Path(name)
        save_network(network, folder / "network.npz")
        np.save(folder / "images.npy", images)
        results = _run_all(folder, len(images), config, build, seed, stalls, progress)
    found = [json.loads((result.folder / "cosim.json").read_text()) for result in results]
    return CosimResult(
        tensors_compared=sum(one["tensors"] for one in found),
        values_compared=sum(result.values for result in results),
        mismatches=[line for one in found for line in one["mismatches"]],
        layers=_layers(network, next((one["causes"] for one in found if one["causes"]), [])),
        cycles_per_image=[cycles for one in found for cycles in one["cycles"]],
        simulated_cycles_per_second=sum(result.cycles_per_second for result in results),
    )


def _run_all(folder: Path, count: int, config: EngineConfig, build, seed: int, stalls: str, progress) -> list:
    """Shares of the images in parallel processes; their results in order."""
    from sim.cases import Orders
    from sim.runner import run_case

    workers = min(count, WORKERS, os.cpu_count() or 1)
    bounds = [count * i // workers for i in range(workers + 1)]

    def share(i: int):
        environment = {"SIM_COSIM_FOLDER": str(folder), "SIM_COSIM_FIRST": str(bounds[i])}
        orders = Orders("cosim", seed=seed, count=bounds[i + 1] - bounds[i], stalls=stalls)
        return run_case(orders, config, build=build, environment=environment)

    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(folder, count, ended, progress))
    watcher.start()
    try:
        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(share, range(workers)))
    finally:
        ended.set()
        watcher.join()
    for result in results:
        if result.failure:
            raise WesnpuError(f"co-simulation failed: {result.failure}")
    return results


def _watch(folder: Path, count: int, ended: threading.Event, progress) -> None:
    """Call `progress` with the number of images done, whenever it grows."""
    told, last = 0, False
    while told < count and not last:
        last = ended.wait(0.2)
        done = len(list(folder.glob("done_*")))
        if done > told and progress is not None:
            progress(done)
        told = done


def _layers(network: Network, causes: list[list[int]]) -> list[LayerCycles]:
    return [
        LayerCycles(
            layer.name, sum(counts), layer_macs(network, layer), {cause.name.lower(): counts[cause] for cause in Cause}
        )
        for layer, counts in zip(network.layers, causes, strict=False)
    ]

"""From the result of a co-simulation to report data."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from compiler.config import EngineConfig
from golden.network import Network
from golden.requantize import ShiftScaler
from wesnpu import report_data
from wesnpu.commands.inspect import shift_counts

if TYPE_CHECKING:
    from sim.cosim import CosimResult


def report_of(
    network: Network,
    result: "CosimResult",
    config: EngineConfig,
    *,
    command: str,
    images: int,
    seed: int,
    accuracy: tuple[report_data.Accuracy, ...] = (),
) -> report_data.ReportData:
    """What a report shows of `images` images run on the engine of `config`; `command` makes it again."""
    return report_data.ReportData(
        network=network.name,
        command=command,
        accuracy=accuracy,
        shifts=tuple(shifts(network)),
        engine=report_data.Engine(config.name, config.macs_per_cycle, float(config.bus_bytes)),
        comparison=comparison(result, images, seed),
        layers=layer_runs(result),
    )


def comparison(result: "CosimResult", images: int, seed: int) -> report_data.Comparison:
    """What was compared, as report data."""
    return report_data.Comparison(
        images=images,
        tensors=result.tensors_compared,
        values=result.values_compared,
        mismatches=tuple(result.mismatches),
        seed=seed,
        cycles_per_image=tuple(result.cycles_per_image),
        simulated_cycles_per_second=float(result.simulated_cycles_per_second),
    )


def shifts(network: Network) -> Iterable[report_data.Shifts]:
    """Shift histograms of the layers that have shifts."""
    for layer in network.layers:
        if isinstance(layer.requantizer, ShiftScaler):
            yield report_data.Shifts(layer.name, shift_counts(layer.requantizer.shift))


def layer_runs(result: "CosimResult") -> tuple[report_data.LayerRun, ...]:
    """Cycles and their causes per layer, with the bytes that its commands move."""
    return tuple(
        report_data.LayerRun(
            run.name, run.cycles, run.macs, run.traffic.read, run.traffic.written, dict(run.causes)
        )
        for run in result.layers
    )

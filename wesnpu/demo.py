"""The main job (``make demo``): a real network from ONNX to Verilog, every tensor compared, one report.

    python -m wesnpu.demo [--images 5] [--config large] [--seed 1]
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compiler.config import EngineConfig, preset
from golden.network import Network
from golden.preprocessing import Preprocessing
from quant.evaluation.evaluate import compare_scores, float_scores, input_codes, scores
from quant.images.batches import Images
from quant.onnx_import import Imported, import_onnx
from quant.recipe import quantize
from wesnpu import console, options, report, report_data
from wesnpu.cosim_report import report_of
from wesnpu.errors import one_line

if TYPE_CHECKING:
    from sim.cosim import CosimResult

MODELS = Path(__file__).resolve().parent.parent / "models"
NETWORK, DATA = MODELS / "fashion_mobilenet_v2.onnx", MODELS / "fashion_mnist.npz"
PREPROCESSING = Preprocessing(28, 28, "L")  # (pixel - 128) / 128: a pixel is a code exactly
RECIPES = {"layer-wise": "layerwise", "WES shift scaler": "wes", "channel-wise multipliers": "channelwise"}
ON_ENGINE = "WES shift scaler"


def main(arguments: list[str]) -> int:
    """Run everything; 0 when no tensor differs, 1 on a mismatch, 2 on what cannot be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=5, choices=range(1, 1001), metavar="1..1000")
    parser.add_argument("--config", default="large", help="engine preset")
    parser.add_argument("--seed", type=int, default=1, help="of places and initial values in the simulation")
    asked = parser.parse_args(arguments)
    try:
        return run(preset(asked.config), asked.images, asked.seed)
    except (ValueError, OSError) as error:
        console.note(f"error: {one_line(error)}")
        return 2


def run(config: EngineConfig, count: int, seed: int) -> int:
    """Quantize, compare on `count` images, print and write the report; the exit code of `main`."""
    imported = import_onnx(NETWORK)
    images, labels, calibration = sample(imported)
    networks = quantized(imported, calibration)
    accuracy = accuracies(imported, networks, images, labels)
    show_accuracy(accuracy)
    network = networks[ON_ENGINE]
    first = next(iter(images.batches(count)))
    result = simulate(network, input_codes(network, first), config, seed)
    command = f"python -m wesnpu.demo --images {count} --config {config.name} --seed {seed}"
    data = report_of(network, result, config, command=command, images=count, seed=seed, accuracy=accuracy)
    report.write_folder(data, report.FOLDER)
    return show_comparison(data)


def sample(imported: Imported) -> tuple[Images, np.ndarray, np.ndarray]:
    """Test images with labels, and calibration pixels that are none of them."""
    with np.load(DATA, allow_pickle=False) as data:
        images, labels, calibration = data["images"], data["labels"], data["calibration"]
    return Images(images, imported.graph.shapes[imported.graph.input], PREPROCESSING), labels, calibration


def quantized(imported: Imported, calibration: np.ndarray) -> dict[str, Network]:
    """The integer network of every recipe, by method."""
    networks = {}
    for method, recipe in RECIPES.items():
        console.say(f"quantizing {NETWORK.stem}: {method}, {len(calibration)} calibration images")
        made = quantize(imported, calibration, recipe=recipe, preprocessing=PREPROCESSING)
        networks[method] = replace(made, name=NETWORK.stem)
    return networks


def accuracies(
    imported: Imported, networks: dict[str, Network], images: Images, labels: np.ndarray
) -> tuple[report_data.Accuracy, ...]:
    """Float and every method on the labelled images, the methods as integers."""
    reference = float_scores(imported.graph, images)
    found = {"float": reference}
    for method, network in networks.items():
        with console.progress(f"integers: {method}", len(images)) as update:
            found[method] = scores(network, images, progress=update)
    rows = {method: compare_scores(values, labels, reference) for method, values in found.items()}
    return tuple(
        report_data.Accuracy(method, row.correct or 0, row.agree or 0, row.images) for method, row in rows.items()
    )


def simulate(network: Network, codes: np.ndarray, config: EngineConfig, seed: int) -> "CosimResult":
    """The network on the simulated engine, every tensor against golden's."""
    from sim.cosim import cosim  # needs the simulation packages, which quantization does not

    console.say(f"compiling for {config.name} ({config.macs_per_cycle} MAC/cycle), simulating its Verilog")
    with console.simulation() as update:
        return cosim(network, codes, config.name, seed, progress=update, latency=options.LATENCY)


def show_accuracy(rows: Iterable[report_data.Accuracy]) -> None:
    """Print the table of methods."""
    cells = [(row.method, f"{row.top1:.1f} %", f"{row.agreement:.1f} %", str(row.images)) for row in rows]
    console.table("Accuracy (all but float as integers)", ("method", "top-1", "agrees with float", "images"), cells)


def show_comparison(data: report_data.ReportData) -> int:
    """Print cycles, utilization and mismatches; 1 if there are any."""
    done = data.comparison
    assert done is not None
    if done.cycles_per_image:
        console.say(f"cycles per image: {', '.join(f'{cycles:,}' for cycles in done.cycles_per_image)}")
    if data.utilization is not None:
        console.say(f"array utilization: {data.utilization:.1f} %")
    console.say(f"simulated: {done.simulated_cycles_per_second:,.0f} cycles/s")
    console.say(f"report: {report.FOLDER / 'index.html'}")
    for line in done.mismatches[:20]:
        console.say(line)
    console.say(
        f"{done.tensors} tensors ({done.values:,} values) of {done.images} images compared: "
        f"{len(done.mismatches)} mismatches"
    )
    return 1 if done.mismatches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""EfficientNet-Lite0 on the simulated engine, every tensor compared (``make cosim-imagenet [IMAGES=DIR]``).

    python -m wesnpu.imagenet [--images DIR] [--limit 1] [--config large] [--latency 64] [--no-fuse] [--processes N]

Without images it runs on pictures drawn from the seed: the integers do not care. Calibrated on the first of the images.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from compiler.config import preset
from golden.network import Network
from quant.evaluation.efficientnet import MODEL, PREPROCESSING
from quant.evaluation.evaluate import input_codes
from quant.images.batches import Images
from quant.onnx_import import import_onnx
from quant.recipe import quantize
from wesnpu import console, options
from wesnpu.commands.cosim import show
from wesnpu.cosim_report import report_of
from wesnpu.errors import one_line
from wesnpu.image_files import read_pictures
from wesnpu.report import write_folder

SHAPE = (PREPROCESSING.channels, PREPROCESSING.height, PREPROCESSING.width)
CALIBRATION = 8  # images


def main(arguments: list[str]) -> int:
    """Run it; 0 when no tensor differs, 1 on a mismatch, 2 on what cannot be done."""
    asked = parser().parse_args(arguments)
    start = time.monotonic()
    try:
        found = run(asked)
    except (ValueError, OSError) as error:
        console.note(f"error: {one_line(error)}")
        return 2
    console.say(f"{time.monotonic() - start:.1f} s in all: quantized, compiled, simulated, compared")
    return int(found > 0)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--images", help="folder of pictures of at least 224x224, or FILE.npz[:ARRAY]")
    made.add_argument("--limit", type=int, default=1, help="images to simulate")
    made.add_argument("--config", default="large", help="engine preset")
    made.add_argument("--processes", type=int, help="images simulated at once, default: one per core")
    made.add_argument("--seed", type=int, default=1, help="of the pictures and of what unused memory holds")
    made.add_argument("--latency", type=int, default=options.LATENCY, help="cycles of the memory's answers")
    made.add_argument("--no-fuse", action="store_true", help="layer by layer")
    made.add_argument("--report", type=Path, help="folder for a report")
    return made


def run(asked: argparse.Namespace) -> int:
    """Quantize, simulate and show; the number of mismatches."""
    from sim.cosim import cosim  # needs the simulation packages

    config, images = preset(asked.config), pictures(asked.images, asked.limit, asked.seed)
    network = quantized(images)
    codes = input_codes(network, next(iter(images.batches(asked.limit))))
    with console.simulation() as update:
        how = {"processes": asked.processes, "latency": asked.latency, "fuse": not asked.no_fuse}
        result = cosim(network, codes, config.name, asked.seed, progress=update, **how)
    show(result, config.macs_per_cycle)
    if asked.report is not None:
        command = f"python -m wesnpu.imagenet {' '.join(sys.argv[1:])}".strip()
        data = report_of(network, result, config, command=command, images=len(codes), seed=asked.seed)
        console.say(f"report: {write_folder(data, asked.report)}")
    return len(result.mismatches)


def pictures(text: str | None, limit: int, seed: int) -> Images:
    """The images named, enough to simulate and to calibrate on; without a name drawn ones."""
    if limit < 1:
        raise ValueError(f"--limit is {limit}: must be at least 1")
    count = max(limit, CALIBRATION)
    if text is not None:
        return read_pictures(text, PREPROCESSING, limit=count).images
    return Images(drawn_pictures(count, seed), SHAPE, PREPROCESSING)


def drawn_pictures(count: int, seed: int) -> np.ndarray:
    """uint8 (count, *SHAPE): blotches of 16 pixels with some noise over them."""
    rng = np.random.default_rng(seed)
    channels, height, width = SHAPE
    blotches = rng.normal(127, 77, (count, channels, height // 16, width // 16)).repeat(16, axis=2).repeat(16, axis=3)
    return np.clip(np.rint(blotches + rng.normal(0, 13, blotches.shape)), 0, 255).astype(np.uint8)


def quantized(images: Images) -> Network:
    """The network, calibrated on the first images."""
    imported = import_onnx(MODEL, preprocessing=PREPROCESSING)
    return quantize(imported, images.array[:CALIBRATION], preprocessing=PREPROCESSING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Time and memory of quantizing EfficientNet-Lite0 with WES, against onnxruntime on the same images.

`python -m quant.bench_quantize` runs 32 random images through the float network in onnxruntime with all tensors
returned, then quantizes on them with every observer, and ends with code 1 above a bar. Ratios of processor seconds
are what counts on a busy machine; both are printed. Made from 'python -m models.build efficientnet_lite0'.
"""

import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from golden.errors import WesnpuError
from quant.calibration.calibrate import batch_size
from quant.calibration.observers import OBSERVERS
from quant.evaluation.efficientnet import MODEL, PREPROCESSING
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.images.batches import Images
from quant.onnx_import import import_onnx
from quant.recipe import quantize

BARS = dict.fromkeys(OBSERVERS, 10.0) | {"minmax": 3.0}
MEMORY_BAR = 2048  # MiB
IMAGES, ROUNDS = 32, 3


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds of the fastest of ROUNDS, each by itself."""
    pairs = []
    for _ in range(ROUNDS):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        pairs.append((time.perf_counter() - wall, time.process_time() - processor))
    walls, processors = zip(*pairs, strict=True)
    return min(walls), min(processors)


def main() -> int:
    """Print one line for each observer; 0 when every bar is kept, 2 without the model."""
    try:
        imported = import_onnx(MODEL, preprocessing=PREPROCESSING)
    except WesnpuError as error:
        print(f"{error} (make it by 'python -m models.build efficientnet_lite0')", file=sys.stderr)
        return 2
    graph = imported.graph
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *graph.shapes[graph.input]), dtype=np.uint8)
    images = Images(pixels, graph.shapes[graph.input], PREPROCESSING)
    runner = FloatRunner(to_onnx(graph), [node.output for node in graph.nodes], threads=0)

    def run_float() -> None:
        for batch in images.batches(batch_size(graph)):
            runner(batch)

    wall, processor = seconds(run_float)
    print(f"onnxruntime, all tensors, {IMAGES} images: {wall:.2f} s, processor {processor:.2f} s")
    kept = True
    for observer, bar in BARS.items():
        options: dict[str, Any] = {"recipe": "wes", "observer": observer, "preprocessing": PREPROCESSING}
        mine = seconds(partial(quantize, imported, pixels, **options))
        ratios = mine[0] / wall, mine[1] / processor
        kept &= min(ratios) <= bar
        print(f"{observer}: {mine[0]:.2f} s, x {ratios[0]:.2f}, processor x {ratios[1]:.2f} (bar {bar})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB (bar {MEMORY_BAR})")
    return 0 if kept and peak <= MEMORY_BAR else 1


if __name__ == "__main__":
    sys.exit(main())

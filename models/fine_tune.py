"""Fine-tune a Fashion-MNIST network to powers of two: ``python -m models.fine_tune fashion_mobilenet_v1 -o net.npz``.

Trains on the data set's training images with quant.learned.fine_tune (2210.03671) and scores the integer network on
its 10,000 test images. One fixed schedule, one seed, no selection. Needs torch and the data set, see
models.fashion_mnist.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from golden.file import save_network
from golden.network import Network
from models.fashion_mnist import load
from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, float_scores, scores
from quant.images.batches import Images
from quant.learned.fine_tune import Schedule, fine_tune
from quant.plan.lower import lower
from quant.recipe import execute, make_plan, provenance, recipe_passes

RECIPE = "pow2-channel"  # the network that fine-tuning starts from


def fine_tuned(name: str, images: np.ndarray, labels: np.ndarray, schedule: Schedule, bits: tuple[int, int]) -> Network:
    """The integer network of one of fashion.NETWORKS; bits of weights and activations; images uint8."""
    plan = make_plan(
        fashion.imported(name), fashion.data().calibration, recipe=RECIPE, weight_bits=bits[0], activation_bits=bits[1],
        preprocessing=fashion.PREPROCESSING,
    )
    execute(plan, recipe_passes(RECIPE))
    batches = Images(images, fashion.SHAPE, fashion.PREPROCESSING).batches(1000)

    def progress(step: int, loss: float) -> None:
        if step % 50 == 0:
            print(f"step {step}, loss {loss:.4f}", flush=True)

    fine_tune(plan, np.concatenate(list(batches)), labels, schedule, progress=progress)
    facts = provenance(plan, fashion.imported(name).report.source, RECIPE)
    return lower(plan, provenance=facts | {"fine_tuned": True})


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=fashion.NETWORKS)
    parser.add_argument("--data", help="folder of the IDX files (default: the Debian package's)")
    parser.add_argument("--weight-bits", type=int, default=4)
    parser.add_argument("--activation-bits", type=int, default=8)
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("-o", "--output", type=Path, required=True, help="quantized network to write, .npz")
    return parser.parse_args()


def main() -> int:
    """Fine-tune, write the network, print its top-1 as integers; exit code 2 with one line for bad input."""
    options = arguments()
    try:
        images, labels = load("train", options.data)
        bits = options.weight_bits, options.activation_bits
        network = fine_tuned(options.network, images, labels, Schedule(steps=options.steps), bits)
        save_network(network, options.output)
        images, labels = load("t10k", options.data)
    except (WesnpuError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    judge = Images(images, fashion.SHAPE, fashion.PREPROCESSING)
    plain = float_scores(fashion.imported(options.network).graph, judge)
    found = compare_scores(scores(network, judge), labels, plain)
    print(f"{options.network} W{bits[0]}A{bits[1]}, {options.steps} steps, as integers on {len(judge)} images:")
    print(f"top-1 {found.top1:.2f} %, float {compare_scores(plain, labels).top1:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())

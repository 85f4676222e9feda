"""Accuracy of EfficientNet-Lite0 as integers on a folder of labelled 224x224 crops, written to docs/accuracy.md.

    python -m quant.accuracy_imagenet --images DIR          # or WESNPU_IMAGENET=DIR

Interrupted, the same command goes on where it was: results are kept in build/accuracy_imagenet.json, by model, images,
recipe, observer and draw. Remove that file after a change of the code.

Calibration by cross-fitted halves: a network calibrated on images of one half is evaluated on the other half, both
ways, so no image is evaluated that was calibrated on. Every recipe runs on every calibration draw; nothing is selected.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from golden.files import write_whole
from golden.network import Preprocessing
from quant.evaluate import compare_scores, float_scores, scores
from quant.image_set import open_images
from quant.images import Images
from quant.onnx_import import Imported, import_onnx
from quant.recipe import RECIPES, quantize

PREPROCESSING = Preprocessing(224, 224, "RGB", mean=(127.0,), std=(128.0,))
MODEL = Path(os.environ.get("WESNPU_CACHE") or Path.home() / ".cache" / "wesnpu") / "efficientnet_lite0.onnx"
CALIBRATION_IMAGES, DRAWS = 64, 3
TABLE = ("layerwise", "wes", "wes+bc", "wes+sum", "wes+sum+bc", "channelwise")  # rows unless others are asked for
Result = tuple[float, float]  # top-1 and agreement, percent


@dataclass(frozen=True, eq=False)
class Crops:
    """Labelled pictures: images uint8 (N, C, H, W), labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


def read_crops(folder: str) -> Crops:
    """All readable pictures of the folder; unreadable ones are named on standard error. WesnpuError without labels."""
    found = open_images(folder, PREPROCESSING)
    images, indices = found.read()
    for name, reason in found.unreadable:
        print(f"unreadable, left out: {name}: {reason}", file=sys.stderr)
    labels = [found.labels[index] for index in indices]
    if None in labels:
        raise WesnpuError(f"{folder}: {found.names[indices[labels.index(None)]]} has no label in its name or folder")
    return Crops(images, np.array(labels))


@dataclass(frozen=True)
class Row:
    """Results of one recipe and observer, one for each draw."""

    recipe: str
    observer: str
    results: tuple[Result, ...]


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the two halves: even and odd positions."""
    return np.arange(0, count, 2), np.arange(1, count, 2)


def cross_fitted(
    imported: Imported, data: Crops, recipe: str, observer: str, draw: int, workers: int
) -> np.ndarray:
    """Scores int8 (N, classes) of all images, each by the network calibrated on the other half; draw seeds it."""
    shape = data.images.shape[1:]
    parts = halves(len(data.labels))
    result: np.ndarray | None = None
    for own, other in (parts, parts[::-1]):
        generator = np.random.default_rng([draw, int(own[0])])
        chosen = np.sort(generator.choice(other, min(CALIBRATION_IMAGES, len(other)), replace=False))
        network = quantize(
            imported, data.images[chosen], recipe=recipe, observer=observer, preprocessing=PREPROCESSING
        )
        values = scores(network, Images(data.images[own], shape, PREPROCESSING), workers=workers)
        result = np.empty((len(data.labels), values.shape[1]), np.int8) if result is None else result
        result[own] = values
    assert result is not None
    return result


class State:
    """Results by name in a JSON file, written whole after every new one."""

    def __init__(self, path: Path, identity: str) -> None:
        """`identity` names the model and images; results of others are kept but not used."""
        self.path, self.identity = path, identity
        self.results: dict[str, list[float]] = json.loads(path.read_text()) if path.is_file() else {}

    def get(self, name: str, make: Callable[[], Result]) -> Result:
        """The kept result of that name, or the one that `make` finds."""
        key = f"{self.identity} {name}"
        if key not in self.results:
            self.results[key] = list(make())
            write_whole(self.path, json.dumps(self.results, indent=1).encode())
        first, second = self.results[key]
        return first, second


def identity(model: Path, data: Crops) -> str:
    """A short hash of the model file and the images with their labels."""
    digest = hashlib.sha256(model.read_bytes())
    digest.update(data.images.tobytes() + data.labels.astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def measure(
    imported: Imported, data: Crops, recipes: list[str], observers: list[str], draws: int, workers: int, state: State
) -> Iterator[tuple[Row, list[Row]]]:
    """The float row and one row for each recipe and observer, after every draw with one result more."""
    images = Images(data.images, data.images.shape[1:], PREPROCESSING)
    reference = float_scores(imported.graph, images)
    plain = compare_scores(reference, data.labels)
    rows = [Row(recipe, observer, ()) for recipe in recipes for observer in observers]
    for draw in range(draws):
        for index, row in enumerate(rows):

            def result(row: Row = row, draw: int = draw) -> Result:
                values = cross_fitted(imported, data, row.recipe, row.observer, draw, workers)
                found = compare_scores(values, data.labels, reference)
                return found.top1 or 0.0, found.agreement or 0.0

            name = f"{row.recipe} {row.observer} draw {draw}"
            found = state.get(name, result)
            rows[index] = replace(row, results=(*row.results, found))
            print(f"{name}: top-1 {found[0]:.1f}, agreement {found[1]:.1f}", flush=True)
        yield Row("float", "", ((plain.top1 or 0.0, 100.0),)), list(rows)


def table(plain: Row, rows: list[Row]) -> str:
    """A Markdown table: medians over the draws with their range in brackets."""
    lines = ["| recipe | observer | top-1 % | below float, pp | agreement with float % |", "|---|---|---|---|---|"]
    top1 = plain.results[0][0]
    lines.append(f"| float (onnxruntime) | | {top1:.1f} | | |")
    for row in rows:
        first, second = zip(*row.results, strict=True)
        below = top1 - statistics.median(first)
        lines.append(f"| {row.recipe} | {row.observer} | {_spread(first)} | {below:.1f} | {_spread(second)} |")
    return "\n".join(lines)


def _spread(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}..{max(values):.1f})"


def document(plain: Row, rows: list[Row], count: int, draws: int, command: str) -> str:
    """The text of docs/accuracy.md."""
    return f"""# Accuracy

## EfficientNet-Lite0, W8A8, every network run as integers by golden

{count} labelled 224x224 crops of ImageNet, input (pixel - 127) / 128. {CALIBRATION_IMAGES} calibration images
drawn from one half, evaluated on the other half, both ways; median over {draws} calibration draws
(range in brackets). One standard error of a difference on 500 images is about 0.6 pp. Such crops are usually training
images of the network, so only differences from float mean anything; do not set the top-1 column beside published
figures.

{table(plain, rows)}

`channelwise` has a float scale and a 32-bit multiplier per channel: the honest baseline, not what the engine executes.
`+bc` is empirical bias correction, `+sum` rounding that keeps sums; [quantization.md](quantization.md) says why.

Made by:

    {command}
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 2 with one line for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", default=os.environ.get("WESNPU_IMAGENET"), help="folder of labelled crops")
    parser.add_argument("--model", type=Path, default=MODEL, help="made by 'python -m models.build efficientnet_lite0'")
    parser.add_argument("--recipes", nargs="+", default=list(TABLE), choices=list(RECIPES))
    parser.add_argument("--observers", nargs="+", default=["minmax"])
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--state", type=Path, default=Path("build/accuracy_imagenet.json"))
    parser.add_argument("--out", type=Path, default=Path("docs/accuracy.md"))
    options = parser.parse_args(arguments)
    try:
        if not options.images:
            raise WesnpuError("--images: name a folder of labelled crops, or set WESNPU_IMAGENET")
        imported = import_onnx(options.model, preprocessing=PREPROCESSING)
        data = read_crops(options.images)
        command = f"python -m quant.accuracy_imagenet --images DIR --draws {options.draws}"
        command += f" --recipes {' '.join(options.recipes)} --observers {' '.join(options.observers)}"
        state = State(options.state, identity(options.model, data))
        results = measure(imported, data, options.recipes, options.observers, options.draws, options.workers, state)
        for draws, (plain, rows) in enumerate(results, 1):
            write_whole(options.out, document(plain, rows, len(data.labels), draws, command).encode())
    except WesnpuError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(plain, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

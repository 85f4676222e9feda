"""The committed Fashion-MNIST networks and images, for the accuracy checks."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from golden.network import Network, Preprocessing
from quant.evaluation.evaluate import float_scores, scores
from quant.images.batches import Images
from quant.onnx_import import Imported, import_onnx
from quant.recipe import quantize

MODELS = Path(__file__).resolve().parent.parent.parent / "models"
NETWORKS = ("fashion_mobilenet_v1", "fashion_mobilenet_v2")
PREPROCESSING = Preprocessing(28, 28, "L", mean=(128.0,), std=(128.0,))
SHAPE = (1, 28, 28)


@dataclass(frozen=True, eq=False)
class Fashion:
    """images uint8 (1000, 28, 28, 1), labels (1000,), calibration uint8 (256, 28, 28, 1)."""

    images: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray


@cache
def data() -> Fashion:
    """The committed images."""
    with np.load(MODELS / "fashion_mnist.npz") as archive:
        return Fashion(archive["images"], archive["labels"].astype(np.int64), archive["calibration"])


@cache
def imported(name: str) -> Imported:
    """One of NETWORKS."""
    return import_onnx(MODELS / f"{name}.onnx", preprocessing=PREPROCESSING)


@cache
def network(name: str, recipe: str) -> Network:
    """The network quantized on all calibration images."""
    return quantize(imported(name), data().calibration, recipe=recipe, preprocessing=PREPROCESSING)


@cache
def scores_of(name: str, recipe: str | None) -> np.ndarray:
    """Scores (1000, 10) of the 1,000 images: as integers, or of the float network for recipe None."""
    images = Images(data().images, SHAPE, PREPROCESSING)
    return float_scores(imported(name).graph, images) if recipe is None else scores(network(name, recipe), images)

"""What methods are compared on: a float network, images to evaluate, and calibration images for every draw."""

import hashlib
from dataclasses import dataclass

import numpy as np

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.evaluation.evaluate import float_scores
from quant.float_graph.graph import Graph
from quant.float_graph.onnx_model import to_onnx
from quant.images.batches import Images
from quant.onnx_import import Imported

CALIBRATION_IMAGES = 64


@dataclass(frozen=True, eq=False)
class Fold:
    """calibration: uint8 (n, C, H, W), of no evaluated image; evaluated: indices of the images that it is judged on."""

    calibration: np.ndarray
    evaluated: np.ndarray


@dataclass(frozen=True, eq=False)
class Subject:
    """One float network with its images.

    name: as in tables. kind: whose rows it takes. images: uint8 (N, C, H, W). labels: (N,), -1 where unknown.
    draws: for every calibration draw its folds, which together evaluate every image once. note: one sentence about
    the images, for the document.
    """

    name: str
    kind: str
    imported: Imported | Graph
    preprocessing: Preprocessing
    images: np.ndarray
    labels: np.ndarray
    draws: tuple[tuple[Fold, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for folds in self.draws:
            indices = np.sort(np.concatenate([fold.evaluated for fold in folds]))
            if not np.array_equal(indices, np.arange(len(self.images))):
                raise WesnpuError(f"{self.name}: the folds of a draw must evaluate every image once")

    @property
    def graph(self) -> Graph:
        """The float network."""
        return self.imported if isinstance(self.imported, Graph) else self.imported.graph

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return bool((self.labels >= 0).all())

    def pictures(self, pixels: np.ndarray) -> Images:
        """Pixels uint8 (n, C, H, W) as images of this network."""
        return Images(pixels, self.graph.shapes[self.graph.input], self.preprocessing)

    def reference(self) -> np.ndarray:
        """Scores of the float network, float32 (N, classes)."""
        return float_scores(self.graph, self.pictures(self.images))

    def identity(self) -> str:
        """A digest of the float network and the images, labels aside."""
        found = hashlib.sha256(to_onnx(self.graph).SerializeToString(deterministic=True))
        found.update(repr(self.preprocessing).encode() + self.images.tobytes())
        return found.hexdigest()


def independent_draws(pool: np.ndarray, evaluated: int, draws: int) -> tuple[tuple[Fold, ...], ...]:
    """One fold for each draw: CALIBRATION_IMAGES of `pool` (at most half of it), which holds no evaluated image."""
    count = min(CALIBRATION_IMAGES, max(1, len(pool) // 2))
    chosen = (np.sort(np.random.default_rng(draw).choice(len(pool), count, replace=False)) for draw in range(draws))
    return tuple((Fold(pool[indices], np.arange(evaluated)),) for indices in chosen)


def cross_fitted_draws(images: np.ndarray, draws: int) -> tuple[tuple[Fold, ...], ...]:
    """Two folds for each draw: calibrated on CALIBRATION_IMAGES of one half (even, odd), evaluated on the other."""
    halves = np.arange(0, len(images), 2), np.arange(1, len(images), 2)

    def fold(draw: int, own: np.ndarray, other: np.ndarray) -> Fold:
        generator = np.random.default_rng([draw, int(own[0])])
        chosen = np.sort(generator.choice(other, min(CALIBRATION_IMAGES, len(other)), replace=False))
        return Fold(images[chosen], own)

    return tuple((fold(draw, *halves), fold(draw, *halves[::-1])) for draw in range(draws))



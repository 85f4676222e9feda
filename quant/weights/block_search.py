"""Search for sub-layer scales by the similarity of the layer's output (PTQ-SL, 2110.07809).

The paper tries 100 scales per block, 0.01..1.2 times max|W_block| / (2^(b-1) - 1/2), in three rounds block by block.
Of these the hardware holds the powers of two below the layer's scale: at most seven per block, and always the smallest
that does not clip. The layer's scale itself is tried at PHASES places within an octave.
"""

from dataclasses import dataclass

import numpy as np

from golden.requantize import SHIFT_MAX
from quant.weights.sub_layer import block_octaves, block_ranges, shifts_of
from quant.weights.weights import WeightCodes, layer_scale, recode

SIMILARITIES = ("l2", "cosine", "hessian")
PHASES, ROUNDS = 4, 3
SMALLEST, LARGEST = 0.01, 1.2  # of the paper's first scale


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """A layer whose output is compared: weight float64 (O, I, KH, KW), and E[x x'] of what its taps read.

    moments: (K, K) dense, (C, K, K) depthwise. importance: float64 (O,), what a squared error of each channel counts.
    """

    weight: np.ndarray
    moments: np.ndarray
    importance: np.ndarray

    def products(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """E[(a x)(b x)] per output channel, float64 (O,), for weights a and b."""
        first, second = a.reshape(len(a), -1), b.reshape(len(b), -1)
        if self.moments.ndim == 3:
            return np.einsum("ci,cij,cj->c", first, self.moments, second)
        return ((first @ self.moments) * second).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Found:
    """Layer scale and octaves int64 (groups, blocks) of the most similar output; score: larger is more similar."""

    scale: float
    octaves: np.ndarray
    score: float


def search(
    output: LayerOutput, *, bits: int, group: int, blocks: int, similarity: str, clip: bool, phases: int = PHASES
) -> Found:
    """The best grid for nearest codes; clip: whether blocks may take scales too small for their largest weight.

    similarity: "l2", sum of squared errors; "hessian", each channel's times its importance; "cosine", of the whole
    layer's output. Biases are left out. Of equals the first is kept, phase 0 without clipping before all others.
    """
    best: Found | None = None
    for phase in range(phases):
        trial = _Search(output, bits, group, blocks, similarity, phase / phases)
        if clip:
            trial.improve()
        score = trial.score()
        if best is None or score > best.score:
            best = Found(trial.scale, trial.octaves, score)
    assert best is not None
    return best


class _Search:
    """The octaves of one layer scale, and what they make of the output."""

    def __init__(
        self, output: LayerOutput, bits: int, group: int, blocks: int, similarity: str, octave: float
    ) -> None:
        weight = output.weight
        self.output, self.bits, self.group, self.similarity = output, bits, group, similarity
        top = float(np.abs(weight).max()) * 2.0**octave
        self.scale = layer_scale(top, bits)
        self.octaves = block_octaves(weight, group, blocks, top)
        first = block_ranges(weight, group, blocks) / (((1 << (bits - 1)) - 0.5) * (1 << (8 - bits)))
        self.first_scale = np.where(first > 0, first, 1.0)
        self.importance = output.importance if similarity == "hessian" else np.ones(len(weight))
        self.energy = output.products(weight, weight)
        self.terms = self._terms(self.octaves)

    def _terms(self, octaves: np.ndarray) -> np.ndarray:
        """Per group: weighted squared error, E[y y_q] and E[y_q^2], float64 (3, groups)."""
        weight = self.output.weight
        shift, coarser = shifts_of(octaves, self.group, len(weight))
        codes = WeightCodes(np.zeros(weight.shape, np.int8), self.scale, shift, None, self.bits, self.group, coarser)
        real = recode(weight, codes).real
        error = self.output.products(real - weight, real - weight)
        cross = self.output.products(weight, real)
        rows = np.stack([self.importance * error, cross, error + 2 * cross - self.energy])
        return np.add.reduceat(rows, np.arange(0, len(weight), self.group), axis=1)

    def score(self) -> float:
        """Similarity of the whole output: cosine, or minus the squared error."""
        return float(self._score(self.terms.sum(axis=1)))

    def _score(self, totals: np.ndarray) -> np.ndarray:
        """From totals (3, ...)."""
        if self.similarity != "cosine":
            return -totals[0]
        return totals[1] / np.sqrt(np.maximum(totals[2] * self.energy.sum(), np.finfo(np.float64).tiny))

    def improve(self) -> None:
        """Rounds over the blocks until one changes nothing."""
        for _ in range(ROUNDS):
            if not sum(self._block(block) for block in range(self.octaves.shape[1])):
                return

    def _block(self, block: int) -> bool:
        """Give this block of inputs the best octave in every group of outputs; whether anything changed."""
        start, changed = self.octaves[:, block].copy(), False
        allowed = self._allowed(block)
        for octave in np.flatnonzero(allowed.any(axis=0)):
            trial = self.octaves.copy()
            trial[:, block] = np.where(allowed[:, octave], octave, trial[:, block])
            changed |= self._take_better(trial, self._terms(trial))
        return changed and bool((start != self.octaves[:, block]).any())

    def _take_better(self, octaves: np.ndarray, terms: np.ndarray) -> bool:
        """Take over, group by group, what makes the output more similar."""
        took = False
        for group in range(len(octaves)):
            totals = self.terms.sum(axis=1)
            if self._score(totals - self.terms[:, group] + terms[:, group]) > self._score(totals):
                self.octaves[group], self.terms[:, group], took = octaves[group], terms[:, group], True
        return took

    def _allowed(self, block: int) -> np.ndarray:
        """Which octaves each group may take, bool (groups, 16): not coarser than needed, within the paper's ratios."""
        none, octaves = self.octaves[:, block, None] < 0, np.arange(SHIFT_MAX + 1)
        ratio = np.ldexp(self.scale, -octaves) / self.first_scale[:, block, None]
        return ~none & (ratio >= SMALLEST) & (ratio <= LARGEST)

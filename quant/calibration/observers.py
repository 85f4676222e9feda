"""Observers of activation ranges: min-max, percentile, MSE and entropy.

A histogram observer keeps HALF counts on each side of zero over [-R, R], R a power of two that doubles (merging
neighbouring bins exactly) when a batch exceeds it, so one pass over the images is enough and memory does not grow.
"""

import math

import numpy as np

from golden.errors import WesnpuError

HALF = 2048  # bins on each side of zero
LEVELS = 256  # int8 codes
PERCENTILE = 99.99
CANDIDATES = 100  # clipping ratios tried by MSE and entropy


class MinMax:
    """The smallest and largest value seen."""

    def __init__(self, name: str) -> None:
        """Observe the tensor `name`."""
        self.name, self.low, self.high = name, math.inf, -math.inf

    def observe(self, values: np.ndarray) -> None:
        """Take in float32 values of any shape; WesnpuError names the tensor where they are NaN or infinite."""
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise WesnpuError(f"tensor {self.name!r} is NaN or infinite on a calibration image: must be finite")
        self.low, self.high = min(self.low, low), max(self.high, high)

    def range(self) -> tuple[float, float]:
        """(low, high); WesnpuError if nothing was observed."""
        if self.low > self.high:
            raise WesnpuError(f"tensor {self.name!r} was not observed: calibration needs at least one image")
        return self.low, self.high


class Histogram(MinMax):
    """Min-max with a histogram; subclasses choose the range from it."""

    def __init__(self, name: str) -> None:
        """Observe the tensor `name`."""
        super().__init__(name)
        self.counts = np.zeros(2 * HALF, np.int64)
        self.limit = 0.0  # R; 0 until a value that is not zero was seen

    def observe(self, values: np.ndarray) -> None:
        """Take in float32 values of any shape."""
        super().observe(values)
        self._widen(max(-self.low, self.high))
        if self.limit == 0.0:
            self.counts[HALF] += values.size
            return
        bins = np.multiply(values.ravel(), np.float32(HALF / self.limit), dtype=np.float32)
        bins += np.float32(HALF)
        # truncation is floor here; the upper limit itself belongs to the last bin
        index = np.minimum(bins.astype(np.int32), 2 * HALF - 1)
        self.counts += np.bincount(index, minlength=2 * HALF)

    def _widen(self, magnitude: float) -> None:
        if magnitude == 0.0 or magnitude <= self.limit:
            return
        limit = math.ldexp(1.0, max(-126, math.frexp(magnitude)[1]))
        if self.limit == 0.0:
            self.limit = limit
        while self.limit < limit:
            self.counts[HALF // 2 : -HALF // 2] = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[: HALF // 2] = 0
            self.counts[-HALF // 2 :] = 0
            self.limit *= 2

    @property
    def centres(self) -> np.ndarray:
        """Real value in the middle of every bin, float64 (2 HALF,)."""
        return (np.arange(2 * HALF) + 0.5 - HALF) * (self.limit / HALF)

    def range(self) -> tuple[float, float]:
        """The chosen range, always within the observed one."""
        low, high = super().range()
        if self.limit == 0.0:
            return low, high
        chosen = self.choose(min(low, 0.0), max(high, 0.0))
        return max(chosen[0], low), min(chosen[1], high)

    def choose(self, low: float, high: float) -> tuple[float, float]:
        """The range to quantize, given the observed one widened to hold zero."""
        raise NotImplementedError


class Percentile(Histogram):
    """Leaves out the (100 - PERCENTILE) % outermost values on each side, interpolated within a bin."""

    def choose(self, low: float, high: float) -> tuple[float, float]:
        """The two quantiles of the histogram."""
        share = np.concatenate([[0], np.cumsum(self.counts)]) / self.counts.sum()
        edges = (np.arange(2 * HALF + 1) - HALF) * (self.limit / HALF)
        tail = 1 - PERCENTILE / 100
        rises = np.concatenate([[True], np.diff(share) > 0])
        first = int(np.argmax(share > 0)) - 1  # lower edge of the first bin that is not empty
        at = np.concatenate([[share[first]], share[rises & (share > 0)]])
        where = np.concatenate([[edges[first]], edges[rises & (share > 0)]])
        return float(np.interp(tail, at, where)), float(np.interp(1 - tail, at, where))


def clipped(low: float, high: float, ratio: float) -> tuple[float, float]:
    """The range cut to magnitudes of at most ratio times the largest."""
    limit = ratio * max(-low, high)
    return max(low, -limit), min(high, limit)


class MeanSquaredError(Histogram):
    """The clipping magnitude with the least mean squared quantization error."""

    def choose(self, low: float, high: float) -> tuple[float, float]:
        """The range cut at the best of CANDIDATES magnitudes."""
        used = np.flatnonzero(self.counts)
        values, counts = self.centres[used], self.counts[used]
        if low >= 0:
            values[used == HALF] = 0.0  # zeros of a clamp
        ratios = np.arange(1, CANDIDATES + 1) / CANDIDATES
        errors = [self._error(values, counts, *clipped(low, high, ratio)) for ratio in ratios]
        best = ratios[len(errors) - 1 - int(np.argmin(errors[::-1]))]  # the widest of equals
        return clipped(low, high, best)

    @staticmethod
    def _error(values: np.ndarray, counts: np.ndarray, low: float, high: float) -> float:
        scale = (high - low) / (LEVELS - 1)
        first = np.floor(low / scale + 0.5)
        codes = np.clip(np.floor(values / scale + 0.5), first, first + LEVELS - 1)
        return float(np.dot(counts, (codes * scale - values) ** 2))


class Entropy(Histogram):
    """The clipping magnitude whose quantized histogram has the least Kullback-Leibler divergence from the clipped.

    The rule of Migacz, "8-bit inference with TensorRT" (2017), with one magnitude for both ends: outliers count in
    the end bins of the reference, each of 256 levels spreads its count over its own occupied bins. The single bin at
    zero of a clamped tensor is left out, as it is represented exactly.
    """

    def choose(self, low: float, high: float) -> tuple[float, float]:
        """The range cut at the best of CANDIDATES magnitudes from 1/8 to 1 times the largest."""
        counts = self.counts.astype(np.float64)
        if low >= 0:
            counts[HALF] = 0  # zeros of a clamp
        if not counts.any():
            return low, high
        ratios = np.linspace(0.125, 1.0, CANDIDATES)
        losses = [self._divergence(counts, *clipped(low, high, ratio)) for ratio in ratios]
        best = ratios[len(losses) - 1 - int(np.argmin(losses[::-1]))]
        return clipped(low, high, best)

    def _divergence(self, counts: np.ndarray, low: float, high: float) -> float:
        width = self.limit / HALF
        start = max(0, math.floor(low / width) + HALF)
        stop = min(2 * HALF, max(math.ceil(high / width) + HALF, start + LEVELS))
        inside = counts[start:stop]
        reference = inside.copy()
        reference[0] += counts[:start].sum()
        reference[-1] += counts[stop:].sum()
        edges = np.arange(LEVELS) * len(inside) // LEVELS
        sums = np.add.reduceat(inside, edges)
        occupied = np.add.reduceat((reference > 0).astype(np.float64), edges)
        level = np.repeat(np.arange(LEVELS), np.diff(np.append(edges, len(inside))))
        spread = np.where(reference > 0, sums[level] / np.maximum(occupied[level], 1), 0.0)
        return _kullback_leibler(reference, spread)


def _kullback_leibler(reference: np.ndarray, model: np.ndarray) -> float:
    if not model.any():
        return math.inf
    p, q = reference / reference.sum(), model / model.sum()
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-12))))


OBSERVERS: dict[str, type[MinMax]] = {
    "minmax": MinMax,
    "percentile": Percentile,
    "mse": MeanSquaredError,
    "entropy": Entropy,
}


def observer_class(name: str) -> type[MinMax]:
    """The observer of that name; WesnpuError lists the names."""
    if name not in OBSERVERS:
        raise WesnpuError(f"observer is {name!r}: must be one of {', '.join(OBSERVERS)}")
    return OBSERVERS[name]

"""One result: a method on a subject with one calibration draw, its network run on every image."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from golden.errors import WesnpuError
from quant.accuracy.candidates import DECIBEL_MAX, Candidate, Progress, make
from quant.accuracy.method import Method
from quant.accuracy.subject import Subject
from quant.evaluation.sources import digest
from quant.images.batches import Images

#: The code that runs a network on images, and those of it whose imports have no part in that.
EVALUATION = ("golden.run", "quant.images.batches", "quant.plan.input_scale", "quant.evaluation.evaluate")
EVALUATION_OPAQUE = ("quant.plan.input_scale", "quant.evaluation.evaluate")
Run = Callable[[Images], np.ndarray]
Keep = Callable[[str, str, Images, Run], np.ndarray]  # name, code, images, how to find the scores


@dataclass(frozen=True, eq=False)
class Measured:
    """What came out of one draw.

    predicted: class of every image, uint16 (N,). sqnr: of the network's output over all images, dB. seconds: of the
    processor, and `wall` of the clock, to make the network, mean over folds. bytes: parameters per output channel that
    hardware stores besides weights. multiplier: kind of its requantizer. engine: whether the engine runs it. layers:
    SQNR in dB of every layer's output, draw 0 only. log: what the passes noted. refused: why there is no network; then
    predicted is empty.
    """

    predicted: np.ndarray
    sqnr: float = 0.0
    seconds: float = 0.0
    wall: float = 0.0
    bytes: float = 0.0
    multiplier: str = ""
    engine: bool = False
    layers: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    refused: str = ""

    def facts(self) -> dict[str, Any]:
        """All fields but `predicted`, as JSON-able values."""
        return {name: value for name, value in vars(self).items() if name != "predicted"}


def measure(
    subject: Subject,
    reference: np.ndarray,
    method: Method,
    draw: int,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
    keep: Keep = lambda name, code, images, run: run(images),
) -> Measured:
    """The method's result; a network that cannot be made gives one that says why.

    reference: the float network's scores, float (N, classes). workers, scheduler: where integers run, as
    `quant.evaluation.evaluate.scores`; no figure depends on them. progress is called with the number of images done.
    keep: finds the scores of a network or knows them, as `quant.accuracy.store.Store.scores`.
    """
    found, done = np.zeros(reference.shape), 0
    layers: dict[str, float] = {}
    made: list[Candidate] = []
    times: list[tuple[float, float]] = []
    for fold in subject.draws[draw]:
        began = time.process_time(), time.perf_counter()
        try:
            made.append(make(subject, method, fold))
        except WesnpuError as error:
            return Measured(np.zeros(0, np.uint16), refused=" ".join(str(error).split()))
        times.append((time.process_time() - began[0], time.perf_counter() - began[1]))
        images = subject.pictures(subject.images[fold.evaluated])
        told = None if progress is None else _behind(progress, done)
        where = {"workers": workers, "scheduler": scheduler, "progress": told}
        found[fold.evaluated] = made[-1].real(_scores(made[-1], images, keep, where))
        done += len(images)
        if draw == 0 and not layers:
            layers = made[-1].layer_sqnr(images)
    seconds, wall = np.mean(times, axis=0)
    return Measured(
        found.argmax(axis=1).astype(np.uint16), decibel(reference, found), float(seconds), float(wall), made[0].bytes,
        made[0].multiplier, made[0].engine, layers, made[0].log,
    )


@cache
def evaluation_digest() -> str:
    """A digest of the code that runs a network on images, as it was at the first call."""
    return digest(EVALUATION, opaque=EVALUATION_OPAQUE)


def _scores(made: Candidate, images: Images, keep: Keep, where: dict[str, Any]) -> np.ndarray:
    """The scores, those kept of an equal network on equal images, whatever recipe made it."""

    def run(some: Images) -> np.ndarray:
        return made.scores(some, **where)

    if not made.digest:
        return run(images)
    name = hashlib.sha256(f"scores {made.digest} {images.preprocessing}".encode() + images.array.tobytes())
    return keep(name.hexdigest(), evaluation_digest(), images, run)


def _behind(progress: Progress, done: int) -> Progress:
    return lambda count: progress(done + count)


def decibel(signal: np.ndarray, found: np.ndarray) -> float:
    """10 log10 of the signal's power over that of the difference, at most DECIBEL_MAX."""
    noise = float(np.sum(np.square(found - signal.astype(np.float64))))
    power = float(np.sum(np.square(signal, dtype=np.float64)))
    return DECIBEL_MAX if noise == 0 else min(DECIBEL_MAX, 10 * float(np.log10(power / noise)))

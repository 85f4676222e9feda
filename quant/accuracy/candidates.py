"""A method made into something that runs: an integer network, or ONNX Runtime's session."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from golden.file import encode_network
from quant.accuracy.cost import channel_bytes, multiplier_kind, runs_on_engine
from quant.accuracy.method import ORT_CHANNEL, Method
from quant.accuracy.subject import Fold, Subject
from quant.evaluation.evaluate import scores, tensor_sqnr
from quant.float_graph.onnx_model import to_onnx
from quant.images.batches import Images
from quant.qdq.ort_static import ort_static
from quant.recipe import quantize_with_plan

LAYER_IMAGES = 16  # images of the signal-to-noise ratio layer by layer
DECIBEL_MAX = 999.0  # instead of infinite, where nothing differs
Progress = Callable[[int], None]


class Candidate(Protocol):
    """bytes: parameters per output channel besides weights. multiplier: kind of its requantizer. engine: whether the
    engine runs it. log: facts noted. digest: of what the scores depend on besides the images, "" where that is unknown.
    """

    bytes: float
    multiplier: str
    engine: bool
    log: list[str]
    digest: str

    def scores(
        self, images: Images, *, workers: int = 1, scheduler: str | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """Scores (N, classes) in the candidate's own unit; arguments as `quant.evaluation.evaluate.scores`."""
        ...

    def real(self, scores: np.ndarray) -> np.ndarray:
        """Scores as real values, float64."""
        ...

    def layer_sqnr(self, images: Images) -> dict[str, float]:
        """SQNR in dB of every layer's output on the first LAYER_IMAGES images, by tensor."""
        ...


class IntegerNetwork:
    """The network of a recipe, run by golden. A Candidate."""

    def __init__(self, subject: Subject, method: Method, fold: Fold) -> None:
        self.plan, self.network = quantize_with_plan(
            subject.imported, fold.calibration, recipe=method.recipe, weight_bits=method.weight_bits,
            activation_bits=method.activation_bits, preprocessing=subject.preprocessing,
        )
        groups = {name: codes.group for name, codes in self.plan.codes.items()}
        self.bytes, self.multiplier = channel_bytes(self.network, groups), multiplier_kind(self.network)
        self.engine = runs_on_engine(self.network)
        self.log: list[str] = list(self.network.provenance["log"])
        self.digest = hashlib.sha256(encode_network(replace(self.network, provenance={}))).hexdigest()

    def scores(
        self, images: Images, *, workers: int = 1, scheduler: str | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """Codes, int8."""
        return scores(self.network, images, workers=workers, scheduler=scheduler, progress=progress)

    def real(self, scores: np.ndarray) -> np.ndarray:
        """The codes' real values."""
        output = self.network.tensors[self.network.outputs[0]]
        return (scores.astype(np.float64) - output.zero_point) * output.scale

    def layer_sqnr(self, images: Images) -> dict[str, float]:
        """Against the plan's float graph, which a pass may have rescaled, its function unchanged."""
        first = Images(images.array[:LAYER_IMAGES], images.shape, images.preprocessing)
        found = tensor_sqnr(self.network, self.plan.graph, first)
        return {name: min(DECIBEL_MAX, value) for name, value in found.items()}


class OrtNetwork:
    """ONNX Runtime's static quantization, run by ONNX Runtime. A Candidate; `log` tells the kernels that really ran."""

    def __init__(self, subject: Subject, method: Method, fold: Fold) -> None:
        channel = method.recipe == ORT_CHANNEL
        self.made = ort_static(to_onnx(subject.graph), subject.pictures(fold.calibration), per_channel=channel)
        self.bytes = 8.0 if channel else 4.0  # an int32 bias, and per channel a float32 scale
        self.multiplier = "float per channel" if channel else "float per layer"
        self.engine = False
        kernels = ", ".join(f"{count} {name}" for name, count in self.made.integer_kernels.items())
        self.log, self.digest = [f"integer kernels: {kernels or 'none'}"], ""

    def scores(
        self, images: Images, *, workers: int = 1, scheduler: str | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """Float32, always found in this process."""
        return self.made.scores(images)

    def real(self, scores: np.ndarray) -> np.ndarray:
        """The scores themselves."""
        return scores.astype(np.float64)

    def layer_sqnr(self, images: Images) -> dict[str, float]:
        """None: ONNX Runtime fuses layers."""
        return {}


def make(subject: Subject, method: Method, fold: Fold) -> Candidate:
    """The method on the subject, calibrated on the fold; WesnpuError where there is none."""
    return (OrtNetwork if method.baseline else IntegerNetwork)(subject, method, fold)

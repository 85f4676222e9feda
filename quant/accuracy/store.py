"""Results kept in files by what they depend on, so that an interrupted comparison goes on where it was."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from golden.files import write_whole
from quant.accuracy.measure import EVALUATION, EVALUATION_OPAQUE, Measured
from quant.accuracy.method import Method
from quant.accuracy.subject import Subject
from quant.evaluation.sources import digest, function_digest
from quant.images.batches import Images
from quant.recipe import execute, make_plan, pass_of, quantize_with_plan, recipe_passes

PACKAGES = ("numpy", "onnx", "onnxruntime")
LEARNING = {"rapq_blocks"}  # passes that also need torch, and are refused without it
MEASURE = tuple(f"quant.accuracy.{name}" for name in ("measure", "candidates", "cost"))
#: What every integer result depends on besides its passes, and the functions of quant.recipe that run them.
INTEGER = ("quant.plan.lower", "quant.calibration.calibrate", *EVALUATION, *MEASURE)
RUNNERS = (quantize_with_plan, make_plan, execute)
ORT = ("quant.qdq.ort_static", "quant.images.batches", *MEASURE)
FLOAT = (
    "quant.evaluation.evaluate", "quant.float_graph.onnxruntime_run", "quant.float_graph.onnx_model",
    "quant.images.batches",
)
OPAQUE = (*EVALUATION_OPAQUE, *MEASURE)
SAMPLE = 16  # images that tell whether other code gives the same integers


class Store:
    """A folder with one file for each result; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first result is kept."""
        self.folder = folder

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    def _load(self, key: str) -> dict[str, np.ndarray] | None:
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise WesnpuError(f"{path}: is no kept result ({error}): remove it") from error

    def _save(self, key: str, **arrays: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_whole(self._path(key), buffer.getvalue())

    def array(self, key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array kept under `key`, or the one that `make` returns."""
        kept = self._load(key)
        if kept is None:
            kept = {"array": make()}
            self._save(key, **kept)
        return kept["array"]

    def scores(self, name: str, code: str, images: Images, run: Callable[[Images], np.ndarray]) -> np.ndarray:
        """The scores kept under `name`, or those that `run` finds. `name` tells network and images, `code` is a digest.

        Scores kept by other code are taken if the first SAMPLE images give the same ones now: the integers of a
        network are defined by docs/arithmetic.md, so code that changes any of them changes many.
        """
        kept = self._load(name)
        if kept is not None and str(kept["code"]) != code:
            first = Images(images.array[:SAMPLE], images.shape, images.preprocessing)
            kept = kept if np.array_equal(kept["scores"][:SAMPLE], run(first)) else None
        if kept is None or str(kept["code"]) != code:
            kept = {"scores": run(images) if kept is None else kept["scores"], "code": np.array(code)}
            self._save(name, **kept)
        return kept["scores"]

    def get(self, key: str) -> Measured | None:
        """The result kept under `key`."""
        kept = self._load(key)
        return None if kept is None else Measured(predicted=kept["predicted"], **json.loads(str(kept["facts"])))

    def put(self, key: str, result: Measured, seconds: float | None = None) -> None:
        """Keep a result, and the processor seconds that it took where they are known."""
        time = {} if seconds is None else {"seconds": np.array(seconds)}
        self._save(key, predicted=result.predicted, facts=np.array(json.dumps(result.facts())), **time)

    def seconds(self, key: str) -> float | None:
        """Processor seconds that the result kept under `key` took; None where they are not kept."""
        kept = self._load(key) or {}
        return float(kept["seconds"]) if "seconds" in kept else None


def key(identity: str, subject: Subject, method: Method, draw: int) -> str:
    """The name of one result: a digest of network, images, calibration, method, draw, code and package versions.

    identity: `subject.identity()`, which takes a moment to find.
    """
    found = hashlib.sha256(identity.encode())
    for fold in subject.draws[draw]:
        found.update(fold.calibration.tobytes() + fold.evaluated.astype(np.int64).tobytes())
    facts = [str(method), *_steps(method), code(method), *(version(name) for name in PACKAGES)]
    facts += [_torch()] if LEARNING & set(_steps(method)) else []
    found.update(json.dumps([*facts, draw == 0]).encode())
    return found.hexdigest()


def _torch() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "no torch"


def float_key(identity: str) -> str:
    """The name of the float network's scores."""
    facts = f"{identity} float {digest(FLOAT, opaque=OPAQUE)} {version('onnxruntime')}"
    return hashlib.sha256(facts.encode()).hexdigest()


def code(method: Method) -> str:
    """A digest of the code that makes and runs the method's network."""
    if method.baseline:
        return digest(ORT, opaque=OPAQUE)
    passes = {pass_of(name).__module__ for name in _steps(method)}
    return digest({*INTEGER, *passes}, opaque=OPAQUE) + function_digest(*RUNNERS)


def _steps(method: Method) -> tuple[str, ...]:
    return () if method.baseline else recipe_passes(method.recipe)

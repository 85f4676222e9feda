"""Accuracy of a quantized network run as integers: top-1, agreement with the float network, SQNR tensor by tensor."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from golden.errors import WesnpuError
from golden.network import Network
from golden.run import run
from quant.calibration.calibrate import batch_size
from quant.evaluation.cluster import connected, map_batches
from quant.float_graph.graph import Graph
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.images.batches import Images
from quant.plan.input_scale import quantize_real

BATCH = 16  # images a worker takes at a time
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Evaluation:
    """Counts over `images`: `correct` top-1 (None without labels), `agree` with the float network (None without it)."""

    images: int
    correct: int | None
    agree: int | None

    @property
    def top1(self) -> float | None:
        """Top-1 accuracy in percent."""
        return None if self.correct is None else 100 * self.correct / self.images

    @property
    def agreement(self) -> float | None:
        """Share of images on which the class is the float network's, in percent."""
        return None if self.agree is None else 100 * self.agree / self.images


def input_codes(network: Network, real: np.ndarray) -> np.ndarray:
    """The network's int8 input for real values (N, C, H, W) or (C, H, W)."""
    tensor = network.tensors[network.input]
    return quantize_real(real, tensor.scale, tensor.zero_point)


def scores(
    network: Network,
    images: Images,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Codes of the first output, int8 (N, classes), every image run as integers, the same wherever they run.

    workers: processes of this machine. scheduler: address of a dask.distributed scheduler whose workers take the
    batches instead (quant.evaluation.cluster). progress is called with the number of images done.
    """
    if workers < 1:
        raise WesnpuError(f"workers is {workers}: must be at least 1")
    batches = (input_codes(network, batch) for batch in images.batches(BATCH))
    parts: list[np.ndarray] = []
    for part in _outputs(network, batches, workers, scheduler):
        parts.append(part)
        if progress is not None:
            progress(sum(map(len, parts)))
    return np.concatenate(parts)


def _outputs(
    network: Network, batches: Iterable[np.ndarray], workers: int, scheduler: str | None
) -> Iterator[np.ndarray]:
    if scheduler is not None:
        with connected(scheduler) as client:
            yield from map_batches(client, _first_output, network, batches)
    elif workers > 1:
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_set_network, initargs=(network,)) as pool:
            yield from pool.map(_run_worker, batches)
    else:
        yield from (_first_output(network, batch) for batch in batches)


_worker_network: list[Network] = []


def _set_network(network: Network) -> None:
    _worker_network[:] = [network]


def _run_worker(batch: np.ndarray) -> np.ndarray:
    return _first_output(_worker_network[0], batch)


def _first_output(network: Network, batch: np.ndarray) -> np.ndarray:
    return run(network, batch).outputs[network.outputs[0]].reshape(len(batch), -1)


def float_scores(graph: Graph, images: Images, *, threads: int = 0) -> np.ndarray:
    """The first output of the float graph in onnxruntime, float32 (N, classes)."""
    runner = FloatRunner(to_onnx(graph), [graph.outputs[0]], threads=threads)
    parts = [runner(batch)[graph.outputs[0]] for batch in images.batches(BATCH)]
    return np.concatenate(parts).reshape(len(images), -1)


def compare_scores(
    quantized: np.ndarray, labels: np.ndarray | None = None, reference: np.ndarray | None = None
) -> Evaluation:
    """Top-1 of scores (N, classes) against labels (N,), and agreement with other scores (N, classes).

    Of equal scores the class with the lowest number counts.
    """
    chosen = quantized.argmax(axis=1)
    correct = None if labels is None else int(np.count_nonzero(chosen == np.asarray(labels)))
    agree = None if reference is None else int(np.count_nonzero(chosen == reference.argmax(axis=1)))
    return Evaluation(len(chosen), correct, agree)


def evaluate(
    network: Network,
    images: Images,
    labels: np.ndarray | None = None,
    *,
    graph: Graph | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run the network on the images as integers; labels (N,) give top-1, the float graph gives agreement."""
    reference = None if graph is None else float_scores(graph, images)
    found = scores(network, images, workers=workers, scheduler=scheduler, progress=progress)
    return compare_scores(found, labels, reference)


def tensor_sqnr(network: Network, graph: Graph, images: Images) -> dict[str, float]:
    """Signal to quantization noise of every layer's output against the float graph, in dB; infinite where equal.

    Noise includes what earlier layers made: float and integer network each run from the image.
    """
    names = [layer.output for layer in network.layers]
    runner = FloatRunner(to_onnx(graph), names, threads=0)
    signal, noise = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for batch in images.batches(min(BATCH, batch_size(graph))):
        real, integer = runner(batch), run(network, input_codes(network, batch), keep=names).tensors
        for name in names:
            tensor = network.tensors[name]
            error = (integer[name].astype(np.float64) - tensor.zero_point) * tensor.scale - real[name]
            signal[name] += float(np.sum(np.square(real[name], dtype=np.float64)))
            noise[name] += float(np.sum(np.square(error)))
    with np.errstate(divide="ignore"):
        return {name: float(10 * np.log10(np.divide(signal[name], noise[name]))) for name in names}

"""Calibration: onnxruntime runs the float graph over the images, batch by batch, and observers watch every tensor."""

import os
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from golden.errors import WesnpuError
from quant.calibration.observers import MinMax, observer_class
from quant.float_graph.graph import Activation, Graph
from quant.float_graph.onnx_model import linear_name, to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner

BATCH_BYTES = 128 * 2**20  # of returned tensors at a time


@dataclass
class Statistics:
    """What calibration saw: `ranges` (low, high) by tensor; `means` before the clamp by node output, float64 (C,)."""

    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    means: dict[str, np.ndarray] = field(default_factory=dict)


def batch_size(graph: Graph) -> int:
    """Images per run so that the tensors of all of them stay below BATCH_BYTES; at least one, at most 64."""
    per_image = 4 * sum(int(np.prod(shape)) for shape in graph.shapes.values())
    return max(1, min(64, BATCH_BYTES // per_image))


def mean_name(tensor: str) -> str:
    """Name of the output with the mean of `tensor` before its clamp, (N, C)."""
    return f"{tensor}:mean"


def with_means(graph: Graph, tensors: Collection[str]) -> onnx.ModelProto:
    """The graph's ONNX model with the mean over height and width of those node outputs before their clamp."""
    model = to_onnx(graph)
    for node in graph.nodes:
        if node.output in tensors:
            source = linear_name(node.output) if node.activation != Activation() else node.output
            name = mean_name(node.output)
            model.graph.node.append(helper.make_node("ReduceMean", [source], [name], axes=[2, 3], keepdims=0))
    return model


def collect(
    graph: Graph,
    batches: Iterable[np.ndarray],
    *,
    observer: str = "minmax",
    means: Collection[str] = (),
    means_images: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Statistics:
    """Ranges of every tensor of the graph, and the means asked for.

    batches: float32 (N, C, H, W), any N; only one is held at a time. observer: a key of observers.OBSERVERS;
    outputs of the network always keep their whole range (min-max), for a clipped score no longer tells classes apart.
    means: outputs of nodes, averaged over the first `means_images` images (None: all). progress is called with the
    number of images done. WesnpuError names a tensor that is NaN or infinite, and refuses an empty calibration set.
    """
    make = observer_class(observer)
    tensors = [graph.input] + [node.output for node in graph.nodes]
    observers = {name: (MinMax if name in graph.outputs else make)(name) for name in tensors}
    runner = FloatRunner(with_means(graph, means), tensors[1:] + [mean_name(name) for name in means], threads=0)
    sums, done = {name: _MeanSum(means_images) for name in means}, 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy's reductions run beside each other
        for batch in batches:
            values = runner(batch) | {graph.input: batch}
            list(pool.map(lambda name, seen=values: observers[name].observe(seen[name]), tensors))
            for name in means:
                sums[name].add(values[mean_name(name)])
            done += len(batch)
            if progress is not None:
                progress(done)
    if not done:
        raise WesnpuError("calibration images: there are 0, at least one is needed")
    ranges = {name: watcher.range() for name, watcher in observers.items()}
    return Statistics(ranges, {name: total.mean() for name, total in sums.items()})


class _MeanSum:
    """The mean of the first `limit` rows, summed in float64."""

    def __init__(self, limit: int | None) -> None:
        self.limit, self.rows, self.total = limit, 0, np.zeros(())

    def add(self, values: np.ndarray) -> None:
        left = len(values) if self.limit is None else max(0, self.limit - self.rows)
        self.total = self.total + values[:left].astype(np.float64).sum(axis=0)
        self.rows += min(left, len(values))

    def mean(self) -> np.ndarray:
        return self.total / self.rows

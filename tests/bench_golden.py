"""Golden's fast path against onnxruntime fp32 on MobileNetV2-224 shapes: one thread, one run, every tensor compared.

`python -m tests.bench_golden` prints images/s of both and their ratio, and ends with code 1 below the bar or when any
tensor differs from the readable int64 definition. The two are timed in turn, so that a busy machine slows both.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # must be set before NumPy is imported

import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from golden.network import Network  # noqa: E402
from golden.run import run  # noqa: E402
from tests.golden_networks import mobilenet_v2  # noqa: E402

BAR = 0.22  # images/s of golden over images/s of onnxruntime fp32
SEED = 20260101
ROUNDS = 40


def float_model(network: Network) -> onnx.ModelProto:
    """The ordinary float32 network of the same shapes: Conv, Clip 0..6, Add and GlobalAveragePool nodes."""
    rng, nodes, weights = np.random.default_rng(SEED), [], []
    weights += [numpy_helper.from_array(np.float32(value), name) for name, value in (("zero", 0), ("six", 6))]
    for layer in network.layers:
        out, shape = layer.output, layer.weight.shape
        clipped = layer.lo > -128
        if layer.depthwise and layer.kernel == network.tensors[layer.input].shape[1:]:
            nodes.append(helper.make_node("GlobalAveragePool", [layer.input], [out]))
            continue
        weight = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        weights += [numpy_helper.from_array(weight, out + ".w")]
        weights += [numpy_helper.from_array(rng.normal(0, 1, shape[0]).astype(np.float32), out + ".b")]
        direct = out if not clipped and not layer.residual else out + ".conv"
        group = shape[0] if layer.depthwise else 1
        options = {"strides": layer.stride, "pads": layer.padding, "group": group}
        nodes.append(helper.make_node("Conv", [layer.input, out + ".w", out + ".b"], [direct], **options))
        if clipped:
            nodes.append(helper.make_node("Clip", [direct, "zero", "six"], [out]))
        elif layer.residual:
            nodes.append(helper.make_node("Add", [direct, layer.residual.tensor], [out]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *network.tensors[name].shape])
        for name in (network.input, network.outputs[0])
    ]
    graph = helper.make_graph(nodes, network.name, ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def float_session(network: Network) -> onnxruntime.InferenceSession:
    """onnxruntime on one thread with all its graph optimizations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        float_model(network).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def differing_tensors(network: Network, image: np.ndarray) -> list[str]:
    """Names of the tensors in which the fast path differs from the readable definition."""
    fast, exact = run(network, image, keep=True).tensors, run(network, image, keep=True, exact=True).tensors
    if set(fast) != set(network.tensors) or set(exact) != set(network.tensors):
        raise RuntimeError("a run did not keep every tensor")
    return [name for name in network.tensors if not np.array_equal(fast[name], exact[name])]


def timed_in_turn(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median processor seconds of both, called alternately after one warm-up each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for function, times in zip((first, second), seconds, strict=True):
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
    return float(np.median(seconds[0][1:])), float(np.median(seconds[1][1:]))


def main() -> int:
    """Print the comparison and return the exit code."""
    rng = np.random.default_rng(SEED)
    network = mobilenet_v2(rng)
    image = rng.integers(-128, 128, network.tensors[network.input].shape).astype(np.int8)
    differing = differing_tensors(network, image)
    print(f"tensors equal to the int64 definition: {len(network.tensors) - len(differing)} of {len(network.tensors)}")
    session, feed = float_session(network), {network.input: image[None].astype(np.float32) / 64}
    ours, theirs = timed_in_turn(lambda: run(network, image), lambda: session.run(None, feed), ROUNDS)
    ratio = theirs / ours
    names = f"golden, NumPy {np.__version__}", f"onnxruntime {onnxruntime.__version__} fp32"
    for name, seconds in zip(names, (ours, theirs), strict=True):
        print(f"{name:26} {1 / seconds:7.1f} images/s  ({seconds * 1e3:.1f} ms, one thread)")
    print(f"{'ratio':26} {ratio:7.2f}  (bar {BAR}, seed {SEED})")
    return 1 if differing or ratio < BAR else 0


if __name__ == "__main__":
    sys.exit(main())

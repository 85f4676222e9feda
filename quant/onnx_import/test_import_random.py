"""Random networks of every supported operator: import keeps the function, or refuses by name."""

import os

import numpy as np
import pytest

from quant.float_graph.numpy_run import run_graph
from quant.onnx_import import import_onnx
from quant.onnx_import.check import compare_layers, compare_outputs
from quant.onnx_import.testdata.net import Net

SEEDS = range(60) if "WESNPU_SEED" not in os.environ else [int(os.environ["WESNPU_SEED"])]


def random_net(seed: int) -> tuple[Net, list[str]]:
    """Up to 14 operators on a small image; tensors are read again, clamped, added, moved to NHWC and back."""
    rng = np.random.default_rng(seed)
    net = Net((int(rng.integers(1, 3)), 3, 6, 7), seed=seed)
    tensors = [("x", 3, 6, 7)]
    for _ in range(int(rng.integers(3, 15))):
        kind = str(rng.choice(["conv", "depthwise", "bn", "clamp", "affine", "add", "pad", "pool", "nhwc"]))
        tensors.append(
            _grow(net, rng, kind, tensors[-1 if rng.random() < 0.8 else int(rng.integers(len(tensors)))], tensors)
        )
    name, channels, height, width = tensors[-1]
    end = str(rng.choice(["none", "flatten", "global"]))
    if end != "none":
        pooled = net.op("GlobalAveragePool", name) if end == "global" else name
        size = channels * (1 if end == "global" else height * width)
        name = net.op("Gemm", net.op("Flatten", pooled), net.normal(size, 5), net.normal(5))
    outputs = [name] + [t[0] for t in tensors[1:-1] if rng.random() < 0.1]
    return net, list(dict.fromkeys(outputs))


def _grow(net: Net, rng: np.random.Generator, kind: str, source: tuple, tensors: list) -> tuple:
    x, c, h, w = source
    if kind in ("conv", "depthwise"):
        kernel, stride, outputs = int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(1, 6))
        group, outputs = (c, c) if kind == "depthwise" else (1, outputs)
        mode = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
        y = net.conv(x, c, outputs, kernel, group=group, auto_pad=mode, strides=[stride, stride])
        return y, outputs, -(-h // stride), -(-w // stride)
    if kind == "bn":
        return net.batch_norm(x, c), c, h, w
    if kind == "clamp":
        low = float(rng.choice([0.0, -0.5]))
        y = net.op("Relu", x) if rng.random() < 0.5 else net.op("Clip", x, net.const(low), net.const(1.5))
        return y, c, h, w
    if kind == "affine":
        return net.op(str(rng.choice(["Add", "Sub", "Mul", "Div"])), x, net.normal(c, 1, 1)), c, h, w
    if kind == "add":
        partners = [t[0] for t in tensors if t[1:] == (c, h, w)]
        return net.op("Add", x, str(rng.choice(partners))), c, h, w
    if kind == "pad":
        top, left, bottom, right = (int(p) for p in rng.integers(0, 3, size=4))
        y = net.op("Pad", x, net.ints(0, 0, top, left, 0, 0, bottom, right))
        return y, c, h + top + bottom, w + left + right
    if kind == "pool":
        kernel = [min(2, h), min(3, w)]
        y = net.op("AveragePool", x, kernel_shape=kernel)
        return y, c, h - kernel[0] + 1, w - kernel[1] + 1
    y = net.op("Mul", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.normal(c))
    return net.op("Transpose", y, perm=[0, 3, 1, 2]), c, h, w


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(seed, tmp_path):
    print(f"repeat: WESNPU_SEED={seed} .venv/bin/python -m pytest quant/onnx_import/test_import_random.py")
    net, outputs = random_net(seed)
    path = net.save(tmp_path, *outputs)
    imported = import_onnx(path)
    x = net.images()
    differences = compare_outputs(imported, path, x)
    assert {d.tensor for d in differences} == set(outputs)
    for difference in differences + compare_layers(imported, path, x):
        assert difference.ratio <= 1, difference
    tensors = run_graph(imported.graph, imported.to_graph(x))
    assert {n: t.shape[1:] for n, t in tensors.items()} == imported.graph.shapes

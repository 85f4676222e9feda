"""The float graph itself: validation, NumPy evaluation against direct sums, export to onnxruntime."""

import numpy as np
import pytest

from golden.errors import WesnpuError
from quant.float_graph.graph import Activation, Add, Conv, Graph, Pool
from quant.float_graph.numpy_run import linear, run_graph
from quant.float_graph.onnx_model import linear_name, to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.onnx_import.check import error_bounds

RNG = np.random.default_rng(3)


def small_graph() -> Graph:
    """Dense, depthwise, addition, pooling; asymmetric padding, unequal strides, clamps."""
    dense = Conv("c0", "x", "a", False, RNG.normal(size=(4, 3, 3, 2)), RNG.normal(size=4), (1, 2), (1, 0, 2, 1))
    depth = Conv("c1", "a", "b", True, RNG.normal(size=(4, 1, 3, 3)), RNG.normal(size=4), (1, 1), (1, 1, 1, 1))
    depth.activation = Activation(0.0, 1.5)
    add = Add("s", ("a", "b"), "c", Activation(-1.0, None))
    pool = Pool("p", "c", "y", (3, 2), (2, 1), (1, 0, 0, 1), Activation(None, 0.5))
    shapes = {"x": (3, 6, 7), "a": (4, 7, 4), "b": (4, 7, 4), "c": (4, 7, 4), "y": (4, 3, 4)}
    return Graph("small", "x", ["y"], [dense, depth, add, pool], shapes)


def direct(node: Conv | Pool, x: np.ndarray) -> np.ndarray:
    """The definition, one output at a time; x (C, H, W)."""
    top, left, bottom, right = node.padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    (kh, kw), (sh, sw) = node.kernel, node.stride
    channels = len(node.bias) if isinstance(node, Conv) else len(x)
    size = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    out = np.zeros((channels, *size))
    for c, i, j in np.ndindex(out.shape):
        window = x[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
        if isinstance(node, Pool):
            out[c, i, j] = window[c].sum() / (kh * kw)
        else:
            window = window[c : c + 1] if node.depthwise else window
            out[c, i, j] = (window * node.weight[c]).sum() + node.bias[c]
    return out


def test_evaluation_is_the_definition():
    graph, x = small_graph(), RNG.normal(size=(2, 3, 6, 7))
    graph.validate()
    tensors = run_graph(graph, x)
    for node in graph.nodes:
        inputs = [tensors[t] for t in node.inputs]
        low, high = node.activation.low, node.activation.high
        wanted = inputs[0] + inputs[1] if isinstance(node, Add) else np.stack([direct(node, i) for i in inputs[0]])
        assert np.allclose(linear(node, *inputs), wanted, rtol=0, atol=1e-13)
        if (low, high) != (None, None):
            wanted = np.clip(wanted, low, high)
        assert np.allclose(tensors[node.output], wanted, rtol=0, atol=1e-13)
        assert tensors[node.output].shape[1:] == graph.shapes[node.output]


def test_onnxruntime_agrees_on_every_tensor_and_any_batch():
    graph = small_graph()
    for batch in (1, 5):
        x = RNG.normal(size=(batch, 3, 6, 7)).astype(np.float32)
        names = [*graph.shapes, linear_name("b")][1:]
        values, wanted, bounds = FloatRunner(to_onnx(graph), names)(x), run_graph(graph, x), error_bounds(graph, x)
        wanted["b:linear"], bounds["b:linear"] = linear(graph.nodes[1], wanted["a"]), bounds["b"]
        for name in names:
            assert np.all(np.abs(values[name] - wanted[name]) <= bounds[name]), name


def test_names_that_do_not_exist():
    with pytest.raises(KeyError, match="nothing"):
        FloatRunner(to_onnx(small_graph()), ["nothing"])


def test_a_model_that_onnxruntime_cannot_load():
    model = to_onnx(small_graph())
    model.graph.node[0].input[1] = "nowhere"
    with pytest.raises(WesnpuError, match="onnxruntime cannot run 'small'"):
        FloatRunner(model)


def test_producers_and_consumers():
    graph = small_graph()
    assert graph.producer("x") is None and graph.producer("c").name == "s"
    assert [n.name for n in graph.consumers("a")] == ["c1", "s"]


def broken(change) -> Graph:
    graph = small_graph()
    change(graph)
    return graph


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda g: g.nodes.reverse(), "node 'p': reads unknown"),
        (lambda g: setattr(g.nodes[1], "name", "c0"), "node 'c0': reads unknown .*repeats a name"),
        (lambda g: g.shapes.update(y=(4, 4, 4)), "node 'p': 'y' is"),
        (lambda g: setattr(g.nodes[0], "bias", np.zeros(5)), "Conv 'c0': weight"),
        (lambda g: setattr(g.nodes[2], "inputs", ("a", "x")), "Add 's': operands of shapes"),
        (lambda g: setattr(g.nodes[3], "kernel", (9, 9)), "'p': kernel"),
        (lambda g: g.outputs.append("z"), "graph 'small': outputs"),
    ],
)
def test_validation_names_the_node(change, message):
    with pytest.raises(ValueError, match=message):
        broken(change).validate()


def test_input_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="x of shape"):
        run_graph(small_graph(), np.zeros((1, 3, 6, 8)))

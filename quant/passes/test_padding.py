"""Padding that is not less than its kernel: zero taps make it so, with the same outputs."""

import numpy as np
import pytest

from golden.run import run
from quant.evaluation.evaluate import input_codes, tensor_sqnr
from quant.float_graph.graph import Activation, Conv, Graph
from quant.float_graph.numpy_run import linear
from quant.images.batches import Images
from quant.plan.operations import within_kernel
from quant.recipe import quantize

PADS = [(3, 3, 3, 3), (0, 2, 1, 5), (4, 0, 0, 1), (1, 1, 1, 1)]


def convolution(kernel, padding, stride, depthwise):
    """Small integers in float64: every sum is exact."""
    rng = np.random.default_rng(kernel[0] + 10 * sum(padding))
    weight = rng.integers(-9, 10, (3, 1 if depthwise else 3, *kernel)).astype(np.float64)
    return Conv("conv", "x", "y", depthwise, weight, np.arange(3.0), stride, padding)


@pytest.mark.parametrize("padding", PADS)
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_zero_taps_keep_every_output(kernel, padding, stride, depthwise):
    node = convolution(kernel, padding, stride, depthwise)
    weight, wider = within_kernel(node.weight, node.padding)
    assert all(pad < size for pad, size in zip(wider, weight.shape[2:] * 2, strict=True))
    same = all(pad < size for pad, size in zip(padding, kernel * 2, strict=True))
    assert (weight.shape == node.weight.shape) == same
    x = np.random.default_rng(1).integers(-9, 10, (2, 3, 6, 7)).astype(np.float64)
    again = Conv("conv", "x", "y", depthwise, weight, node.bias, stride, wider)
    expected = linear(node, x)
    assert expected.any() and np.array_equal(linear(again, x), expected)


@pytest.mark.parametrize("padding", PADS)
def test_such_a_network_runs_as_integers(padding):
    node = convolution((1, 1), padding, (1, 1), True)
    node.activation = Activation(0.0, None)
    size = (3, 6 + padding[0] + padding[2], 7 + padding[1] + padding[3])
    graph = Graph("net", "x", ["y"], [node], {"x": (3, 6, 7), "y": size})
    images = Images(np.random.default_rng(2).normal(size=(4, 3, 6, 7)), (3, 6, 7), None)
    network = quantize(graph, images.array, recipe="wes")
    codes = input_codes(network, images.array)
    fast, exact = run(network, codes).outputs["y"], run(network, codes, exact=True).outputs["y"]
    assert fast.shape == (4, *size) and np.array_equal(fast, exact)
    assert tensor_sqnr(network, graph, images)["y"] > 30

"""The dataclasses refuse what the engine cannot do, and say where."""

import re
from dataclasses import replace

import numpy as np
import pytest

from golden.bounds import accumulator_bounds, partial_sum_bound
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network, Preprocessing, Residual, Tensor
from golden.requantize import INT32_MAX, INT32_MIN, ShiftScaler
from tests.golden_networks import Builder


def make_layer(**changes: object) -> ConvLayer:
    values: dict = {
        "name": "conv",
        "input": "x0",
        "output": "x1",
        "depthwise": False,
        "weight": np.ones((4, 3, 3, 3), np.int8),
        "bias": np.zeros(4, np.int32),
        "stride": (2, 1),
        "padding": (1, 0, 1, 2),
        "requantizer": ShiftScaler(np.zeros(4, np.uint8), 4, 2**15),
        "lo": -128,
        "hi": 127,
    }
    return ConvLayer(**(values | changes))


def make_network(**changes: object) -> Network:
    values: dict = {
        "name": "net",
        "input": "x0",
        "outputs": ("x1",),
        "tensors": {"x0": Tensor("x0", 3, 8, 9, 0.5, 1), "x1": Tensor("x1", 4, 4, 9, 0.5, 1)},
        "layers": (make_layer(),),
    }
    return Network(**(values | changes))


def refused(words: str):  # noqa: ANN201
    return pytest.raises(WesnpuError, match=re.escape(words))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "layer name is ''"),
        ({"weight": np.full((4, 3, 3, 3), -128, np.int8)}, "layer conv: weight spans -128..-128"),
        ({"weight": np.ones((4, 3, 3, 3))}, "layer conv: weight is float64 (4, 3, 3, 3)"),
        ({"weight": np.ones((4, 3, 3), np.int8)}, "weight is int8 (4, 3, 3)"),
        ({"weight": np.ones((4, 0, 3, 3), np.int8)}, "not empty"),
        ({"bias": np.zeros(3, np.int32)}, "bias has 3 elements: must be 4"),
        ({"bias": np.zeros(4, np.int64)}, "bias is int64 (4,)"),
        ({"depthwise": True}, "a depthwise layer needs (C, 1, KH, KW)"),
        ({"depthwise": 1}, "depthwise is 1"),
        ({"weight_bits": 5}, "weight_bits is 5: must be one of"),
        ({"weight_bits": 4}, "weight is not left-aligned: must be multiples of 16"),
        ({"stride": (0, 1)}, "stride[0] is 0: must be in 1..65535"),
        ({"stride": 1}, "stride is 1: must be 2 integers"),
        ({"padding": (3, 0, 0, 0)}, "padding top is 3: must be in 0..2"),
        ({"padding": (0, 0, 0, 3)}, "padding right is 3: must be in 0..2"),
        ({"padding": (0, 0, 0)}, "must be 4 integers"),
        ({"lo": 5, "hi": 4}, "lo is 5 and hi is 4"),
        ({"lo": -129}, "lo is -129: must be in -128..127"),
        ({"hi": 1.5}, "hi is 1.5: must be an integer"),
        ({"requantizer": None}, "requantizer is NoneType"),
        ({"requantizer": ShiftScaler(np.zeros(3, np.uint8), 4, 2**15)}, "requantizer has 3 channels: must be 4"),
        ({"residual": "x0"}, "residual is str"),
        ({"input": ""}, "input is ''"),
    ],
)
def test_layer_refuses(changes: dict, words: str) -> None:
    with refused(words):
        make_layer(**changes)


def test_residual_refuses() -> None:
    with refused("residual multiplier is 32769: must be in 0..32768"):
        Residual("x0", 2**15 + 1)
    with refused("residual tensor is ''"):
        Residual("", 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 0}, "tensor x: channels is 0: must be in 1..65535"),
        ({"scale": 0.0}, "tensor x: scale is 0.0: must be a finite number > 0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"scale": "1"}, "scale is '1'"),
        ({"zero_point": 128}, "tensor x: zero_point is 128: must be in -128..127"),
    ],
)
def test_tensor_refuses(changes: dict, words: str) -> None:
    with refused(words):
        replace(Tensor("x", 1, 2, 3, 0.5, 0), **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": 0}, "preprocessing height is 0"),
        ({"channel_order": "RGBA"}, "channel_order is 'RGBA'"),
        ({"layout": "CHW"}, "layout is 'CHW'"),
        ({"std": (0.0,)}, "std is 0.0: must be a finite number > 0"),
        ({"mean": (1.0, 2.0)}, "mean is (1.0, 2.0): must be 1 or 3 numbers"),
        ({"value_range": float("inf")}, "value_range is inf"),
        ({"resize": 0}, "resize is 0"),
    ],
)
def test_preprocessing_refuses(changes: dict, words: str) -> None:
    with refused(words):
        replace(Preprocessing(8, 9), **changes)


X1 = Tensor("x1", 4, 4, 9, 0.5, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": "nope"}, "input is 'nope'"),
        ({"outputs": ()}, "outputs is ()"),
        ({"outputs": ("x1", "x1")}, "each once"),
        ({"outputs": ("x2",)}, "output 'x2' is produced by no layer"),
        ({"labels": (1,)}, "labels is (1,)"),
        ({"guard_bits": 5}, "layer conv: requantizer has guard_bits 7: must be 5"),
        ({"layers": (make_layer(input="x1"),)}, "layer conv: 'x1' is read before any layer produces it"),
        ({"layers": (make_layer(output="x0"),)}, "output 'x0' must be a tensor that nothing produced before"),
        ({"layers": (make_layer(output="x9"),)}, "output 'x9' must be a tensor"),
        ({"layers": (make_layer(), make_layer())}, "layer name 'conv' is used twice"),
        ({"layers": (make_layer(stride=(1, 1)),)}, "output 'x1' has shape (4, 4, 9): must be (4, 8, 9)"),
        ({"layers": (make_layer(weight=np.ones((4, 2, 3, 3), np.int8)),)}, "weight reads 2 channels: input has 3"),
        ({"layers": (make_layer(residual=Residual("x0", 5)),)}, "residual 'x0' has shape (3, 8, 9): must be (4, 4, 9)"),
        ({"layers": (make_layer(residual=Residual("x1", 5)),)}, "'x1' is read before any layer produces it"),
        ({"layers": ()}, "output 'x1' is produced by no layer"),
        ({"preprocessing": Preprocessing(8, 8)}, "preprocessing makes (3, 8, 8): must be (3, 8, 9)"),
        (
            {"layers": (make_layer(weight=np.ones((4, 3, 12, 3), np.int8)),)},
            "kernel (12, 3) is larger than the padded input (10, 11)",
        ),
    ],
)
def test_network_refuses(changes: dict, words: str) -> None:
    assert make_network().tensors["x1"] == X1
    with refused(words):
        make_network(**changes)


def test_network_refuses_tensors_that_do_not_fit() -> None:
    tensors = dict(make_network().tensors)
    with refused("tensor 'spare' is produced by no layer"):
        make_network(tensors=tensors | {"spare": Tensor("spare", 1, 1, 1, 1.0, 0)})
    with refused("tensors['x1'] is"):
        make_network(tensors=tensors | {"x1": tensors["x0"]})


def test_a_tensor_as_large_as_the_last_partial_stride_leaves() -> None:
    """floor in the geometry: a stride that does not divide leaves rows and columns unread."""
    assert make_layer(stride=(3, 4)).output_shape(8, 9) == (4, (8 + 2 - 3) // 3 + 1, (9 + 2 - 3) // 4 + 1)
    assert make_layer().output_shape(1, 1) == (4, 1, 1)
    with refused("larger than the padded input"):
        make_layer(padding=(0, 0, 0, 0)).output_shape(2, 9)


@pytest.mark.parametrize("sign", [1, -1])
def test_accumulator_must_fit_int32_exactly(sign: int) -> None:
    """The last bias that fits is taken and the next one refused, on both sides; codes are -128..127."""
    weight = np.full((4, 3, 3, 3), 127, np.int8)
    extreme = 27 * 127 * (127 if sign > 0 else -128)
    limit = (INT32_MAX if sign > 0 else INT32_MIN) - extreme
    make_network(layers=(make_layer(weight=weight, bias=np.full(4, limit, np.int32)),))
    with refused("layer conv: accumulator of channel 0 spans"):
        make_network(layers=(make_layer(weight=weight, bias=np.full(4, limit + sign, np.int32)),))


def test_accumulator_bound_uses_the_codes_that_the_input_can_hold() -> None:
    """A bias beyond the bound of all codes is accepted behind a clamp, and counts the padded zero point."""
    build = Builder(np.random.default_rng(1), (3, 6, 6))
    build.conv(4, 3, 1, depthwise=False, relu=True)
    build.conv(4, 1, 1, depthwise=True, relu=False)
    first, second = build.layers
    first = replace(first, lo=5, hi=10)
    largest = INT32_MAX - 127 * 10
    second = replace(second, weight=np.full((4, 1, 1, 1), 127, np.int8), bias=np.full(4, largest, np.int32))
    build.layers[:] = [first, second]
    network = build.network("clamped")
    assert network.codes("x1") == (5, 10) and network.codes("x0") == (-128, 127)
    build.layers[1] = replace(second, bias=np.full(4, largest + 1, np.int32))
    with refused("accumulator of channel 0"):
        build.network("too large")
    padded = replace(
        second, weight=np.full((4, 1, 3, 3), 14, np.int8), padding=(1, 1, 1, 1), bias=np.zeros(4, np.int32)
    )
    build.layers[1] = padded
    zero_point = build.tensors["x1"].zero_point
    assert zero_point < 5 and build.network("padded").codes_read(padded) == (zero_point, 10)


def test_bounds_are_reached() -> None:
    """The bounds of Eq. 1 are attained by the inputs that make them, and no subset sum exceeds its bound."""
    rng = np.random.default_rng(3)
    weight = rng.integers(-127, 128, (5, 2, 3, 2)).astype(np.int8)
    bias = rng.integers(-9999, 9999, 5).astype(np.int32)
    low, high = accumulator_bounds(weight, bias, -100, 90)
    subset = partial_sum_bound(weight, bias, -100, 90)
    for c in range(5):
        w = weight[c].reshape(-1).tolist()
        assert int(high[c]) == int(bias[c]) + sum(v * (90 if v > 0 else -100) for v in w)
        assert int(low[c]) == int(bias[c]) + sum(v * (-100 if v > 0 else 90) for v in w)
        up = sum(max(v * -100, v * 90, 0) for v in w) + max(int(bias[c]), 0)
        down = sum(min(v * -100, v * 90, 0) for v in w) + min(int(bias[c]), 0)
        assert int(subset[c]) == max(up, -down)


def test_layer_arrays_are_copied_and_read_only() -> None:
    weight = np.ones((4, 3, 3, 3), np.int8)
    layer = make_layer(weight=weight)
    weight[:] = 7
    assert layer.weight.max() == 1 and not layer.weight.flags.writeable and not layer.bias.flags.writeable

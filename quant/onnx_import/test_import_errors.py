"""What cannot be imported ends with one clear line that names file, node, operator, attribute or tensor."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.onnx_import import import_onnx
from quant.onnx_import.testdata.net import Net


def refusal(net: Net, folder, *outputs: str, **options) -> str:
    """The message, one line that begins with the file's name."""
    path = net.save(folder, *outputs)
    with pytest.raises(WesnpuError) as caught:
        import_onnx(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


NODES = {
    "unknown operator": (
        lambda n: n.op("HardSwish", n.conv("x", 3, 4), name="act"),
        "HardSwish 'act': operator is not",
    ),
    "custom domain": (
        lambda n: n.op("Conv", "x", domain="com.microsoft", name="c"),
        "com.microsoft.Conv 'c': operator",
    ),
    "quantized": (
        lambda n: n.op("QuantizeLinear", "x", n.const(0.1), n.const(0, np.uint8), name="q"),
        "QuantizeLinear 'q': the network is already quantized; supported: a float network",
    ),
    "quantized weight": (
        lambda n: n.op("Conv", "x", n.op("DequantizeLinear", n.const(np.ones((4, 3, 1, 1)), np.int8), n.const(0.1))),
        "already quantized",
    ),
    "dilation": (
        lambda n: n.conv("x", 3, 4, 3, dilations=[2, 2], name="c"),
        "Conv 'c': dilations [2, 2]; supported: dilation 1",
    ),
    "group": (
        lambda n: n.op("Conv", "x", n.normal(4, 2, 1, 1), group=2, name="c"),
        "Conv 'c': weight of shape (4, 2, 1, 1) with group 2",
    ),
    "negative pads": (lambda n: n.conv("x", 3, 4, 3, pads=[-1, 0, 0, 0], name="c"), "Conv 'c': pads [-1, 0, 0, 0]"),
    "kernel too large": (lambda n: n.conv("x", 3, 4, 9, name="c"), "Conv 'c': kernel (9, 9) is larger than"),
    "3-D": (lambda n: n.op("Conv", "x", n.normal(4, 3, 1, 1, 1), name="c"), "Conv 'c': 3-D convolution"),
    "computed weight": (lambda n: n.op("Conv", "x", "x", name="c"), "Conv 'c': weight 'x' is not constant"),
    "bias shape": (
        lambda n: n.op("Conv", "x", n.normal(4, 3, 1, 1), n.normal(5), name="c"),
        "Conv 'c': bias of shape (5,)",
    ),
    "NaN weight": (
        lambda n: n.op("Conv", "x", n.const(np.full((4, 3, 1, 1), np.nan)), name="c"),
        "Conv 'c': weight 'c0' holds 12 values that are NaN or infinite",
    ),
    "infinite bias": (
        lambda n: n.op("Conv", "x", n.normal(4, 3, 1, 1), n.const([1, 2, 3, np.inf]), name="c"),
        "Conv 'c': bias 'c1' holds 1 values",
    ),
    "empty weight": (
        lambda n: n.op("Conv", "x", n.const(np.zeros((0, 3, 1, 1))), name="c"),
        "Conv 'c': weight 'c0' is empty",
    ),
    "variance": (
        lambda n: n.op("BatchNormalization", "x", *(n.const(np.full(3, v)) for v in (1, 1, 1, -1)), name="b"),
        "BatchNormalization 'b': variance + epsilon is -",
    ),
    "ceil_mode": (
        lambda n: n.op("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, name="p"),
        "AveragePool 'p': ceil_mode 1",
    ),
    "uncounted padding": (
        lambda n: n.op("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="p"),
        "AveragePool 'p': count_include_pad 0 with padding (1, 1, 1, 1); supported: count_include_pad 1",
    ),
    "max pooling": (
        lambda n: n.op("MaxPool", "x", kernel_shape=[2, 2], name="p"),
        "MaxPool 'p': operator is not supported",
    ),
    "mean over channels": (
        lambda n: n.op("ReduceMean", "x", axes=[1], name="m"),
        "ReduceMean 'm': axes [1] reduce C of",
    ),
    "reflecting pad": (
        lambda n: n.op("Pad", "x", n.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect", name="p"),
        "Pad 'p': mode reflect",
    ),
    "pad of ones": (
        lambda n: n.op("Pad", "x", n.ints(0, 0, 1, 1, 0, 0, 1, 1), n.const(1.0), name="p"),
        "Pad 'p': constant_value 1.0; supported: 0",
    ),
    "cropping pad": (
        lambda n: n.op("Pad", "x", n.ints(0, 0, -1, 0, 0, 0, 1, 1), name="p"),
        "Pad 'p': negative pads [-1, 1, 0, 1]",
    ),
    "channel pad": (
        lambda n: n.op("Pad", "x", n.ints(0, 1, 0, 0, 0, 0, 0, 0), name="p"),
        "Pad 'p': pads dimension 1 (C)",
    ),
    "computed pads": (lambda n: n.op("Pad", "x", "x", name="p"), "Pad 'p': pads 'x' is not constant"),
    "channel shuffle": (
        lambda n: n.op("Reshape", n.conv("x", 3, 4), n.ints(1, 2, 2, 7, 7), name="r"),
        "Reshape 'r': shape (1, 4, 7, 7) to",
    ),
    "spatial constant": (
        lambda n: n.op("Add", "x", n.normal(7, 7), name="a"),
        "Add 'a': operand: constant of shape (7, 7)",
    ),
    "broadcast of tensors": (
        lambda n: n.op("Add", n.conv("x", 3, 4), n.op("GlobalAveragePool", n.conv("x", 3, 4)), name="a"),
        "Add 'a': operands of shapes (1, 4, 7, 7) and (1, 4, 1, 1)",
    ),
    "product of tensors": (
        lambda n: n.op("Mul", "x", n.conv("x", 3, 3), name="m"),
        "Mul 'm': both operands are computed",
    ),
    "division by 0": (lambda n: n.op("Div", "x", n.const(0.0), name="d"), "Div 'd': division of a constant or by 0"),
    "sigmoid inside": (
        lambda n: n.op("Mul", "x", n.op("Sigmoid", "x", name="s"), name="swish"),
        "Mul 'swish': it uses Sigmoid 's' inside the network; supported: ArgMax, LogSoftmax, Sigmoid, Softmax at",
    ),
    "transposed Gemm": (
        lambda n: n.op("Gemm", n.op("Flatten", "x"), n.normal(1, 5), transA=1, name="g"),
        "Gemm 'g': transA 1; supported: transA 0",
    ),
    "product over W": (
        lambda n: n.op("MatMul", "x", n.normal(7, 5), name="m"),
        "MatMul 'm': the last dimension of (1, C, H, W)",
    ),
    "wrong layout": (
        lambda n: n.conv(n.op("Transpose", n.conv("x", 3, 7), perm=[0, 2, 3, 1]), 7, 2, name="c"),
        "Conv 'c': its input is laid out (1, H, W, C)",
    ),
    "NaN bound": (lambda n: n.op("Clip", "x", n.const(np.nan), name="k"), "Clip 'k': min is NaN"),
    "integer cast": (lambda n: n.op("Cast", "x", to=TensorProto.INT8, name="i"), "Cast 'i': to INT8"),
    "training": (
        lambda n: n.op("Dropout", "x", n.const(0.5), n.const(True, bool), name="d"),
        "Dropout 'd': training_mode",
    ),
    "random": (
        lambda n: n.op("Add", "x", n.op("RandomNormal", shape=[3, 1, 1], name="r")),
        "RandomNormal 'r': its output is random",
    ),
    "undefined tensor": (
        lambda n: n.op("Relu", "nowhere", name="r"),
        "Relu 'r': reads tensor 'nowhere', which nothing",
    ),
    "no input at all": (lambda n: n.op("Conv", name="c"), "Conv 'c': "),
    "impossible constant": (
        lambda n: n.op("Add", "x", n.op("Concat", n.ints(1), n.normal(2, 2), axis=0, name="k")),
        "Concat 'k': its constant",
    ),
    "computed condition": (
        lambda n: n.op(
            "If", n.op("Cast", "x", to=TensorProto.FLOAT), then_branch=_branch("a"), else_branch=_branch("b"), name="f"
        ),
        "If 'f': its condition is not constant",
    ),
    "only a tail": (lambda n: n.op("Softmax", "x", name="s"), "Softmax 's': nothing is before it"),
    "constant output": (lambda n: n.op("Neg", n.const(1.0)), "does not depend on the network's input"),
}


def _branch(name: str) -> onnx.GraphProto:
    out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([helper.make_node("Relu", ["x"], [name])], name, [], [out])


@pytest.mark.parametrize("case", NODES)
def test_a_node_is_refused_by_name(case, tmp_path):
    build, expected = NODES[case]
    net = Net((1, 3, 7, 7))
    assert expected in refusal(net, tmp_path, build(net))


INPUTS = {
    "dynamic": (("n", 3, "h", "w"), {}, "input 'x' has the dynamic shape ?x3x?x?; give a fixed one, e.g. --shape"),
    "shape does not fit": (
        (1, 3, 7, 7),
        {"shape": (1, 3, 8, 7)},
        "shape 1x3x8x7 does not fit input 'x' of shape 1x3x7x7",
    ),
    "shape of another rank": ((1, 3, 7, 7), {"shape": (7, 7)}, "shape 7x7 does not fit"),
    "empty": ((1, 3, 0, 7), {}, "input 'x' of shape 1x3x0x7; supported: rank 1 to 4, no empty dimension"),
    "rank 5": ((1, 3, 7, 7, 7), {}, "input 'x' of shape 1x3x7x7x7"),
    "image size": ((1, 3, 7, 7), {"preprocessing": Preprocessing(8, 8)}, "shape 3x8x8 does not fit input 'x'"),
    "channels": ((1, 3, 7, 7), {"preprocessing": Preprocessing(7, 7, "L"), "shape": (3, 7, 7)}, "preprocessing gives"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_an_input_is_refused_by_name(case, tmp_path):
    shape, options, expected = INPUTS[case]
    net = Net(shape)
    assert expected in refusal(net, tmp_path, net.conv("x", 3, 4), **options)


def test_integer_input_and_two_inputs(tmp_path):
    net = Net((1, 3, 7, 7))
    model = net.model(net.conv("x", 3, 4))
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    onnx.save(model, tmp_path / "two.onnx")
    with pytest.raises(WesnpuError, match=r"two.onnx: the network has 2 inputs \('x', 'mask'\); supported: one"):
        import_onnx(tmp_path / "two.onnx")
    del model.graph.input[1]
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, tmp_path / "uint8.onnx")
    with pytest.raises(WesnpuError, match=r"uint8.onnx: input 'x' is UINT8; supported: FLOAT"):
        import_onnx(tmp_path / "uint8.onnx")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n0000", b"not a network\n" * 50, bytes(range(256)) * 8])
def test_files_that_are_no_networks(data, tmp_path):
    path = tmp_path / "file.onnx"
    path.write_bytes(data)
    with pytest.raises(WesnpuError, match="file.onnx: not an ONNX file") as caught:
        import_onnx(path)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(WesnpuError, match="none.onnx: cannot be read"):
        import_onnx(tmp_path / "none.onnx")
    with pytest.raises(WesnpuError, match="cannot be read"):
        import_onnx(tmp_path)


def test_missing_external_data(tmp_path):
    net, path = Net((1, 3, 7, 7)), tmp_path / "net.onnx"
    onnx.save(net.model(net.conv("x", 3, 4)), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(WesnpuError, match="net.onnx: initializer 'c0': its data cannot be read") as caught:
        import_onnx(path)
    assert "w.bin" in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_networks(tmp_path):
    """Cut anywhere, a network is refused with a WesnpuError and nothing else."""
    net, path = Net((1, 3, 7, 7)), tmp_path / "net.onnx"
    y = net.op("Relu", net.batch_norm(net.conv("x", 3, 4, 3), 4))
    data = net.save(tmp_path, y).read_bytes()
    refused = 0
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        try:
            import_onnx(path)
        except WesnpuError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused == len(range(0, len(data), 7))


@pytest.mark.parametrize("opset", [1, 6, 99])
def test_opsets_outside_the_range(opset, tmp_path):
    net = Net((1, 3, 7, 7), opset=opset)
    assert f"opset {opset} is not supported; supported: 11.." in refusal(net, tmp_path, net.conv("x", 3, 4))


def test_a_tensor_produced_twice(tmp_path):
    net = Net((1, 3, 7, 7))
    net.conv("x", 3, 4)
    net.nodes.append(helper.make_node("Relu", ["x"], ["t0"], "again"))
    assert "Relu 'again': tensor 't0' is produced twice" in refusal(net, tmp_path, "t0")


def test_changed_bytes_never_end_in_another_exception(tmp_path):
    """One byte of the file changed at random: imported or refused by one line, whatever it was."""
    seed = 5
    print(f"seed {seed}: .venv/bin/python -m pytest quant/onnx_import/test_import_errors.py -k changed_bytes")
    net, path, rng = Net((1, 3, 7, 7)), tmp_path / "net.onnx", np.random.default_rng(seed)
    y = net.op("Flatten", net.op("GlobalAveragePool", net.op("Relu", net.batch_norm(net.conv("x", 3, 4, 3), 4))))
    data = net.save(tmp_path, net.op("Gemm", y, net.normal(4, 2), net.normal(2))).read_bytes()
    outcomes = {"imported": 0, "refused": 0}
    for _ in range(300):
        changed = bytearray(data)
        changed[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(changed)
        try:
            import_onnx(path)
            outcomes["imported"] += 1
        except WesnpuError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 30, outcomes

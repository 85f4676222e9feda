"""Graphs as exporters leave them: each is imported and equal to onnxruntime running the file itself."""

import numpy as np
import onnx
import pytest
from onnx import helper

from golden.network import Preprocessing
from quant.float_graph.graph import Activation, Add, Conv, Pool
from quant.onnx_import import Imported, import_onnx
from quant.onnx_import.check import compare_layers, compare_outputs
from quant.onnx_import.testdata.net import Net


def kept(net: Net, folder, *outputs: str, shape=None, **options) -> Imported:
    """Import, compare with the file, return."""
    path = net.save(folder, *outputs)
    imported = import_onnx(path, shape=shape, **options)
    x = net.images(shape)
    differences = compare_outputs(imported, path, x)
    assert len(differences) == len(set(imported.output_views)) > 0
    for difference in differences + compare_layers(imported, path, x):
        assert difference.ratio <= 1, difference
    return imported


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_auto_pad(size, stride, kernel, mode, tmp_path):
    net = Net((1, 3, size, size + 1))
    y = net.conv("x", 3, 4, kernel, auto_pad=mode, strides=[stride, stride])
    kept(net, tmp_path, y)


@pytest.mark.parametrize(
    "opset, how", [(10, "attribute"), (11, "initializer"), (17, "constant"), (17, "relu then clip")]
)
def test_relu6_however_it_is_written(opset, how, tmp_path):
    net = Net((1, 3, 5, 5), opset=opset)
    y = net.op("Mul", net.conv("x", 3, 4, 3), net.const(4.0))
    if how == "attribute":
        y = net.op("Clip", y, min=0.0, max=6.0)
    elif how == "initializer":
        y = net.op("Clip", y, net.const(0.0), net.const(6.0))
    elif how == "constant":
        y = net.op("Clip", y, net.constant_node(0.0), net.constant_node(6.0))
    else:
        y = net.op("Clip", net.op("Relu", y), "", net.const(6.0))
    imported = kept(net, tmp_path, y)
    assert [n.activation for n in imported.graph.nodes] == [Activation(0.0, 6.0)]


def test_dynamic_pad_with_a_shape_subgraph(tmp_path):
    """TF SAME computed from Shape at run time, as exporters of padded convolutions leave it."""
    net = Net(("n", 3, "h", "w"))
    size = net.op("Slice", net.op("Shape", "x"), net.ints(2), net.ints(4))
    out = net.op("Div", net.op("Add", size, net.ints(1)), net.ints(2))
    reach = net.op("Add", net.op("Mul", net.op("Sub", out, net.ints(1)), net.ints(2)), net.ints(3))
    total = net.op("Max", net.op("Sub", reach, size), net.ints(0))
    before = net.op("Div", total, net.ints(2))
    pads = net.op("Concat", net.ints(0, 0), before, net.ints(0, 0), net.op("Sub", total, before), axis=0)
    y = net.conv(net.op("Pad", "x", pads, net.constant_node(0.0)), 3, 4, 3, strides=[2, 2])
    for shape in ((1, 3, 8, 9), (1, 3, 9, 8)):
        imported = kept(net, tmp_path, y, shape=shape)
        (conv,) = imported.graph.nodes
        assert conv.padding == (shape[2] % 2, shape[3] % 2, 1, 1)


def test_many_constants_fold(tmp_path):
    """Shapes, bounds and pads each through their own Constant nodes, hundreds of them."""
    net = Net((1, 4, 6, 6))
    y = "x"
    for _ in range(20):
        zeros = net.op("Cast", net.op("Mul", *(net.constant_node([0, 1][i], np.int64) for i in (0, 1))), to=7)
        ones = net.op("Unsqueeze", net.constant_node(1, np.int64), net.constant_node([0], np.int64))
        none = net.op("Expand", zeros, net.constant_node([2], np.int64))
        pads = net.op("Concat", none, ones, ones, none, ones, ones, axis=0)
        y = net.conv(net.op("Pad", y, pads, net.constant_node(0.0)), 4, 4, 3, group=4)
        y = net.op("Clip", net.batch_norm(y, 4), net.constant_node(0.0), net.constant_node(6.0))
        y = net.op("Identity", y)
    imported = kept(net, tmp_path, y)
    assert len(imported.graph.nodes) == 20
    assert imported.report.constant_nodes >= 200
    assert all(n.depthwise and n.padding == (1, 1, 1, 1) and n.batch_norm is not None for n in imported.graph.nodes)


def test_if_with_a_condition_that_a_fixed_shape_decides(tmp_path):
    net = Net((1, 3, 4, "w"))
    width = net.op("Gather", net.op("Shape", "x"), net.const(3, np.int64))
    condition = net.op("Equal", width, net.const(5, np.int64))
    branches = {
        name: helper.make_graph(
            [helper.make_node(op, ["x"], [f"{op}_out"], f"{op}_inner")],
            name,
            [],
            [helper.make_tensor_value_info(f"{op}_out", 1, None)],
        )
        for name, op in (("then_branch", "Relu"), ("else_branch", "Tanh"))
    }
    y = net.conv(net.op("If", condition, **branches), 3, 2)
    kept(net, tmp_path, y, shape=(1, 3, 4, 5))


def test_external_data(tmp_path):
    net = Net((1, 3, 5, 5))
    path = tmp_path / "net.onnx"
    onnx.save(net.model(net.conv("x", 3, 40, 3)), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").stat().st_size >= 40 * 27 * 4
    (difference,) = compare_outputs(import_onnx(path), path, net.images())
    assert difference.ratio <= 1


def test_dynamic_batch_and_the_shape_of_preprocessing(tmp_path):
    net = Net(("batch", 3, "height", "width"))
    path = net.save(tmp_path, net.conv("x", 3, 4, 3))
    imported = import_onnx(path, preprocessing=Preprocessing(height=6, width=7))
    assert imported.graph.shapes["x"] == (3, 6, 7)
    assert import_onnx(path, shape=(3, 6, 7)).graph.shapes == imported.graph.shapes


def test_several_outputs_and_tails(tmp_path):
    """Two heads, one with a Softmax, one tensor that is an output and is read on."""
    net = Net((1, 3, 6, 6))
    stem = net.op("Relu", net.conv("x", 3, 8, 3, pads=[1, 1, 1, 1]))
    pooled = net.op("Flatten", net.op("GlobalAveragePool", stem))
    logits = net.op("Gemm", pooled, net.normal(8, 5), net.normal(5))
    soft = net.op("Softmax", logits, name="prob", axis=1)
    best = net.op("ArgMax", soft, name="best", axis=1)
    boxes = net.op("Sigmoid", net.conv(stem, 8, 4), name="boxes")
    imported = kept(net, tmp_path, stem, best, boxes)
    assert imported.graph.outputs == [stem, *(imported.output_views[t].tensor for t in (logits, "t7"))]
    assert imported.graph.host_tail == ["Softmax 'prob'", "ArgMax 'best'", "Sigmoid 'boxes'"]


def test_activation_of_a_tensor_that_is_read_elsewhere(tmp_path):
    """The clamp must not reach the other reader: it gets an identity depthwise convolution of its own."""
    net = Net((1, 3, 6, 6))
    shared = net.conv("x", 3, 4)
    y = net.op("Add", net.op("Relu", shared), net.conv(shared, 4, 4))
    imported = kept(net, tmp_path, y)
    kinds = [(type(n), n.activation) for n in imported.graph.nodes]
    assert kinds.count((Conv, Activation(0.0, None))) == 1 and len(kinds) == 4


def test_an_output_that_is_clamped_afterwards(tmp_path):
    net = Net((1, 3, 6, 6))
    first = net.batch_norm(net.conv("x", 3, 4), 4)
    kept(net, tmp_path, first, net.op("Relu", first))


def test_batch_norm_in_every_place(tmp_path):
    """On the input, after a Pad, a Relu, an Add and a pooling, twice in a row, before a padded convolution."""
    net = Net((2, 3, 7, 7))
    y = net.conv(net.batch_norm("x", 3), 3, 4, 3, pads=[1, 1, 1, 1])
    y = net.batch_norm(net.batch_norm(y, 4), 4)
    y = net.batch_norm(net.op("Pad", y, net.ints(0, 0, 1, 0, 0, 0, 0, 2)), 4)
    y = net.batch_norm(net.op("Relu", y), 4)
    y = net.batch_norm(net.op("Add", y, net.conv(y, 4, 4)), 4)
    y = net.batch_norm(net.op("AveragePool", y, kernel_shape=[2, 2]), 4)
    kept(net, tmp_path, net.op("Clip", y, net.const(-1.0), net.const(2.0)))


def test_affine_before_a_convolution_without_padding_folds_forward(tmp_path):
    """(x - mean) / std, as preprocessing inside the network, costs no node."""
    net = Net((1, 3, 6, 6))
    y = net.op("Div", net.op("Sub", "x", net.normal(3, 1, 1)), net.const(np.float32([[[2]], [[3]], [[4]]])))
    imported = kept(net, tmp_path, net.conv(y, 3, 4, 3))
    assert len(imported.graph.nodes) == 1


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1), (1, 4, 1, 1)])
def test_constant_operands(op, first, shape, tmp_path):
    net = Net((1, 3, 5, 5))
    operands = [net.conv("x", 3, 4), net.normal(*shape)]
    imported = kept(net, tmp_path, net.op(op, *(operands[::-1] if first else operands)))
    assert len(imported.graph.nodes) == 1


def test_a_tensor_added_to_itself(tmp_path):
    net = Net((1, 3, 5, 5))
    y = net.op("Relu", net.conv("x", 3, 4))
    kept(net, tmp_path, net.op("Add", y, y))


@pytest.mark.parametrize("group, outputs, depthwise", [(6, 6, True), (6, 12, False), (2, 4, False), (3, 9, False)])
def test_grouped_convolutions(group, outputs, depthwise, tmp_path):
    """Depthwise stays depthwise; other groups become a dense weight with zeros, and a warning says so."""
    net = Net((1, 6, 7, 7))
    imported = kept(net, tmp_path, net.conv("x", 6, outputs, 3, group=group))
    (conv,) = imported.graph.nodes
    assert conv.depthwise == depthwise
    assert len(imported.graph.warnings) == (not depthwise)


def test_nhwc_with_transposes(tmp_path):
    """As TF exporters leave it: an NHWC input, transposes around every convolution, NHWC arithmetic between."""
    net = Net((1, 9, 8, 3))
    y = net.op("Transpose", net.op("Mul", "x", net.const([1.0, 2.0, 3.0])), perm=[0, 3, 1, 2])
    y = net.conv(y, 3, 4, 3, auto_pad="SAME_UPPER", strides=[2, 2])
    y = net.op("Transpose", y, perm=[0, 2, 3, 1])
    y = net.op("Clip", net.op("Add", y, net.normal(4)), net.const(0.0), net.const(6.0))
    y = net.op("Pad", y, net.ints(0, 1, 1, 0, 0, 1, 1, 0))
    y = net.op("Transpose", y, perm=[0, 3, 1, 2])
    y = net.op("Transpose", net.conv(y, 4, 4, 3, group=4), perm=[0, 2, 3, 1])
    y = net.op("ReduceMean", y, axes=[1, 2], keepdims=0)
    y = net.op("Add", net.op("MatMul", y, net.normal(4, 5)), net.normal(5))
    imported = kept(net, tmp_path, y)
    assert imported.report.layout == "NHWC" and imported.graph.shapes["x"] == (3, 9, 8)
    assert [type(n) for n in imported.graph.nodes] == [Conv, Conv, Pool, Conv]


def test_nhwc_with_one_channel_is_moved_by_reshape(tmp_path):
    net = Net((1, 6, 6, 1))
    y = net.conv(net.op("Reshape", "x", net.ints(1, 1, 6, 6)), 1, 3, 3)
    assert kept(net, tmp_path, y).graph.shapes["x"] == (1, 6, 6)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("how", ["Flatten", "Reshape", "Reshape 0 -1"])
def test_fully_connected_after_flatten(layout, how, tmp_path):
    """Becomes an HxW convolution whose weight is permuted as the flatten ordered it."""
    net = Net((1, 3, 5, 4))
    y = net.op("Relu", net.conv("x", 3, 6, 2))
    y = y if layout == "NCHW" else net.op("Transpose", y, perm=[0, 2, 3, 1])
    shape = net.ints(*((1, 72) if how == "Reshape" else (0, -1)))
    y = net.op("Flatten", y) if how == "Flatten" else net.op("Reshape", y, shape)
    y = net.op("Relu", net.op("Gemm", y, net.normal(10, 72), net.normal(10), transB=1, alpha=0.5, beta=2.0))
    imported = kept(net, tmp_path, net.op("Gemm", y, net.normal(10, 3)))
    assert [n.weight.shape for n in imported.graph.nodes] == [(6, 3, 2, 2), (10, 6, 4, 3), (3, 10, 1, 1)]


def test_squeeze_unsqueeze_dropout_cast(tmp_path):
    net = Net((1, 3, 5, 5), opset=13)
    y = net.op("Dropout", net.op("GlobalAveragePool", net.conv("x", 3, 4)))
    y = net.op("Unsqueeze", net.op("Squeeze", y, net.ints(2, 3)), net.ints(2, -1))
    y = net.op("Cast", net.conv(y, 4, 5), to=1)
    kept(net, tmp_path, net.op("Squeeze", y))


@pytest.mark.parametrize("opset", [11, 18])
@pytest.mark.parametrize("axes, keep", [((2, 3), 1), ((-1, -2), 0), ((2,), 1), ((3,), 0)])
def test_reduce_mean(opset, axes, keep, tmp_path):
    net = Net((2, 3, 5, 6), opset=opset)
    y = net.conv("x", 3, 4)
    if opset < 18:
        y = net.op("ReduceMean", y, axes=axes, keepdims=keep)
    else:
        y = net.op("ReduceMean", y, net.ints(*axes), keepdims=keep)
    assert isinstance(kept(net, tmp_path, y).graph.nodes[-1], Pool)


def test_padding_before_pools_and_on_the_way_out(tmp_path):
    net = Net((1, 3, 6, 6))
    pads = net.ints(0, 0, 1, 2, 0, 0, 0, 1)
    first = net.op("AveragePool", net.op("Pad", "x", pads), kernel_shape=[3, 3], strides=[2, 2])
    second = net.op("GlobalAveragePool", net.op("Pad", net.conv("x", 3, 2), pads))
    third = net.op("Relu", net.op("Pad", net.conv("x", 3, 2), pads))
    fourth = net.op("Pad", net.op("Pad", net.conv("x", 3, 2), pads), pads)
    padded = net.op("Pad", net.conv("x", 3, 2), pads)
    fifth = net.op("Add", padded, net.conv(padded, 2, 2))
    kept(net, tmp_path, first, second, third, fourth, fifth)


@pytest.mark.parametrize("opset", [11, 13, 15, 18, 19, 21, 22, 24])
def test_opsets(opset, tmp_path):
    net = Net((1, 3, 6, 6), opset=opset)
    y = net.op("Relu", net.batch_norm(net.conv("x", 3, 4, 3), 4))
    y = net.op("AveragePool", net.op("Pad", y, net.ints(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=[3, 3])
    y = net.op("Flatten", net.op("GlobalAveragePool", y))
    kept(net, tmp_path, net.op("Gemm", y, net.normal(4, 2)))


def test_local_functions_are_inlined(tmp_path):
    net = Net((1, 3, 6, 6))
    net.nodes.append(helper.make_node("Block", [net.conv("x", 3, 4)], ["y"], "block", domain="mine"))
    model = net.model("y")
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Clip", ["b", "", "six"], ["c"])]
    six = helper.make_node("Constant", [], ["six"], value_float=6.0)
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("mine", "Block", ["a"], ["c"], [six, *body], opsets))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    imported = import_onnx(path)
    assert imported.graph.nodes[0].activation == Activation(0.0, 6.0)
    assert compare_outputs(imported, path, net.images())[0].ratio <= 1


def test_statistics_of_batch_norm_stay_beside_the_convolution(tmp_path):
    net = Net((1, 3, 6, 6))
    y = net.op("Relu", net.batch_norm(net.conv("x", 3, 4, 3), 4))
    (conv,) = kept(net, tmp_path, y).graph.nodes
    scale, shift = (onnx.numpy_helper.to_array(i) for i in net.initializers[2:4])
    assert np.array_equal(conv.batch_norm.gamma, scale) and np.array_equal(conv.batch_norm.beta, shift)


def test_the_comparison_sees_a_wrong_weight(tmp_path):
    """One weight off by 1e-4 of its size exceeds the bound."""
    net = Net((1, 3, 6, 6))
    path = net.save(tmp_path, net.conv("x", 3, 4, 3))
    imported = import_onnx(path)
    weight = next(i for i in imported.model.graph.initializer if i.name.endswith("weight"))
    array = onnx.numpy_helper.to_array(weight).copy()
    array.flat[5] *= 1 + 1e-4
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    assert compare_outputs(imported, path, net.images())[0].ratio > 1


def test_the_comparison_by_layers_names_the_wrong_one(tmp_path):
    """Deep in a network of 30 layers one weight is off by 1e-4 of its size; only its own tensor differs."""
    net, y = Net((1, 4, 6, 6)), "x"
    for _ in range(30):
        y = net.op("Clip", net.batch_norm(net.conv(y, 4, 4, 3, pads=[1, 1, 1, 1]), 4), net.const(-6.0), net.const(6.0))
    path = net.save(tmp_path, y)
    imported, x = import_onnx(path), net.images()
    differences = compare_layers(imported, path, x)
    assert len(differences) == 30 and max(d.ratio for d in differences) <= 1
    node = imported.graph.nodes[20]
    node.weight[1, 2, 1, 1] *= 1 + 1e-4
    wrong = [d.tensor for d in compare_layers(imported, path, x) if d.ratio > 1]
    assert wrong == [imported.file_tensors[node.output][0]]


def test_residual_add_keeps_its_activation(tmp_path):
    net = Net((1, 3, 6, 6))
    first = net.conv("x", 3, 4)
    y = net.op("Relu", net.op("Add", first, net.conv(first, 4, 4, 3, pads=[1, 1, 1, 1])))
    nodes = kept(net, tmp_path, y).graph.nodes
    assert isinstance(nodes[-1], Add) and nodes[-1].activation == Activation(0.0, None)


@pytest.mark.parametrize("transposed", [0, 1])
def test_square_gemm(transposed, tmp_path):
    net = Net((2, 5))
    kept(net, tmp_path, net.op("Gemm", "x", net.normal(5, 5), transB=transposed))


def test_a_tensor_that_a_branch_captures_is_not_folded_away(tmp_path):
    """The If reads the convolution's output from outside, so the Relu beside it must not clamp it."""
    net = Net((1, 3, 4, 4))
    y = net.conv("x", 3, 4)
    out = helper.make_tensor_value_info("inner", 1, None)
    branch = helper.make_graph([helper.make_node("Identity", [y], ["inner"], "copy")], "branch", [], [out])
    relu = net.op("Relu", y)
    copied = net.op("If", net.const(True, bool), then_branch=branch, else_branch=branch)
    kept(net, tmp_path, net.op("Add", relu, copied))


@pytest.mark.parametrize("folded", [True, False])
def test_a_clip_whose_bounds_cross_gives_the_upper_one(folded, tmp_path):
    net = Net((1, 3, 4, 4))
    y = net.op("Clip", net.conv("x", 3, 4) if folded else "x", net.const(2.0), net.const(-1.0))
    (conv,) = kept(net, tmp_path, y).graph.nodes
    assert conv.activation == Activation(-1.0, -1.0)


def test_clamps_in_a_row_become_one(tmp_path):
    net, y = Net((1, 3, 4, 4)), "x"
    y = net.conv(y, 3, 4)
    for low, high in ((-0.9, 0.8), (-0.7, 1.0), (-2.0, 0.5)):
        y = net.op("Clip", y, net.const(low), net.const(high))
    (conv,) = kept(net, tmp_path, net.op("Relu", y)).graph.nodes
    assert conv.activation == Activation(0.0, 0.5)

"""onnx's own node tests: every case is imported and equal to onnxruntime, or refused by name; none silently wrong."""

import warnings
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from golden.errors import WesnpuError
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.onnx_import import import_onnx
from quant.onnx_import.check import compare_layers, compare_outputs

OPERATORS = (
    "Conv", "Gemm", "AveragePool", "GlobalAveragePool", "Clip", "Relu", "Add", "Pad", "BatchNormalization",
)  # fmt: skip


@cache
def node_cases() -> dict[str, list]:
    """Cases of onnx.backend.test by operator, of those whose model is that one node or its expansion."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        everything = collect_testcases(None)
    return {op: [c for c in everything if c.model.graph.node and _about(c, op)] for op in OPERATORS}


def _about(case, operator: str) -> bool:
    nodes = case.model.graph.node
    if len(nodes) == 1:
        return nodes[0].op_type == operator
    return operator in {n.op_type for n in nodes} and case.name.startswith(f"test_{operator.lower()}")


def one_input(model: onnx.ModelProto, arrays: list[np.ndarray], image: int) -> onnx.ModelProto:
    """The model with every input but number `image` turned into an initializer."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    infos = list(copy.graph.input)
    del copy.graph.input[:]
    copy.graph.input.append(infos[image])
    for index, (info, array) in enumerate(zip(infos, arrays, strict=True)):
        if index != image:
            copy.graph.initializer.append(numpy_helper.from_array(np.asarray(array), info.name))
    return copy


def outcome(model: onnx.ModelProto, x: np.ndarray, path: Path) -> str:
    """ "imported" after the comparison, or "refused" when the message names the operator or the input."""
    onnx.save(model, path)
    try:
        imported = import_onnx(path)
    except WesnpuError as error:
        names = {n.op_type for n in model.graph.node} | {f"'{i.name}'" for i in model.graph.input}
        assert any(name in str(error) for name in names), str(error)
        assert "\n" not in str(error)
        return "refused"
    for difference in compare_outputs(imported, path, x) + compare_layers(imported, path, x):
        assert difference.ratio <= 1, difference
    return "imported"


# (imported, refused) of onnx 1.23.2. Refused: 1-D and 3-D pooling, ceil_mode, dilation, padding that is not counted,
# integers, training mode, transA, a bias per row, constants that vary within a channel, non-zero or channel padding.
COUNTS = {
    "Conv": (6, 0),
    "Gemm": (8, 3),
    "AveragePool": (5, 15),
    "GlobalAveragePool": (2, 0),
    "Clip": (9, 3),
    "Relu": (1, 0),
    "Add": (0, 16),
    "Pad": (0, 6),
    "BatchNormalization": (2, 2),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_node_case_is_equal_or_refused(operator, tmp_path):
    counts, names = Counter(), {}
    for case in node_cases()[operator]:
        arrays = [np.asarray(a) for a in case.data_sets[0][0]]
        for image in range(len(arrays) if operator == "Add" else 1):
            result = outcome(one_input(case.model, arrays, image), arrays[image], tmp_path / f"{case.name}.onnx")
            counts[result] += 1
            names[f"{case.name}, input {image}"] = result
    assert (counts["imported"], counts["refused"]) == COUNTS[operator], names


def test_add_of_two_tensors_with_data_of_the_node_case(tmp_path):
    """Both operands of test_add as channels of one image: 1x1 convolutions pick them, exactly."""
    case = next(c for c in node_cases()["Add"] if c.name == "test_add")
    (first, second), (expected,) = case.data_sets[0]
    both = np.concatenate([first, second], axis=1)[..., None]
    pick = np.eye(8, dtype=np.float32).reshape(2, 4, 8, 1, 1)
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"]),
        helper.make_node("Conv", ["x", "w1"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    weights = [numpy_helper.from_array(pick[i], f"w{i}") for i in range(2)]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, both.shape)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    path = tmp_path / "add.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "add", [x], [y], weights)), path)
    imported = import_onnx(path)
    result = FloatRunner(imported.model)(both)["y"]
    assert np.array_equal(result[..., 0], expected)

"""ONNX Runtime's static quantization as a baseline: integer kernels really run, and it keeps the accuracy."""

import numpy as np
import onnx
import pytest

from golden.errors import WesnpuError
from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores
from quant.float_graph.onnx_model import to_onnx
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.float_graph.sample_graphs import residual_network
from quant.images.batches import Images
from quant.qdq.ort_static import ort_static, ort_static_scores

NAME = "fashion_mobilenet_v2"
MODEL = fashion.MODELS / f"{NAME}.onnx"


def images(array):
    return Images(array, fashion.SHAPE, fashion.PREPROCESSING)


# Per tensor a dead channel with large weights sets the scale of its layer: layer-wise scales without
# zero_dead_channels agree on 92 % of these images as well.
@pytest.mark.parametrize(("per_channel", "agreement"), [(False, 85.0), (True, 98.0)])
def test_the_users_file_runs_in_integer_kernels_and_keeps_its_accuracy(per_channel, agreement):
    quantized = ort_static(MODEL, images(fashion.data().calibration[:64]), per_channel=per_channel)
    model = onnx.load(MODEL)
    convolutions = sum(node.op_type == "Conv" for node in model.graph.node)
    assert quantized.integer_kernels["QLinearConv"] == convolutions and "Conv" not in quantized.kernels
    mine = quantized.scores(images(fashion.data().images[:300]))
    found = compare_scores(mine, None, fashion.scores_of(NAME, None)[:300])
    print(f"per channel {per_channel}: agreement {found.agreement:.1f}, {quantized.kernels}")
    assert found.agreement >= agreement


def test_per_channel_is_nearer_to_float_where_channels_differ():
    graph = residual_network(3)
    for node in graph.nodes:
        if hasattr(node, "weight"):
            node.weight[0] *= 64
            node.bias[0] *= 64
    model, generator = to_onnx(graph), np.random.default_rng(0)
    some = Images(generator.uniform(-1, 1, (16, 3, 8, 8)).astype(np.float32), (3, 8, 8), None)
    real = FloatRunner(model)(next(some.batches(16)))[graph.outputs[0]].reshape(16, -1)
    noise = {
        way: float(np.square(ort_static_scores(model, some, some, way) - real)[:, 1:].sum()) for way in (False, True)
    }
    assert noise[True] < noise[False]


def test_two_runs_give_the_same_scores():
    some = images(fashion.data().calibration[:8])
    first, second = (ort_static_scores(MODEL, some, some, True) for _ in range(2))
    assert np.array_equal(first, second)


def test_what_onnxruntime_cannot_read_is_one_clear_error(tmp_path, capsys):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(WesnpuError, match="onnxruntime cannot quantize .*broken.onnx: "):
        ort_static(path, images(fashion.data().calibration[:1]), per_channel=True)
    assert capsys.readouterr().out == ""

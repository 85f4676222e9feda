"""Networks as PyTorch's exporters write them: the two of today (models/testdata) and the old ones that onnx carries."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, version_converter

from golden.errors import WesnpuError
from quant.float_graph.onnxruntime_run import FloatRunner
from quant.onnx_import import import_onnx
from quant.onnx_import.check import compare_layers, compare_outputs, error_bounds

MODELS = Path(__file__).resolve().parent.parent.parent / "models"
TESTDATA = MODELS / "testdata"
NETWORKS = (
    "adaptive_pool", "average_pool", "clips", "conv_bn_relu6", "flatten_linear", "mean_conv", "mean_linear", "pad",
    "residual", "separable",
)  # fmt: skip
OLD = Path(onnx.__file__).parent / "backend" / "test" / "data"


@pytest.mark.parametrize("network", NETWORKS)
def test_both_exporters_give_what_torch_computed(network):
    """Equal to onnxruntime on the file and, within the same bound, to PyTorch's own output."""
    paths = sorted(TESTDATA.glob(f"{network}.*.onnx"))
    assert {p.name.split(".")[1] for p in paths} == {"script", "dynamo"}, paths
    with np.load(TESTDATA / "expected.npz") as data:
        x, expected = data[f"{network}.input"], data[f"{network}.output"]
    for path in paths:
        imported = import_onnx(path, shape=x[:1].shape)
        for image, wanted in zip(x, expected, strict=True):
            for difference in compare_outputs(imported, path, image[None]) + compare_layers(
                imported, path, image[None]
            ):
                assert difference.ratio <= 1, (path.name, difference)
            (name,) = imported.graph.outputs
            result = FloatRunner(imported.model)(image[None])[name].reshape(wanted.shape)
            bound = 2 * error_bounds(imported.graph, image[None])[name].reshape(wanted.shape)
            assert np.all(np.abs(result - wanted) <= bound), path.name


@pytest.mark.parametrize("name", ["fashion_mobilenet_v1", "fashion_mobilenet_v2"])
def test_the_trained_networks(name):
    path = MODELS / f"{name}.onnx"
    imported = import_onnx(path)
    x = np.random.default_rng(1).normal(size=imported.report.input_shape).astype(np.float32)
    differences = compare_layers(imported, path, x)
    assert len(differences) == len(imported.graph.nodes)
    assert max(d.ratio for d in differences) <= 1, differences
    assert not imported.report.warnings and imported.graph.shapes[imported.graph.outputs[0]] == (10, 1, 1)


@pytest.mark.parametrize("collection, imported, refused", [("pytorch-converted", 21, 61), ("pytorch-operator", 6, 29)])
def test_every_old_torch_network_is_equal_or_refused(collection, imported, refused, tmp_path):
    """onnx's collections of PyTorch's first exporter (opset 6..9), converted to opset 13 by onnx."""
    counts, names = Counter(), {}
    for folder in sorted((OLD / collection).iterdir()):
        model = onnx.load(folder / "model.onnx")
        if model.opset_import[0].version < 11:
            model = version_converter.convert_version(model, 13)
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        x = numpy_helper.to_array(onnx.load_tensor(str(folder / "test_data_set_0" / "input_0.pb")))
        names[folder.name] = _outcome(path, x)
        counts[names[folder.name]] += 1
    assert (counts["imported"], counts["refused"]) == (imported, refused), names


def _outcome(path: Path, x: np.ndarray) -> str:
    try:
        imported = import_onnx(path)
    except WesnpuError:
        return "refused"
    for difference in compare_outputs(imported, path, x) + compare_layers(imported, path, x):
        assert difference.ratio <= 1, difference
    return "imported"

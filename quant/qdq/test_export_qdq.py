"""The QDQ export: ordinary ONNX that onnxruntime runs within one code of golden, layer by layer."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest

from golden.errors import WesnpuError
from golden.run import run
from quant.evaluation import fashion
from quant.evaluation.evaluate import input_codes
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.images.batches import Images
from quant.qdq.compare import compare_qdq
from quant.qdq.export import export_layer, export_qdq
from quant.qdq.weight_scale import real_multiplier
from quant.recipe import quantize


def real(count):
    return next(Images(fashion.data().images, fashion.SHAPE, fashion.PREPROCESSING).batches(count))


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("name", fashion.NETWORKS)
def test_every_layer_is_within_one_code_of_onnxruntime(name, activations):
    network = fashion.network(name, "wes")
    found = compare_qdq(network, input_codes(network, real(10)), activations=activations)
    print(f"{name} {activations}: {100 * found.share:.4f} % differ, at most {found.largest}, {found.kernels}")
    assert len(found.layers) == len(network.layers) and all(layer.compared > 0 for layer in found.layers)
    assert found.largest <= 1 and found.share < 0.005
    if activations == "uint8":
        assert found.kernels["QLinearConv"] >= len(network.layers) - sum(1 for x in network.layers if x.residual)


@pytest.mark.parametrize("recipe", ["layerwise", "wes+bc", "channelwise"])
@pytest.mark.parametrize("seed", range(3))
def test_random_networks_with_residuals_and_poolings_are_within_one_code(seed, recipe):
    graph = residual_network(seed)
    images = real_images(seed, 6, graph.shapes["x"])
    network = quantize(graph, images, recipe=recipe)
    assert compare_qdq(network, input_codes(network, images)).largest <= 1, f"seed {seed}"


def test_the_comparison_sees_a_planted_error_and_names_its_layer(monkeypatch):
    network = fashion.network("fashion_mobilenet_v1", "wes")
    planted = network.layers[4]

    def export(network, layer, **options):
        bias = layer.bias.copy()
        bias[3] += round(4 / real_multiplier(layer)[3])  # four output codes on one channel
        return export_layer(network, dataclasses.replace(layer, bias=bias) if layer is planted else layer, **options)

    monkeypatch.setattr("quant.qdq.compare.export_layer", export)
    found = compare_qdq(network, input_codes(network, real(4)))
    assert [layer.layer for layer in found.layers if layer.largest > 1] == [planted.name]
    assert 3 <= found.largest <= 5


def test_the_whole_export_runs_from_real_images_to_real_scores(tmp_path):
    network = fashion.network("fashion_mobilenet_v2", "wes")
    onnx.save(export_qdq(network), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    images = real(100)
    theirs = session.run(None, {"image": images})[0].reshape(100, -1)
    ours = run(network, input_codes(network, images)).outputs[network.outputs[0]].reshape(100, -1)
    assert np.mean(theirs.argmax(axis=1) == ours.argmax(axis=1)) >= 0.97


def test_another_activation_type_is_refused():
    with pytest.raises(WesnpuError, match="activations is 'int16'"):
        export_qdq(fashion.network("fashion_mobilenet_v1", "wes"), activations="int16")

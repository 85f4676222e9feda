"""Whole networks in simulated Verilog: every tensor of every image equals golden's, every cycle has one cause."""

import numpy as np
import pytest

from models.build import build
from quant.onnx_import import import_onnx
from quant.recipe import quantize
from sim.cosim import CosimResult, cosim
from wesnpu.demo import MODELS

IMAGES = 20
MMAC_EFFICIENTNET_LITE0 = 385
MAC_PER_CYCLE = 256  # of `large`


def check(result: CosimResult, tensors: int) -> None:
    """No mismatch, every tensor compared whole, and the causes of the first image's cycles add up to its cycles."""
    assert not result.mismatches, result.mismatches[0]
    assert result.tensors_compared == tensors
    assert sum(layer.cycles for layer in result.layers) == result.cycles_per_image[0]


@pytest.mark.parametrize("name", ["fashion_mobilenet_v1", "fashion_mobilenet_v2"])
def test_fashion_mnist_networks(name):
    imported = import_onnx(MODELS / f"{name}.onnx")
    with np.load(MODELS / "fashion_mnist.npz") as data:
        pixels, calibration = data["images"][:IMAGES], data["calibration"]
    real = ((calibration.astype(np.float32) - 128) / 128).transpose(0, 3, 1, 2)
    network = quantize(imported, real, recipe="wes")
    codes = (pixels.astype(np.int16) - 128).astype(np.int8).transpose(0, 3, 1, 2)
    result = cosim(network, codes, "large")
    check(result, IMAGES * len(network.layers))
    assert len(set(result.cycles_per_image)) == 1  # cycles do not depend on the data


@pytest.mark.long
@pytest.mark.parametrize(("fuse", "percent"), [(False, 82), (True, 86)])
def test_efficientnet_lite0(fuse, percent):
    """One image, 64 layers; its weights come from a Python package, the image from a seed: integers do not care."""
    path, _ = build("efficientnet_lite0")
    imported = import_onnx(path, shape=(1, 3, 224, 224))
    rng = np.random.default_rng(2017)
    coarse = rng.normal(0, 0.6, (5, 3, 14, 14)).repeat(16, axis=2).repeat(16, axis=3)
    images = np.clip(coarse + rng.normal(0, 0.1, coarse.shape), -127 / 128, 1).astype(np.float32)
    network = quantize(imported, images[:4], recipe="wes")
    source = network.tensors[network.input]
    codes = np.clip(np.rint(images[4:] / source.scale) + source.zero_point, -128, 127).astype(np.int8)
    result = cosim(network, codes, "large", fuse=fuse, latency=64)
    check(result, len(network.layers))
    assert sum(layer.macs for layer in result.layers) // 10**6 == MMAC_EFFICIENTNET_LITE0
    macs = sum(layer.macs for layer in result.layers)
    assert 100 * macs / (result.cycles_per_image[0] * MAC_PER_CYCLE) >= percent

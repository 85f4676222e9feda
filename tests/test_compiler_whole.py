"""A network of MobileNetV2's shapes, 224 x 224, on every preset: safe, and every value of every tensor right."""

import dataclasses

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.hazards import hazards_of
from compiler.program import compile_network
from golden.errors import WesnpuError
from golden.network import Network
from tests.compiler_check import check_compiled
from tests.golden_networks import mobilenet_v2

SEED = 11


def network_for(name: str, size: int) -> Network:
    """The network with random weights, in the guard bits of the preset."""
    network = mobilenet_v2(np.random.default_rng(SEED), size=size)
    guard_bits = PRESETS[name].guard_bits
    layers = [
        dataclasses.replace(layer, requantizer=dataclasses.replace(layer.requantizer, guard_bits=guard_bits))
        for layer in network.layers
    ]
    return dataclasses.replace(network, layers=tuple(layers), guard_bits=guard_bits)


@pytest.mark.long
def test_a_network_with_too_many_commands_is_refused() -> None:
    with pytest.raises(WesnpuError, match=r"WEIGHTS commands, a program holds 65535: \d+ are of layer layer51"):
        compile_network(network_for("nano", 224), PRESETS["nano"])


@pytest.mark.parametrize("name", [pytest.param("nano", marks=pytest.mark.long), "micro", "small", "medium", "large"])
def test_whole_network_is_safe(name: str) -> None:
    compiled = compile_network(network_for(name, 97 if name == "nano" else 224), PRESETS[name])
    assert hazards_of(compiled.program, compiled.config, len(compiled.image), compiled.data_size) == []
    assert {traced.layer for traced in compiled.traced} == set(range(len(compiled.network.layers)))


WHOLE = [(name, size) for name in PRESETS for size in (224, 65) if (name, size) != ("nano", 224)]


@pytest.mark.long
@pytest.mark.parametrize("name, size", WHOLE)
def test_whole_network_is_right(name: str, size: int) -> None:
    network = network_for(name, size)
    image = np.random.default_rng(SEED).integers(-128, 128, (3, size, size)).astype(np.int8)
    assert check_compiled(compile_network(network, PRESETS[name], keep_all=True), image, SEED) > 0

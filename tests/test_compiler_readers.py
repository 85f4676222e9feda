"""Tensors that several layers read, that are read late, or that are outputs and inputs at once."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from golden.network import Network
from sim.layers import Builder, Shape
from tests.compiler_check import check_compiled

ONE, NONE, SAME = (1, 1), (0, 0, 0, 0), (1, 1, 1, 1)
POINTWISE = {"kernel": ONE, "stride": ONE, "padding": NONE}
KEEPING = {"kernel": (3, 3), "stride": ONE, "padding": SAME}


def _two_readers(builder: Builder) -> None:
    source = builder.add(Shape(**KEEPING, channels=24))
    builder.add(Shape(**POINTWISE, channels=40), source=source)
    builder.add(Shape(**KEEPING, depthwise=True), source=source)


def _input_read_dense_and_depthwise(builder: Builder) -> None:
    source = builder.last
    builder.add(Shape(**KEEPING, channels=16), source=source)
    builder.add(Shape(**KEEPING, depthwise=True), source=source)


def _input_read_twice_dense(builder: Builder) -> None:
    source = builder.last
    builder.add(Shape(kernel=(3, 3), stride=(2, 2), padding=SAME, channels=16), source=source)
    builder.add(Shape(kernel=(5, 2), stride=ONE, padding=(2, 1, 2, 0), channels=16), source=source)


def _residual_is_the_input_itself(builder: Builder) -> None:
    source = builder.last
    builder.add(Shape(**POINTWISE, channels=source.channels), residual=source, source=source)
    builder.add(Shape(**KEEPING, depthwise=True), residual=builder.last)


def _residual_read_much_later(builder: Builder) -> None:
    source = builder.add(Shape(**POINTWISE, channels=20))
    for channels in (64, 40, 96):
        builder.add(Shape(**POINTWISE, channels=channels))
        builder.add(Shape(**KEEPING, depthwise=True))
    builder.add(Shape(**POINTWISE, channels=20), residual=source)


def _residual_of_two_layers(builder: Builder) -> None:
    source = builder.add(Shape(**POINTWISE, channels=17))
    builder.add(Shape(**KEEPING, channels=17), residual=source)
    builder.add(Shape(**POINTWISE, channels=17), residual=source)


def _residual_on_chip_of_a_layer_in_slabs(builder: Builder) -> None:
    """64 words hold the residual operand and two more tensors, but not three."""
    source = builder.add(Shape(depthwise=True, kernel=(1, 2), stride=ONE, padding=(0, 0, 0, 1)))
    builder.add(Shape(**POINTWISE, channels=33))
    builder.add(Shape(depthwise=True, kernel=(1, 10), stride=ONE, padding=(0, 4, 0, 5)))
    builder.add(Shape(depthwise=True, kernel=ONE, stride=ONE, padding=NONE), residual=source)


def _three_branches_that_meet(builder: Builder) -> None:
    source = builder.last
    left = builder.add(Shape(**POINTWISE, channels=32), source=source)
    right = builder.add(Shape(**KEEPING, channels=32), source=source)
    builder.add(Shape(depthwise=True, kernel=ONE, stride=ONE, equal_weights=True), residual=left, source=right)
    builder.add(Shape(**POINTWISE, channels=32), residual=right)


SHAPES: dict[str, tuple[tuple[int, int, int], Callable[[Builder], None]]] = {
    "two_readers": ((8, 10, 9), _two_readers),
    "input_of_3_dense_and_depthwise": ((3, 10, 9), _input_read_dense_and_depthwise),
    "input_of_5_dense_and_depthwise": ((5, 10, 9), _input_read_dense_and_depthwise),
    "input_of_4_twice": ((4, 11, 10), _input_read_twice_dense),
    "input_of_3_as_residual": ((3, 10, 9), _residual_is_the_input_itself),
    "input_of_20_as_residual": ((20, 10, 9), _residual_is_the_input_itself),
    "residual_read_much_later": ((8, 10, 9), _residual_read_much_later),
    "residual_of_two_layers": ((17, 7, 8), _residual_of_two_layers),
    "residual_on_chip": ((33, 2, 4), _residual_on_chip_of_a_layer_in_slabs),
    "three_branches": ((16, 8, 8), _three_branches_that_meet),
}


def network_of(name: str, guard_bits: int) -> tuple[Network, np.ndarray]:
    """The network of this name, every tensor that is not the input an output if it is read by no layer; its image."""
    size, make = SHAPES[name]
    rng = np.random.default_rng(sorted(SHAPES).index(name))
    builder = Builder(rng, guard_bits, *size)
    make(builder)
    return builder.network(name), rng.integers(-128, 128, size).astype(np.int8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PRESETS)
def test_readers(name: str, shape: str) -> None:
    """In the preset's memory and in smaller ones, where tensors are given up and loaded again."""
    config = PRESETS[name]
    network, image = network_of(shape, config.guard_bits)
    for words in (32, 64, 128, 256, 512, config.scratchpad_words):
        compiled = compile_network(network, dataclasses.replace(config, scratchpad_words=words))
        assert check_compiled(compiled, image, seed=words) > 0


@pytest.mark.parametrize("name", PRESETS)
def test_every_tensor_may_be_an_output(name: str) -> None:
    network, image = network_of("three_branches", PRESETS[name].guard_bits)
    outputs = tuple(layer.output for layer in network.layers)
    network = dataclasses.replace(network, outputs=outputs)
    compiled = compile_network(network, PRESETS[name])
    assert set(compiled.placements) == {network.input, *outputs}
    assert check_compiled(compiled, image, seed=2, orders=2) > 0


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 20])
def test_global_pooling_of_56_by_56(name: str, channels: int) -> None:
    config = PRESETS[name]
    rng = np.random.default_rng(channels)
    builder = Builder(rng, config.guard_bits, channels, 56, 56)
    builder.add(Shape(depthwise=True, kernel=(56, 56), stride=ONE, padding=NONE, equal_weights=True))
    network = builder.network("pooling")
    image = rng.integers(-128, 128, (channels, 56, 56)).astype(np.int8)
    values = -(-channels // 16) * 16
    assert check_compiled(compile_network(network, config), image, seed=1, orders=1) == 2 * values


@pytest.mark.parametrize("kernel", [(1, 7), (7, 1), (11, 11), (1, 11)])
@pytest.mark.parametrize("depthwise", [True, False])
def test_long_kernels_on_every_preset(kernel: tuple[int, int], depthwise: bool) -> None:
    for name, config in PRESETS.items():
        rng = np.random.default_rng(kernel[0])
        builder = Builder(rng, config.guard_bits, 5, 12, 12)
        pads = (kernel[0] // 2, kernel[1] // 2) * 2
        builder.add(Shape(depthwise=depthwise, kernel=kernel, stride=ONE, padding=pads, channels=5))
        image = rng.integers(-128, 128, (5, 12, 12)).astype(np.int8)
        assert check_compiled(compile_network(builder.network("long"), config), image, seed=1) > 0, name

"""What `traced` says of a COMPUTE command is what the command writes, and together they write all of every tensor."""

import dataclasses

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.encode import decode
from compiler.encoding import Unit
from compiler.machine import Machine
from compiler.program import CompiledNetwork, Traced, compile_network
from sim.expected import expected_of
from sim.layers import random_network
from tests.compiler_check import data_region


def compared(compiled: CompiledNetwork, machine: Machine, traced: Traced, expected: np.ndarray) -> np.ndarray:
    """The mask (channels, rows, columns) of what the command just wrote; asserts that it is as expected."""
    lanes, region = compiled.config.lanes, traced.region
    covered = np.zeros(expected.shape, bool)
    for channel in range(traced.first_group * lanes, (traced.first_group + traced.groups) * lanes):
        block = channel // 16 - traced.first_block
        for row in range(traced.first_row, traced.first_row + traced.rows):
            first = region.base + block * region.block_stride + region.row_offset(row)
            written = machine.scratchpad[first : first + region.width, channel % 16]
            columns = slice(traced.first_column, traced.first_column + region.width)
            assert np.array_equal(written, expected[channel, row, columns]), (traced, channel, row)
            covered[channel, row, columns] = True
    return covered


def check_traced(kind: str, seed: int, words: int) -> None:
    """Asserts that traces and tensors agree."""
    config = list(PRESETS.values())[seed % 4]
    config = dataclasses.replace(config, scratchpad_words=words or config.scratchpad_words)
    network, image = random_network(kind, seed, config.guard_bits)
    compiled = compile_network(network, config)
    expected = expected_of(network, image).tensors
    machine = Machine(config, compiled.image, data_region(compiled, image, np.random.default_rng(seed)), seed)
    outputs = [layer.output for layer in network.layers]
    covered = {name: np.zeros(expected[name].shape, bool) for name in outputs}
    traced = iter(compiled.traced)
    for command in decode(compiled.program)[:-1]:
        machine.read(command)()
        if command.unit == Unit.COMPUTE and not command.fields["partial"]:
            one = next(traced)
            name = outputs[one.layer]
            assert command.fields["layer"] == one.layer
            mask = compared(compiled, machine, one, expected[name])
            assert not (mask & covered[name]).any(), "computed twice"
            covered[name] |= mask
    assert next(traced, None) is None
    for name, mask in covered.items():
        channels = network.tensors[name].channels
        assert mask[:channels].all() and (mask.all() or name not in compiled.placements), name


@pytest.mark.parametrize("words", [0, 512, 128])
@pytest.mark.parametrize("kind", ["chain", "residual", "depthwise", "conv_shift", "stem"])
def test_traces_name_what_is_written(kind: str, words: int) -> None:
    for seed in range(6):
        check_traced(kind, seed, words)

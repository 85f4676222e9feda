"""Edge shapes by name, on every preset, in ample and in scarce memory; and tile boundaries at every row."""

import dataclasses

import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from golden.errors import WesnpuError
from tests.compiler_check import check_compiled, check_network
from tests.compiler_networks import EDGES, edge_network

SLOW = {"tall", "tall_depthwise"}
TILED = (
    "same_odd", "depthwise_same_odd", "kernel_11", "depthwise_kernel_11", "stem_gather", "stem_7", "residual_dense",
    "residual_identity", "pointwise_odd_width", "pointwise_stride_2", "pooling_2", "depthwise_unequal_strides",
)


@pytest.mark.parametrize("shape", EDGES)
@pytest.mark.parametrize("name", PRESETS)
def test_edge_shape(name: str, shape: str) -> None:
    network, image = edge_network(shape, PRESETS[name].guard_bits)
    if shape in SLOW and PRESETS[name].size_bits < 11:  # its 700 rows
        with pytest.raises(WesnpuError, match=r"^layer layer0: COMPUTE first_row = \d+ must be in -512..511: "):
            compile_network(network, PRESETS[name])
        return
    assert check_network(network, image, PRESETS[name], seed=1) > 0


@pytest.mark.parametrize("shape", sorted(set(EDGES) - SLOW))
@pytest.mark.parametrize("name", ["nano", "large"])
def test_edge_shape_in_little_memory(name: str, shape: str) -> None:
    network, image = edge_network(shape, PRESETS[name].guard_bits)
    words = 128 if "11" in shape else 32
    config = dataclasses.replace(PRESETS[name], scratchpad_words=words, name=f"{name} with {words} words")
    assert check_compiled(compile_network(network, config), image, seed=words) > 0


def test_tall_image_runs_through_a_scratchpad_of_32_words() -> None:
    for shape in sorted(SLOW):
        network, image = edge_network(shape, PRESETS["small"].guard_bits)
        config = dataclasses.replace(PRESETS["small"], scratchpad_words=32)
        compiled = compile_network(network, config)
        assert len(compiled.traced) > 50
        assert check_compiled(compiled, image, seed=3) > 0


@pytest.mark.parametrize("words", [2048, 256])
@pytest.mark.parametrize("shape", TILED)
def test_tiles_of_every_height(shape: str, words: int) -> None:
    """Boundaries between tiles at every row; the last tile has one row for some heights."""
    config = dataclasses.replace(PRESETS["large"], scratchpad_words=words)
    network, image = edge_network(shape, config.guard_bits)
    height = max(network.tensors[layer.output].height for layer in network.layers)
    last_of_one_row = checked = 0
    for rows in range(1, height + 1):
        compiled = compile_network(network, config, tile_rows=rows)
        assert max(traced.rows for traced in compiled.traced) == rows
        last_of_one_row += rows > 1 and height % rows == 1
        checked += check_compiled(compiled, image, seed=rows) > 0
    assert checked == height
    assert last_of_one_row or height < 4 or words != 2048

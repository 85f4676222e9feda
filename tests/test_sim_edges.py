"""The edge shapes are what their names and docs/verification.md say, on every preset."""

import re
from collections.abc import Callable

import pytest

from compiler.config import PRESETS, preset
from compiler.encode import decode
from compiler.encoding import Unit
from compiler.program import compile_network
from golden.network import ConvLayer, Network, Tensor
from sim.build import ROOT
from sim.edges import EVERY_KERNEL, LAST_TILE, edge_names, edge_network, tile_rows

SEEDS = range(3)
Claim = Callable[[ConvLayer, Tensor], bool]
CLAIMS: dict[str, Claim] = {  # what holds of the layer and its input
    "one_row": lambda layer, x: x.height == 1 < x.width,
    "one_column": lambda layer, x: x.width == 1 < x.height,
    "one_pixel": lambda layer, x: x.height == x.width == 1 and not layer.depthwise,
    "one_pixel_depthwise": lambda layer, x: x.height == x.width == 1 and layer.depthwise,
    "kernel_above_height": lambda layer, x: layer.kernel[0] > x.height and not layer.depthwise,
    "kernel_above_size_depthwise": lambda layer, x: min(layer.kernel) > max(x.height, x.width) and layer.depthwise,
    "kernel_11": lambda layer, x: layer.kernel == (11, 11) and not layer.depthwise,
    "kernel_11_1": lambda layer, x: layer.kernel == (11, 1) and layer.padding[0] == 10,
    "kernel_1_11": lambda layer, x: layer.kernel == (1, 11) and layer.padding[1] == 10,
    "kernel_11_depthwise": lambda layer, x: layer.kernel == (11, 11) and layer.depthwise,
    "same_odd": lambda layer, x: x.height % 2 == 1 and layer.padding == (1, 1, 1, 1),
    "same_even": lambda layer, x: x.height % 2 == 0 and layer.padding == (0, 0, 1, 1),
    "same_odd_depthwise": lambda layer, x: x.height % 2 == 1 and layer.padding == (1, 1, 1, 1),
    "same_even_depthwise": lambda layer, x: x.height % 2 == 0 and layer.padding == (0, 0, 1, 1),
    "same_odd_5_depthwise": lambda layer, x: x.height % 2 == 1 and layer.padding == (2, 2, 2, 2),
    "same_even_5_depthwise": lambda layer, x: x.height % 2 == 0 and layer.padding == (1, 1, 2, 2),
    "padding_after_only": lambda layer, x: layer.padding == (0, 0, 2, 2),
    "padding_before_only": lambda layer, x: layer.padding == (2, 2, 0, 0),
    "channels_1": lambda layer, x: x.channels == layer.channels == 1,
    "channels_3_to_17": lambda layer, x: (x.channels, layer.channels) == (3, 17),
    "channels_17_to_3": lambda layer, x: (x.channels, layer.channels) == (17, 3),
    "residual_zero_point": lambda layer, x: layer.residual is not None and x.zero_point != 0,
    "residual_zero_point_depthwise": lambda layer, x: layer.residual is not None and x.zero_point != 0,
    "lo_is_hi": lambda layer, x: layer.lo == layer.hi,
    "all_shifts_15": lambda layer, x: bool((layer.requantizer.shift == 15).all()),
    "multiplier_65535": lambda layer, x: layer.requantizer.multiplier == 65535,
}


@pytest.mark.parametrize("config", sorted(PRESETS))
@pytest.mark.parametrize("name", CLAIMS)
def test_a_shape_is_what_its_name_says(name, config):
    for seed in SEEDS:
        network, image = edge_network(name, seed, preset(config))
        (layer,) = network.layers
        assert CLAIMS[name](layer, network.tensors[layer.input])
        assert image.shape == network.tensors[layer.input].shape


def test_every_kernel_size_occurs_dense_and_depthwise_in_both_directions():
    network, _ = edge_network(EVERY_KERNEL, 0, preset("small"))
    for direction in (0, 1):
        assert [layer.kernel[direction] for layer in network.layers] == list(range(1, 12))[:: 1 - 2 * direction]
    assert {layer.depthwise for layer in network.layers} == {False, True}


@pytest.mark.parametrize("config", sorted(PRESETS))
def test_the_last_tile_is_one_row(config):
    for seed in SEEDS:
        network, _ = edge_network(LAST_TILE, seed, preset(config))
        rows = tile_rows(network, preset(config))
        assert rows[-1] == 1 < rows[0]


def kernel_rows_at_tiles(network: Network, config: str) -> set[int]:
    """Kernel rows, of any output row, that meet the first row of a tile of the input."""
    (layer,) = network.layers
    source, target = network.tensors[layer.input], network.tensors[layer.output]
    loads = (one.fields for one in decode(compile_network(network, preset(config)).program) if one.unit == Unit.LOAD)
    row_bytes = source.width * 16
    starts = {fields["address"] % (source.height * row_bytes) // row_bytes for fields in loads} - {0}
    tops = range(-layer.padding[0], target.height * layer.stride[0] - layer.padding[0], layer.stride[0])
    return {start - top for start in starts for top in tops if 0 < start - top < layer.kernel[0]}


@pytest.mark.parametrize("config", sorted(PRESETS))
@pytest.mark.parametrize("name", ["tiles_depthwise", "tiles_of_5", "tiles_of_5_depthwise"])
def test_tiles_begin_at_every_row_of_a_kernel(name, config):
    network, _ = edge_network(name, 0, preset(config))
    assert kernel_rows_at_tiles(network, config) == set(range(1, network.layers[0].kernel[0]))


def test_every_shape_that_the_page_names_exists_and_keeps_its_promise():
    page = (ROOT / "docs" / "verification.md").read_text()
    table = page[page.index("| shape | entries |"):].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table)) - {"_depthwise", "_5_depthwise"}
    assert named <= set(edge_names())
    tested = {*CLAIMS, LAST_TILE, EVERY_KERNEL, "tiles_depthwise", "tiles_of_5", "tiles_of_5_depthwise"}
    assert named - tested == {"tiles_depthwise_stride", "tiles_dense", "tallest"}

# amaranth: UnusedElaboratable=no
"""docs/cost.md tells what docs/cost.json holds, and that is what the lanes are; conversions keep every factor."""

import json

import numpy as np
import pytest

from fpga.schemes import SCHEMES, TOP, component_verilog, synthesize
from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.requantize import ShiftScaler
from wesnpu.cost import DATA, DOCUMENT, KINDS, PLOT, channel_networks, check_rest
from wesnpu.cost_document import NAMES, document, kilobytes, plot
from wesnpu.scheme_networks import RECIPES, double_rounding, full_precision, power_of_two, single_precision

FOUND = json.loads(DATA.read_text())
RNG = np.random.default_rng(5)


def test_documents_are_up_to_date():
    assert DOCUMENT.read_text() == document(FOUND), "run python -m wesnpu.cost --document"
    assert PLOT.read_text() == plot(FOUND)


def test_every_requantizer_is_measured_as_it_is():
    assert list(FOUND["schemes"]) == list(SCHEMES) == list(NAMES) and set(RECIPES) == set(SCHEMES)
    for name, row in FOUND["schemes"].items():
        lane = SCHEMES[name]()
        assert (row["latency"], row["channel_bits"]) == (lane.latency, sum(lane.channel.values()))
        assert row["seeds"] == 5 and row["worst_mhz"] <= row["median_mhz"]


def test_channels_are_counted():
    counts = {network.name: sum(layer.channels for layer in network.layers) for network in channel_networks()}
    assert counts == FOUND["channels"] and kilobytes(1024, 4) == 0.5


def test_half_of_the_figures_is_measured_only_beside_the_other():
    cases = ("accuracy", {"comb": 300, "accuracy": {}}), ("hardware", {"accuracy": {"V1": {}}}), ("hardware", None)
    for kind, kept in cases:
        schemes = {} if kept is None else {"shift-4": kept}
        only = [one for one in KINDS if one != kind]
        with pytest.raises(WesnpuError, match=f"cost.json has no {kind} of shift-4"):
            check_rest(schemes, ["shift-4"], only)
        check_rest(schemes, ["shift-4"], KINDS)
    for kind in KINDS:
        check_rest(FOUND["schemes"], list(SCHEMES), [kind])


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_areas_are_those_of_the_lanes(name):
    from fpga.device import device

    found = synthesize(component_verilog(SCHEMES[name]()), TOP, device("25f")).area
    row = FOUND["schemes"][name]
    assert (found.comb, found.ff, found.dsp) == (row["comb"], row["ff"], row["dsp"])


def channels(count: int = 500) -> ChannelMultiplier:
    """Normalised multipliers, those that round up to a power of two among them."""
    multiplier = RNG.integers(1 << 30, 1 << 31, count).astype(np.uint32)
    multiplier[:20] = 2**31 - 1 - np.arange(20)
    return ChannelMultiplier(multiplier, RNG.integers(31, 55, count).astype(np.uint8))


def test_two_roundings_keep_the_factors():
    made = channels()
    found = double_rounding(made)
    assert np.array_equal(found.multiplier, made.multiplier) and np.array_equal(found.shift + 31, made.shift)


def test_sixteen_bits_are_the_nearest():
    made = channels()
    found = single_precision(made)
    want = made.multiplier.astype(float) * 2.0 ** -made.shift.astype(float)
    got = found.multiplier.astype(float) * 2.0 ** -found.shift.astype(float)
    assert np.all(np.abs(got / want - 1) <= 2.0**-15) and found.bits == 16 and found.multiplier.max() < 1 << 16


def test_a_power_of_two_is_a_shift():
    scaler = ShiftScaler(np.array([0, 3, 15], np.uint8), 4, 2**15)
    assert np.array_equal(power_of_two(scaler).shift, [5, 8, 20])
    with pytest.raises(WesnpuError, match=r"2\^15 is needed"):
        power_of_two(ShiftScaler(np.array([0], np.uint8), 4, 2**15 + 1))


def test_a_shift_scaler_becomes_multipliers_with_its_factors():
    scaler = ShiftScaler(np.array([0, 3, 15], np.uint8), 4, 40000)
    want = 40000 * 2.0 ** -(16 + scaler.total_shift.astype(float))
    for made, unit in ((full_precision(scaler), 0), (single_precision(scaler), 0), (double_rounding(scaler), 31)):
        assert np.array_equal(made.multiplier * 2.0 ** -(made.shift.astype(float) + unit), want)
    with pytest.raises(WesnpuError, match="32-bit multiplier per channel is needed"):
        full_precision(power_of_two(ShiftScaler(np.array([0], np.uint8), 4, 2**15)))

"""Phase search against its definition, worked out apart, and what it promises."""

import numpy as np
import pytest

from quant.float_graph.sample_graphs import real_images, residual_network
from quant.recipe import quantize
from quant.weights.phase_search import PHASES, best_phase, phase, relative_errors
from quant.weights.weights import largest_code


def weights(seed, channels=12):
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (channels, 3, 3, 3)) * 2.0 ** generator.uniform(-8, 0, (channels, 1, 1, 1))


def errors_by_hand(weight, bits, top):
    """Largest and mean relative error if the layer scale maps `top` to the largest code; plain Python per channel."""
    found, step = [], 2 ** (8 - bits)
    for channel in weight:
        largest = np.abs(channel).max()
        shift = 0
        while shift < 15 and largest * 2 ** (shift + 1) <= top:
            shift += 1
        unit = top / largest_code(bits) / 2**shift * step
        found.append(float(np.sum((np.rint(channel / unit) * unit - channel) ** 2)) / largest**2)
    return max(found), sum(found) / len(found)


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_it_is_the_best_of_all_phases_that_do_not_worsen_the_worst_channel(bits):
    moved = 0
    for seed in range(25):
        weight = weights(seed)
        top = np.abs(weight).max()
        plain = errors_by_hand(weight, bits, top)
        every = [errors_by_hand(weight, bits, top * 2 ** (j / PHASES)) for j in range(PHASES)]
        allowed = [mean for worst, mean in every if worst <= plain[0]]
        found = relative_errors(weight, bits, *best_phase(weight, bits))
        assert found.mean() == pytest.approx(min(allowed), rel=1e-12) and found.max() <= plain[0] * (1 + 1e-12), seed
        moved += found.mean() < plain[1] * (1 - 1e-9)
    assert moved > 5


def test_nothing_clips_and_the_scale_stays_within_one_octave():
    for seed in range(25):
        weight = weights(seed)
        plain, _ = phase(weight, 8, 0.0)
        scale, shift = best_phase(weight, 8)
        assert plain <= scale < 2 * plain and shift.dtype == np.uint8, seed
        assert (np.abs(weight).max(axis=(1, 2, 3)) <= 127 * np.ldexp(scale, -shift.astype(int)) * (1 + 1e-15)).all()


def test_a_dead_channel_has_no_shift_and_no_error():
    weight = weights(1)
    weight[4] = 0.0
    scale, shift = best_phase(weight, 8)
    assert shift[4] == 0 and relative_errors(weight, 8, scale, shift)[4] == 0


def test_as_a_recipe_it_changes_convolutions_and_leaves_poolings_alone():
    graph, images = residual_network(4), real_images(0, 4, (3, 8, 8))
    plain, found = (quantize(graph, images, recipe=recipe, weight_bits=4) for recipe in ("wes", "wes+phase"))
    changed = [
        a.name for a, b in zip(plain.layers, found.layers, strict=True) if not np.array_equal(a.weight, b.weight)
    ]
    assert changed and all(not name.startswith("pool") for name in changed)

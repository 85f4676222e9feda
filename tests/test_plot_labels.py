"""Labels of the roofline: every point is named, coinciding ones together, and nothing covers anything."""

import numpy as np
import pytest

from wesnpu.plot_labels import MARKER, groups, ranges, spread


@pytest.mark.parametrize(
    ("numbers", "text"), [([1], "1"), ([1, 2], "1-2"), ([1, 2, 3, 7], "1-3, 7"), ([2, 4, 5, 9], "2, 4-5, 9")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_groups_hold_every_place_once() -> None:
    places = [(0.0, 0.0), (50.0, 0.0), (2.0, 2.0), (50.0, 1.0), (0.0, 4.0)]
    assert groups(places, 3.0) == [[0, 2], [1, 3], [4]]


@pytest.mark.parametrize("seed", range(5))
def test_no_label_covers_another_or_a_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = [tuple(place) for place in rng.normal(0, 25, (60, 2)).tolist()]
    widths = rng.integers(6, 60, 60).tolist()
    centres = spread(places, widths, 9.0)
    boxes = [(x - w / 2, y - 4.5, x + w / 2, y + 4.5) for (x, y), w in zip(centres, widths, strict=True)]
    points = [(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in places]

    def apart(a: tuple, b: tuple) -> bool:
        return a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]

    assert all(apart(box, other) for i, box in enumerate(boxes) for other in boxes[i + 1 :] + points)

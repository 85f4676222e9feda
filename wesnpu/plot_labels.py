"""Labels of a crowded plot: points that coincide share one, and no label covers another or a point."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

Place = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top
DIRECTIONS = ((1, 0), (1, -1), (1, 1), (0, -1), (0, 1), (-1, -1), (-1, 1), (-1, 0))
NEAREST, STEP = 5.0, 6.0  # of a label from its point, and how much farther the next try is
MARKER = 4.0  # half of a point's size


def groups(places: Sequence[Place], distance: float) -> list[list[int]]:
    """Numbers of the places, those within `distance` of a group's first one together, in order."""
    found: list[list[int]] = []
    for index, place in enumerate(places):
        near = (group for group in found if np.hypot(*np.subtract(places[group[0]], place)) <= distance)
        group = next(near, None)
        if group is None:
            found.append([index])
        else:
            group.append(index)
    return found


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in words: 1, 2, 3, 7 as '1-3, 7'."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def spread(places: Sequence[Place], widths: Sequence[float], height: float) -> list[Place]:
    """The centre of each place's label, `widths` wide and `height` high: near it, where nothing is covered yet."""
    taken: list[Box] = [(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in places]
    centres = []
    for place, width in zip(places, widths, strict=True):
        centre = next(
            centre for centre in _tries(place, width, height)
            if not any(_overlap(_box(centre, width, height), box) for box in taken)
        )
        taken.append(_box(centre, width, height))
        centres.append(centre)
    return centres


def _tries(place: Place, width: float, height: float) -> Iterator[Place]:
    """Places for a label's centre, ever farther from its point."""
    for step in count():
        away = NEAREST + STEP * step
        for across, up in DIRECTIONS:
            yield place[0] + across * (away + width / 2), place[1] + up * (away + height / 2)


def _box(centre: Place, width: float, height: float) -> Box:
    return centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

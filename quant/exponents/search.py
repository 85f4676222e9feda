"""Search for the exponents of a power-of-two network: block coordinate descent that never makes the loss larger.

RAPQ (Yao et al. 2022, 2204.12322) chooses the exponents of all layers together, against the network's output, instead
of rounding each scale by itself. Here it is done without gradients, so the result is that of the integer network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

Choice = tuple[int, ...]
Loss = Callable[[Choice, int], float]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Found:
    """The best choice, its loss, the losses of all accepted choices in order (the start first), and how many tried."""

    choice: Choice
    losses: tuple[float, ...]
    tried: int

    @property
    def loss(self) -> float:
        """The loss of the best choice."""
        return self.losses[-1]


def descend(
    options: Sequence[Sequence[int]], start: Choice, loss: Loss, *, joint: int = 1, pairs: bool = False,
    sweeps: int = 4, progress: Progress | None = None,
) -> Found:
    """Go from `start` to a choice of one option each that no change of `joint` neighbours improves.

    options: the values that each position may take. loss(choice, first): of a choice that differs from the best so far
    only from position `first` on; infinity where it is not allowed. A choice is accepted only when its loss is smaller,
    and is then the one that the next call differs from. One sweep tries all combinations of every `joint` successive
    positions in order, with `pairs` then those of every two positions; sweeps end when one changes nothing, at the
    latest after `sweeps`. With joint >= len(options) the first sweep tries everything, so the result is that of brute
    force. progress: told how many were tried.
    """
    best, losses, tried = tuple(start), [loss(tuple(start), 0)], 1
    for _ in range(sweeps):
        accepted = len(losses)
        for positions in _together(len(options), joint, pairs):
            here = best
            for values in product(*(options[position] for position in positions)):
                choice = _changed(here, positions, values)
                if choice in (here, best):
                    continue
                first = next(i for i, (a, b) in enumerate(zip(choice, best, strict=True)) if a != b)
                value, tried = loss(choice, first), tried + 1
                if value < losses[-1]:
                    best = choice
                    losses.append(value)
                if progress is not None:
                    progress(tried)
        if len(losses) == accepted or joint >= len(options):
            break
    return Found(best, tuple(losses), tried)


def _together(count: int, joint: int, pairs: bool) -> Iterator[tuple[int, ...]]:
    """The positions that are changed together, in the order of a sweep."""
    width = max(1, min(joint, count))
    yield from (tuple(range(first, first + width)) for first in range(count - width + 1))
    if pairs:
        yield from (pair for pair in combinations(range(count), 2) if pair[1] - pair[0] >= width)


def _changed(choice: Choice, positions: tuple[int, ...], values: tuple[int, ...]) -> Choice:
    changed = list(choice)
    for position, value in zip(positions, values, strict=True):
        changed[position] = value
    return tuple(changed)

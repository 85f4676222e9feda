"""Block coordinate descent over exponents against brute force, on tables of random losses."""

from itertools import combinations, product

import numpy as np
import pytest

from quant.exponents.search import descend


class Table:
    """A random loss for every choice, some infinite; checks what the search promises about its calls."""

    def __init__(self, seed: int, places: int, interaction: float) -> None:
        generator = np.random.default_rng(seed)
        self.options = [tuple(range(generator.integers(1, 4))) for _ in range(places)]
        choices = list(product(*self.options))
        single = [generator.normal(size=3) for _ in self.options]
        separable = [sum(column[value] for column, value in zip(single, c, strict=True)) for c in choices]
        values = separable + interaction * generator.normal(size=len(choices))
        self.values = dict(zip(choices, values, strict=True))
        for index in generator.choice(len(choices), len(choices) // 5, replace=False) if interaction else ():
            self.values[choices[index]] = float("inf")
        self.start = choices[int(np.argmax(np.nan_to_num(values, posinf=-1)))]
        self.values[self.start] = max(separable) + 10
        self.best, self.calls = self.start, 0

    def loss(self, choice: tuple[int, ...], first: int) -> float:
        """The table's entry; `first` must be where the choice starts to differ from the best of all calls so far."""
        assert choice[:first] == self.best[:first]
        self.calls += 1
        if self.values[choice] < self.values[self.best]:
            self.best = choice
        return self.values[choice]


def search(table: Table, joint: int, pairs: bool = False):
    return descend(table.options, table.start, table.loss, joint=joint, pairs=pairs)


@pytest.mark.parametrize("places", range(1, 9))
def test_up_to_8_exponents_together_are_brute_force(places):
    for seed in range(5):
        table = Table(seed, places, 3.0)
        found = search(table, joint=8)
        assert found.loss == min(table.values.values()) and table.values[found.choice] == found.loss, seed


@pytest.mark.parametrize("joint", [1, 2, 3])
def test_the_loss_never_increases_and_no_change_of_neighbours_improves_the_end(joint):
    for seed in range(10):
        table = Table(seed, 7, 3.0)
        found = search(table, joint=joint)
        assert list(found.losses) == sorted(found.losses, reverse=True) and len(set(found.losses)) == len(found.losses)
        assert found.losses[0] == table.values[table.start] and found.tried == table.calls
        for first in range(7 - joint + 1):
            for values in product(*table.options[first : first + joint]):
                choice = (*found.choice[:first], *values, *found.choice[first + joint :])
                assert table.values[choice] >= found.loss, seed


def test_with_pairs_no_change_of_any_two_improves_the_end():
    better = 0
    for seed in range(10):
        table, plain = Table(seed, 7, 3.0), Table(seed, 7, 3.0)
        found = search(table, 2, pairs=True)
        for one, other in combinations(range(7), 2):
            for values in product(table.options[one], table.options[other]):
                choice = list(found.choice)
                choice[one], choice[other] = values
                assert table.values[tuple(choice)] >= found.loss, seed
        better += found.loss < search(plain, 2).loss
    assert better > 0


def test_one_at_a_time_is_brute_force_where_losses_add_up():
    for seed in range(10):
        table = Table(seed, 6, 0.0)
        assert search(table, joint=1).loss == min(table.values.values()), seed


def test_a_start_that_is_not_allowed_is_left_and_progress_counts():
    told = []
    found = descend([(0, 1)] * 3, (0, 0, 0), lambda c, first: 1.0 / sum(c) if sum(c) else float("inf"),
                    progress=told.append)
    assert found.choice == (1, 1, 1) and told == list(range(2, found.tried + 1))

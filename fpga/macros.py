"""Macro assignment: which of the device's block RAMs and multipliers holds which of the design's.

nextpnr's placer spreads a design first and finds legal places for its few hundred macros afterwards; then they hardly
move any more, since their rows lie apart. Here the macros of one kind change places among each other, all else where
it is: a linear assignment problem, each macro's half perimeters of its nets in each place. For macros that share no net
the sum is the smallest there is. A second placement around them makes nets a fifth shorter than the first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from golden.errors import WesnpuError

MACROS = ("DP16KD", "MULT18X18D")
ROUNDS = 3  # all kinds in turn; macros that share a net move without regard to each other, so what helps is kept
EVERYWHERE = 3000  # readers of a net, clock or reset, that spans the design wherever its macros are
BEL = re.compile(r"X(\d+)/Y(\d+)/")


def assigned(placed: dict) -> dict[str, str]:
    """The place (nextpnr's BEL) of each macro by name, from the JSON that nextpnr writes of a placed design."""
    placement = _Placement(placed)
    for kind in MACROS * ROUNDS:
        placement.assign(kind)
    return {name: bel for kind in MACROS for name, bel in placement.bels(kind).items()}


def with_macros(netlist: dict, top: str, bels: dict[str, str]) -> dict:
    """The yosys netlist with these cells of its module `top` fixed in their places; WesnpuError where it lacks one."""
    module = netlist["modules"][top]
    cells = module["cells"]
    if lacks := sorted(bels.keys() - cells.keys()):
        raise WesnpuError(f"nextpnr placed macros that the netlist of {top} does not have: {', '.join(lacks[:4])}")
    fixed = {name: cells[name] | {"attributes": cells[name]["attributes"] | {"BEL": bel}} for name, bel in bels.items()}
    return netlist | {"modules": netlist["modules"] | {top: module | {"cells": cells | fixed}}}


class _Placement:
    """Where cells lie, in tiles, and which nets join them."""

    def __init__(self, placed: dict):
        everything = [item for module in placed["modules"].values() for item in module["cells"].items()]
        cells = {name: cell for name, cell in everything if "NEXTPNR_BEL" in cell["attributes"]}
        self._type = {name: cell["type"] for name, cell in cells.items()}
        self._bel = {name: cell["attributes"]["NEXTPNR_BEL"] for name, cell in cells.items()}
        joined = defaultdict(set)
        for name, cell in cells.items():
            for bit in (bit for bits in cell["connections"].values() for bit in bits if isinstance(bit, int)):
                joined[bit].add(name)
        self._nets = [sorted(names) for names in joined.values() if 1 < len(names) < EVERYWHERE]
        self._nets_of = defaultdict(list)
        for net in self._nets:
            for name in net:
                self._nets_of[name].append(net)

    def bels(self, kind: str) -> dict[str, str]:
        """The place of each cell of that type."""
        return {name: bel for name, bel in self._bel.items() if self._type[name] == kind}

    def length(self) -> int:
        """Half perimeters of all nets, in tiles."""
        return sum(right - left + bottom - top for left, top, right, bottom in map(self._box, self._nets))

    def assign(self, kind: str) -> None:
        """Let all cells of that type change places, if it makes nets shorter."""
        from scipy.optimize import linear_sum_assignment  # here: area and an iCE40 need no scipy

        here, length = self.bels(kind), self.length()
        names, bels = list(here), list(here.values())
        cost = np.array([self._costs(name, bels) for name in names])
        if len(names) > 1:
            rows, columns = linear_sum_assignment(cost)
            self._bel.update({names[row]: bels[column] for row, column in zip(rows, columns, strict=True)})
            if self.length() >= length:
                self._bel.update(here)

    def _costs(self, name: str, bels: list[str]) -> np.ndarray:
        """Half perimeters of the nets of cell `name` in each of these places, all others where they are."""
        x, y = np.array([_tile(bel) for bel in bels]).T
        costs = np.zeros(len(bels), int)
        for net in self._nets_of[name]:
            left, top, right, bottom = self._box(other for other in net if other != name)
            costs += np.maximum(x, right) - np.minimum(x, left) + np.maximum(y, bottom) - np.minimum(y, top)
        return costs

    def _box(self, names: Iterable[str]) -> tuple[int, int, int, int]:
        x, y = zip(*(_tile(self._bel[name]) for name in names), strict=True)
        return min(x), min(y), max(x), max(y)


def _tile(bel: str) -> tuple[int, int]:
    column, row = BEL.match(bel).groups()
    return int(column), int(row)

"""From a sequential list of items to a program: transfers move up, then every command gets its waits.

The sequential order is correct by construction (each command runs after the one before). Two commands may swap when
they touch no common word; moving LOAD and WEIGHTS items up past such commands is what overlaps them with computing.
The waits then order every pair that still touches common words, so the units may run as far apart as those allow.
"""

import numpy as np

from compiler.encoding import Unit
from compiler.item import Item, conflicts

WAIT_FIELDS = {
    Unit.LOAD: "wait_load",
    Unit.WEIGHTS: "wait_weights",
    Unit.COMPUTE: "wait_compute",
    Unit.STORE: "wait_store",
}
COMPUTE_AHEAD = 3  # COMPUTE commands that a transfer may overtake
IN_ORDER = (Unit.LOAD, Unit.WEIGHTS)  # these units do one command after the other


def hoist(items: list[Item]) -> list[Item]:
    """Moves LOAD and WEIGHTS items up past items they do not conflict with, over at most COMPUTE_AHEAD COMPUTEs."""
    order: list[Item] = []
    for item in items:
        position = len(order)
        if item.unit in (Unit.LOAD, Unit.WEIGHTS):
            position = _earliest(order, item)
        order.insert(position, item)
    return order


def _earliest(order: list[Item], item: Item) -> int:
    position, passed = len(order), 0
    best = position
    while position > 0:
        before = order[position - 1]
        if before.unit == item.unit or conflicts(before, item):
            break
        passed += before.unit == Unit.COMPUTE
        if passed > COMPUTE_AHEAD:
            break
        position -= 1
        best = position
    return best


def bits(mask: int) -> np.ndarray:
    """Indices of the set bits."""
    size = (mask.bit_length() + 7) // 8
    return np.flatnonzero(np.unpackbits(np.frombuffer(mask.to_bytes(size, "little"), np.uint8), bitorder="little"))


class Tokens:
    """Who touched every word last, as counts of commands per unit; gives each command its waits.

    sizes: words per memory, the keys of Item.reads and Item.writes.
    """

    def __init__(self, sizes: dict[str, int]):
        self._readers = {name: np.zeros((len(WAIT_FIELDS), size), np.int64) for name, size in sizes.items()}
        self._writers = {name: np.zeros((len(WAIT_FIELDS), size), np.int64) for name, size in sizes.items()}
        self._issued = [0] * len(WAIT_FIELDS)

    def waits(self, item: Item) -> dict[str, int]:
        """The wait fields of the next command in program order."""
        reads = {name: bits(mask) for name, mask in item.reads.items()}
        writes = {name: bits(mask) for name, mask in item.writes.items()}
        needed = np.zeros(len(WAIT_FIELDS), np.int64)
        for name, where in (*reads.items(), *writes.items()):
            needed = np.maximum(needed, self._writers[name][:, where].max(axis=1, initial=0))
        for name, where in writes.items():
            needed = np.maximum(needed, self._readers[name][:, where].max(axis=1, initial=0))
        if item.unit in IN_ORDER:
            needed[item.unit] = 0
        self._issued[item.unit] += 1
        for name, where in reads.items():
            self._readers[name][item.unit, where] = self._issued[item.unit]
        for name, where in writes.items():
            self._writers[name][item.unit, where] = self._issued[item.unit]
        return {field: int(needed[unit]) for unit, field in WAIT_FIELDS.items()}

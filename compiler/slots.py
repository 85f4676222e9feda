"""Places of equal size on chip for the parts of something that is used again and again in the same order."""


class Slots:
    """`count` places. Where there are more parts than places, all places but two keep theirs for good.

    The other parts take turns in the last two; they stand between the kept ones, so that loading them and using the
    kept ones go on at the same time. streamed: parts are used once, so all take turns in all places.
    """

    def __init__(self, count: int, *, streamed: bool = False):
        self._held: list[object] = [None] * count
        self._kept = 0 if streamed else max(count - 2, 0)
        self._turn = -1

    def place(self, number: int, total: int, key: object) -> tuple[int, bool]:
        """(place, whether the part must be loaded) of part `number` of `total`; `key` tells it from all others."""
        if key in self._held:
            return self._held.index(key), False
        slot = self._own(number, total)
        if slot is None:
            self._turn = (self._turn + 1) % (len(self._held) - self._kept)
            slot = self._kept + self._turn
        self._held[slot] = key
        return slot, True

    def _own(self, number: int, total: int) -> int | None:
        """The place that a part has for itself."""
        if total <= len(self._held) and self._kept:
            return number if number < len(self._held) else None
        before, after = number * self._kept // total, (number + 1) * self._kept // total
        return before if after > before else None

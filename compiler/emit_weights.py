"""Weights and parameters on their way: the image's bytes, the rings on chip, the commands that fill them."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.encoding import Unit
from compiler.item import Item
from compiler.mapping import Mapping

Run = tuple[int, int, int]  # first lane group, lane groups, channels in each


@dataclass(frozen=True)
class Chunk:
    """Lane groups computed by one command, `live` channels in each, and where their weights and parameters lie."""

    first_group: int
    groups: int
    live: int
    weight_row: int
    parameter_row: int
    weight_rows: int


class Ring:
    """The next free row of a ring memory; `memory` is its name in Item.reads and Item.writes."""

    def __init__(self, memory: str, rows: int):
        self.memory, self.rows, self._next = memory, rows, 0

    def take(self, count: int) -> int:
        """The first of the next `count` rows, which are taken."""
        first = self._next
        self._next = (self._next + count) % self.rows
        return first

    def mask(self, first: int, count: int) -> int:
        """These rows, a bit each."""
        line = (1 << count) - 1 << first
        return (line | line >> self.rows) & ((1 << self.rows) - 1)


class WeightLoader:
    """Appends WEIGHTS commands to `items`; `image`: the bytes that they read."""

    def __init__(self, config: EngineConfig, items: list[Item]):
        self._config, self._items = config, items
        self.weight_ring = Ring("weights", config.weight_rows)
        self.parameter_ring = Ring("parameters", config.parameter_rows)
        self._offsets: dict[bytes, int] = {}
        self.image = bytearray()

    def chunks(self, mapping: Mapping, first: int, last: int) -> list[Run]:
        """(first group, groups, channels per group) of the commands for groups first .. last - 1."""
        config, per_block = self._config, mapping.groups_per_block
        chunks = []
        for start, count, live in mapping.runs():
            limit = max(config.parameter_rows // 4, 1)
            if not self._items:
                limit = min(limit, per_block)  # nothing hides the first weights
            if live and not mapping.hold_weights:
                limit = min(limit, max(config.weight_rows // 4 // mapping.group_rows, 1))
            if limit >= per_block:
                limit -= limit % per_block
            begin, end = max(start, first), min(start + count, last)
            chunks += [(group, min(limit, end - group), live) for group in range(begin, end, limit)]
        return chunks

    def persistent(self, chunks: list[Run], mapping: Mapping) -> bool:
        """Whether the weights and parameters of these commands stay on chip over all tiles."""
        rows = sum(self._chunk_rows(mapping, groups, live) for _, groups, live in chunks)
        return rows <= self._config.weight_rows and sum(n for _, n, _ in chunks) <= self._config.parameter_rows

    def _chunk_rows(self, mapping: Mapping, groups: int, live: int) -> int:
        """Weight rows of a chunk, rounded up to whole 16-byte units."""
        rows = groups * mapping.group_rows if live and not mapping.hold_weights else 1
        align = max(16 // self._config.weight_row_bytes, 1)
        return -(-rows // align) * align

    def load_weights(self, mapping: Mapping, first: int, groups: int, live: int) -> Chunk:
        """Loads weights and parameters of lane groups with `live` channels each into the next rows of both rings."""
        held = mapping.hold_weights or not live
        data = mapping.held_row(live) if held else mapping.weight_rows(first, groups)
        rows = self._chunk_rows(mapping, groups, live)
        weight_row = self.weight_ring.take(rows)
        self.load_rows(data, weight_row, rows)
        return Chunk(first, groups, live, weight_row, self.load_parameters(mapping, first, groups), rows)

    def load_parameters(self, mapping: Mapping, first: int, groups: int) -> int:
        """Loads the parameters of lane groups into the next rows of their ring; returns the first."""
        row = self.parameter_ring.take(groups)
        self._fill(self.parameter_ring, mapping.parameter_rows(first, groups), row, groups)
        return row

    def load_rows(self, data: bytes, row: int, rows: int) -> None:
        """Loads weight rows `row` .. `row + rows - 1`, or the first of them."""
        self._fill(self.weight_ring, data, row, rows)

    def _fill(self, ring: Ring, data: bytes, row: int, rows: int) -> None:
        fields = {
            "address": self._image_offset(data),
            "row": row,
            "parameters": int(ring is self.parameter_ring),
            "length": len(data) // 16,
        }
        self._items.append(Item(Unit.WEIGHTS, fields, writes={ring.memory: ring.mask(row, rows)}))

    def _image_offset(self, data: bytes) -> int:
        if data not in self._offsets:
            self._offsets[data] = len(self.image)
            self.image += data
        return self._offsets[data]

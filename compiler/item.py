"""A command with what it touches: the unit of scheduling."""

from dataclasses import dataclass, field

from compiler.encoding import Unit
from compiler.region import Region


@dataclass(frozen=True)
class Traced:
    """What one COMPUTE command writes, in order: lane groups, rows, columns.

    The region's width is that of the columns written.
    layer: index in the network. Lane group g holds channels g * lanes .. + lanes - 1 of the tensor. joined: the command
    ran the rows as one row of rows * width pixels.
    """

    layer: int
    first_group: int
    groups: int
    first_row: int
    rows: int
    joined: bool
    region: Region
    first_block: int  # channel block of the tensor that the region's block 0 holds
    first_column: int = 0


@dataclass
class Item:
    """One command before its waits are known.

    reads, writes: a bit mask per memory: words of "scratchpad", rows of "weights" and "parameters", and for an external
    tensor its channel blocks' rows (bit block * height + row) under its name. trace: of a COMPUTE.
    """

    unit: Unit
    fields: dict[str, int]
    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    trace: Traced | None = None


def conflicts(first: Item, second: Item) -> bool:
    """Whether the two must keep their order: they touch the same words and one of them writes."""
    for memory, mask in second.writes.items():
        if mask & (first.reads.get(memory, 0) | first.writes.get(memory, 0)):
            return True
    return any(mask & first.writes.get(memory, 0) for memory, mask in second.reads.items())

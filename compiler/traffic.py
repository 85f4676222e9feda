"""Bytes that a program moves between external memory and the engine for each layer."""

from dataclasses import dataclass

from compiler.config import WORD_BYTES
from compiler.encoding import Unit
from compiler.item import Item
from compiler.layout import PACKED_CHANNELS

PACKED_PIXELS = WORD_BYTES // PACKED_CHANNELS  # of a unit of a packed input


@dataclass(frozen=True)
class Traffic:
    """Bytes read by the LOAD and WEIGHTS commands of a layer, and written by its STORE commands; its program is not
    counted."""

    read: int
    written: int


def traffic(items: list[Item], layers: int) -> tuple[Traffic, ...]:
    """The traffic of every layer, from the commands before they are moved up: what a COMPUTE command reads is brought
    before it, after the COMPUTE command before it, and what it writes is stored after it.
    """
    read, written, waiting, layer = [0] * layers, [0] * layers, 0, 0
    for item in items:
        if item.unit == Unit.COMPUTE:
            layer = item.fields["layer"]
            read[layer] += waiting
            waiting = 0
        elif item.unit == Unit.STORE:
            written[layer] += moved_bytes(item)
        else:
            waiting += moved_bytes(item)
    return tuple(Traffic(*both) for both in zip(read, written, strict=True))


def moved_bytes(item: Item) -> int:
    """Bytes on the bus of a LOAD, STORE or WEIGHTS command."""
    fields = item.fields
    if item.unit == Unit.WEIGHTS:
        return fields["length"] * WORD_BYTES
    packed = PACKED_PIXELS if fields.get("unpack") else 1
    return fields["blocks"] * fields["rows"] * -(-fields["width"] // packed) * WORD_BYTES

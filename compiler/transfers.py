"""LOAD and STORE of a box of a tensor: some rows and columns of some channel blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.config import WORD_BYTES
from compiler.encoding import Unit
from compiler.item import Item
from compiler.layout import PACKED_CHANNELS, Placement
from compiler.region import Region


@dataclass(frozen=True)
class Box:
    """Rows and columns of a tensor: `rows` from `row` on, `columns` from `column` on."""

    row: int
    rows: int
    column: int
    columns: int


@dataclass(frozen=True)
class Depth:
    """`count` channel blocks: from `block` on in the tensor, from `inner` on in its region."""

    block: int
    count: int
    inner: int = 0


def transfers(
    unit: Unit, tensor: str, place: Placement, region: Region, box: Box, depth: Depth, row: int = 0
) -> Iterator[Item]:
    """The commands that bring a box of `tensor` at `place` to rows `row` on of its region, or back.

    One command where the box is contiguous in every block: all columns, or one row. Else one per block, whose rows are
    the command's blocks; they must not go round the region's ring. A packed box begins at a multiple of 4 columns.
    """
    if box.columns == place.width or box.rows == 1:
        yield _transfer(unit, tensor, place, region, box, depth, row, {
            "external_block_stride": place.block_bytes, "rows": box.rows, "blocks": depth.count,
        })
        return
    for number in range(depth.count):
        one = Depth(depth.block + number, 1, depth.inner + number)
        yield _transfer(unit, tensor, place, region, box, one, row, {
            "external_block_stride": place.row_bytes, "rows": 1, "blocks": box.rows, "block_stride": region.pitch,
        })


def _transfer(
    unit: Unit, tensor: str, place: Placement, region: Region, box: Box, depth: Depth, row: int, shape: dict[str, int]
) -> Item:
    pixel_bytes = PACKED_CHANNELS if place.packed else WORD_BYTES
    address = place.offset + depth.block * place.block_bytes + box.row * place.row_bytes + box.column * pixel_bytes
    fields = region.fields("", depth.inner, row) | {"address": address, "width": box.columns} | shape
    outside = 0
    for block in range(depth.block, depth.block + depth.count):
        outside |= (1 << box.rows) - 1 << block * place.height + box.row
    inside, outer = {"scratchpad": region.mask(row, box.rows, depth.inner, depth.count)}, {f"tensor {tensor}": outside}
    if unit == Unit.STORE:
        return Item(unit, fields, reads=inside, writes=outer)
    return Item(unit, fields | {"unpack": int(place.packed)}, reads=outer, writes=inside)

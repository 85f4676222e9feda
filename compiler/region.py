"""Regions of the scratchpad: rings of row slots, their pitch, and which words an access touches."""

from dataclasses import dataclass
from functools import cache

from compiler.config import EngineConfig
from compiler.encoding import ROW_OFFSETS


@dataclass(frozen=True)
class Window:
    """What a layer reads of a region in one cycle: `words` adjacent words of each of `rows` adjacent rows."""

    rows: int
    words: int


WORDS_ALONE = Window(1, 1)  # one row, wherever it lies


@dataclass(frozen=True)
class Region:
    """Rows of a tensor in the scratchpad.

    Word(block, row, x) = base + block * block_stride + (row mod slots) * pitch + x.
    """

    base: int
    blocks: int
    slots: int
    pitch: int
    width: int

    @property
    def block_stride(self) -> int:
        """Words from one channel block to the next: slots * pitch, where the row offset wraps, too."""
        return self.slots * self.pitch

    @property
    def words(self) -> int:
        """Words of the whole region."""
        return self.blocks * self.block_stride

    def row_offset(self, row: int) -> int:
        """Slot offset of an image row; also of rows above the image (negative)."""
        return row % self.slots * self.pitch

    def fields(self, prefix: str, block: int, row: int) -> dict[str, int]:
        """The command fields, named `prefix` + ..., of an access that begins at this channel block and image row."""
        return {
            f"{prefix}base": self.base + block * self.block_stride,
            f"{prefix}block_stride": self.block_stride,
            f"{prefix}pitch": self.pitch,
            f"{prefix}extent": self.block_stride % ROW_OFFSETS,
            f"{prefix}row_offset": self.row_offset(row),
        }

    def mask(self, first_row: int, rows: int, first_block: int, blocks: int) -> int:
        """A bit per scratchpad word of these rows and blocks."""
        line = (1 << self.width) - 1
        block = 0
        for slot in {row % self.slots for row in range(first_row, first_row + rows)}:
            block |= line << slot * self.pitch
        total = 0
        for index in range(first_block, first_block + blocks):
            total |= block << (self.base + index * self.block_stride)
        return total

    def contiguous(self, first_row: int, rows: int) -> bool:
        """Whether these rows follow each other in memory without gap or wrap."""
        return self.pitch == self.width and first_row % self.slots + rows <= self.slots


def conflict_free(pitch: int, slots: int, window: Window, height: int, config: EngineConfig) -> bool:
    """Whether adjacent rows in a ring always lie in different banks (docs/engine.md, "Memories")."""
    whole, rows = slots >= height, window.rows
    starts = [0] if whole else [0, *range(max(1, slots - rows + 1), slots)]  # without wrap all rows are as row 0
    for start in starts:
        offsets = [row % slots * pitch for row in range(start, start + min(rows, height))]
        banks = {(offset + word) % config.banks for offset in offsets for word in range(window.words)}
        if len(banks) < len(offsets) * window.words:
            return False
    return True


@cache
def choose_ring(
    width: int, slots: int, height: int, windows: frozenset[Window], config: EngineConfig
) -> tuple[int, int]:
    """(slots, pitch), both as small as possible but not below `slots` and `width`, without conflicts for every window.

    With `height` slots nothing wraps, and a pitch of 3 * pixels (mod config.banks) keeps five rows apart where a pixel
    has 8 banks, and three of 2 * pixels words; where it has 4, three of `pixels` words: it always exists.
    """
    for more in range(slots, height + 1):
        for pitch in range(width, width + config.banks):
            if all(one.rows == 1 or conflict_free(pitch, more, one, height, config) for one in windows):
                return more, pitch
    raise AssertionError("unreachable: a region without wrap always has a pitch")

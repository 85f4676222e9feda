"""How a layer runs that does not fit row by row: its output in tiles of rows and columns, its sums in pieces.

A tile's input patch, halo included, is loaded from external memory for this tile alone. Where even the patch of one
output step is too large, or the weights of one lane group, the sums are made in pieces by a chain of commands
(docs/engine.md, "Chains"), each with a part of the kernel and of the input channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encoding import COMMANDS_MAX
from compiler.layout import blocks_of
from compiler.mapping import Mapping, Piece
from compiler.region import choose_ring
from golden.errors import WesnpuError
from golden.network import Network

INPUT_SLOTS = 8  # places for input pieces: all but two keep theirs from lane group to lane group
WEIGHT_SLOTS = 8  # places for weight pieces: all but two keep theirs from output step to output step
STREAMED_SLOTS = 4  # places for weight pieces that are used once
OUTPUT_PART = 4  # a layer with divided input gives this part of the scratchpad to its output
PACKED_STEP = 4  # columns of a packed row that share 16 bytes
COMMAND_WORDS = 16  # what a command costs, in words loaded


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """One layer cut into tiles; all its tensors lie in external memory.

    rows, columns: of an output tile; slab: output channel blocks at a time (depthwise: input blocks, too); buffers:
    tiles in the scratchpad at once. pieces: parts of the kernel and the input blocks, whose sums add up; one if nothing
    is divided. divided: the input is loaded piece by piece, else a tile's whole patch. patch: (rows, words per row) of
    the place of a patch; input_words: words of such a place; input_slots: how many there are. loaded_words: all words
    that are loaded, about.
    """

    index: int
    mapping: Mapping
    rows: int
    columns: int
    slab: int
    buffers: int
    pieces: tuple[Piece, ...]
    divided: bool
    patch: tuple[int, int]
    input_words: int
    input_slots: int
    loaded_words: int = 0

    @property
    def layers(self) -> range:
        """Indices of its layers in the network: one."""
        return range(self.index, self.index + 1)

    @property
    def chained(self) -> bool:
        """Whether the sums of an output step are made by several commands."""
        return len(self.pieces) > 1

    @property
    def output_words(self) -> int:
        """Words of one tile of the output, or of the residual operand."""
        return self.slab * self.rows * self.columns


class Splitter:
    """Finds the plan of one layer."""

    def __init__(self, network: Network, config: EngineConfig, index: int, mapping: Mapping, *, packed: bool):
        self._config, self._index, self._mapping, self._packed = config, index, mapping, packed
        layer = mapping.layer
        source, target = network.tensors[layer.input], network.tensors[layer.output]
        self._size = source.height, source.width
        self._target = target.height, target.width
        self._input_blocks = blocks_of(source.channels)
        self._blocks = blocks_of(target.channels)
        self._sharers = 2 if layer.residual else 1  # regions of the output's size

    def plan(self, tile_rows: int | None) -> SplitPlan:
        """The plan with the least traffic; WesnpuError when a program cannot hold its commands.

        tile_rows: output rows of a tile, None chooses them.
        """
        for mapping in self._mappings():
            self._mapping = mapping
            whole = self._tiled(tile_rows)
            if whole is not None:
                return self._counted(whole)
        return self._counted(self._divided())

    def _mappings(self) -> Iterator[Mapping]:
        yield self._mapping
        if self._mapping.grid:
            yield self._mapping.without_window()

    @property
    def _step(self) -> int:
        return self._config.pixels if self._mapping.stride[1] == 1 else 1

    def _patch(self, rows: int, columns: int) -> tuple[int, int]:
        """(rows, words per row) that the patch of a tile takes."""
        mapping, (height, width) = self._mapping, self._size
        tall = min((rows - 1) * mapping.stride[0] + mapping.layer.kernel[0], height)
        wide = (columns - 1) * mapping.stride[1] + mapping.layer.kernel[1]
        wide = min(wide + (PACKED_STEP - 1 if self._packed else 0), width)
        return choose_ring(wide, tall, tall, frozenset({mapping.window}), self._config)

    def _tiled(self, tile_rows: int | None) -> SplitPlan | None:
        """Tiles whose whole patch fits, two of them at once if possible."""
        for buffers in (2, 1):
            found = [self._with_traffic(plan) for plan in self._tiles(buffers, tile_rows)]
            if found:
                return min(found, key=lambda plan: plan.loaded_words)
        return None

    def _tiles(self, buffers: int, tile_rows: int | None) -> Iterator[SplitPlan]:
        """For every slab and tile width the tallest tile that fits."""
        height, width = self._target
        heights = parts(height) if tile_rows is None else [min(tile_rows, height)]
        pieces = self._pieces(self._weight_limit(), None)
        for slab, columns in product(parts(self._blocks), parts(width)):
            blocks = slab if self._mapping.depthwise else self._input_blocks
            for rows in heights:
                tall, pitch = self._patch(rows, columns)
                words = blocks * tall * pitch
                outputs = self._sharers * slab * rows * columns
                if buffers * (words + outputs) <= self._config.scratchpad_words:
                    yield SplitPlan(self._index, self._mapping, rows, columns, slab, buffers, pieces, False,
                                    (tall, pitch), words, buffers)
                    break

    def _with_traffic(self, plan: SplitPlan) -> SplitPlan:
        """The plan with what it loads, and something for every command."""
        (height, width), mapping = self._target, self._mapping
        tiles = -(-height // plan.rows) * -(-width // plan.columns) * -(-self._blocks // plan.slab)
        weights = mapping.used_groups * mapping.group_rows * self._config.weight_row_bytes // WORD_BYTES
        resident = mapping.used_groups * mapping.group_rows <= self._config.weight_rows
        inputs = plan.input_words
        if plan.chained:
            steps, resident = plan.rows * -(-plan.columns // self._step), False
            weights *= steps
            inputs = steps * mapping.used_groups * len(plan.pieces) * inputs if plan.divided else inputs
        each = inputs + COMMAND_WORDS * (1 + plan.slab) + (0 if resident else weights)
        return replace(plan, loaded_words=tiles * each)

    def _divided(self) -> SplitPlan:
        """One output step at a time, its input piece by piece."""
        config, step = self._config, min(self._step, self._target[1])
        limit = config.scratchpad_words // OUTPUT_PART // (2 * self._sharers * step)
        slab = min(self._blocks, max(1, limit))
        area = config.scratchpad_words - 2 * self._sharers * slab * step
        least = self._piece_words(1, 1, 1)
        cap = max(area // INPUT_SLOTS, least)
        pieces = self._pieces(weight_slot(self._mapping, self._one), cap)
        plan = SplitPlan(self._index, self._mapping, 1, step, slab, 2, pieces, True, (0, 0), cap, area // cap)
        return self._with_traffic(plan)

    def _weight_limit(self) -> int:
        """Weight rows of a piece: all that a lane group has, if the ring holds them."""
        mapping = self._mapping
        return mapping.group_rows if weights_fit(mapping, self._target) else weight_slot(mapping, self._one)

    @property
    def _one(self) -> bool:
        return self._target[0] == 1 and self._target[1] <= self._step

    def _piece_words(self, rows: int, columns: int, blocks: int) -> int:
        """Scratchpad words of the input of a piece for one output step."""
        wide = (min(self._step, self._target[1]) - 1) * self._mapping.stride[1] + columns
        return rows * blocks * min(wide + (PACKED_STEP - 1 if self._packed else 0), self._size[1])

    def _pieces(self, weight_limit: int, words: int | None) -> tuple[Piece, ...]:
        """As few pieces as possible with at most so many weight rows and (None: any number of) input words."""
        mapping, (kh, kw) = self._mapping, self._mapping.layer.kernel
        total = mapping.whole.blocks
        if words is None and mapping.group_rows <= weight_limit:
            return (mapping.whole,)
        found = []
        for rows, columns in product(parts(kh), parts(kw)):
            blocks = self._most_blocks(rows, columns, total, weight_limit, words)
            if blocks:
                found.append((-(-kh // rows) * -(-kw // columns) * -(-total // blocks), rows, columns, blocks))
        _, rows, columns, blocks = min(found)  # one position of one block always fits
        return tuple(
            Piece(top, min(rows, kh - top), left, min(columns, kw - left), block, min(blocks, total - block))
            for top in range(0, kh, rows) for left in range(0, kw, columns) for block in range(0, total, blocks)
        )

    def _most_blocks(self, rows: int, columns: int, total: int, weight_limit: int, words: int | None) -> int:
        """Channel blocks of the largest piece of so many kernel rows and columns, 0 where none fits."""
        each = self._mapping.rows_of(Piece(0, rows, 0, columns, 0, 1))
        whole = self._mapping.rows_of(Piece(0, rows, 0, columns, 0, total)) <= weight_limit
        blocks = total if whole else weight_limit // each
        return blocks if words is None else min(blocks, words // self._piece_words(rows, columns, 1))

    def _counted(self, plan: SplitPlan) -> SplitPlan:
        """The plan; WesnpuError when it takes more COMPUTE commands than a program holds."""
        (height, width), groups = self._target, self._mapping.used_groups
        if plan.chained:
            steps = height * -(-width // self._step)
            count = steps * groups * len(plan.pieces)
            way = f"{len(plan.pieces)} pieces for each of {groups} lane groups of {steps} output steps"
        else:
            tiles, slabs = -(-height // plan.rows) * -(-width // plan.columns), -(-self._blocks // plan.slab)
            count, way = tiles * slabs, f"{tiles} tiles of {slabs} slabs"
        if count > COMMANDS_MAX:
            raise WesnpuError(
                f"layer {self._mapping.layer.name}: {self._shortage(plan)}; cut into {way} it takes {count} COMPUTE "
                f"commands, a program holds {COMMANDS_MAX}"
            )
        return plan

    def _shortage(self, plan: SplitPlan) -> str:
        """Which memory is too small to run the layer with fewer commands: the bytes that it needs and has."""
        config, mapping = self._config, self._mapping
        if plan.chained and not plan.divided:
            return (
                f"the weights of a lane group are {mapping.group_rows * config.weight_row_bytes} bytes, "
                f"the weight memory has {config.weight_rows * config.weight_row_bytes}"
            )
        columns, what = (self._step, "an output step") if plan.chained else (self._target[1], "an output row")
        tall, pitch = self._patch(1, min(columns, self._target[1]))
        words = (1 if mapping.depthwise else self._input_blocks) * tall * pitch + self._sharers * columns
        size = config.scratchpad_words * WORD_BYTES
        return f"{what} takes {words * WORD_BYTES} bytes of the scratchpad, which has {size}"


def weights_fit(mapping: Mapping, output_size: tuple[int, int]) -> bool:
    """Whether the weight ring holds a lane group's weights, and for a single output pixel the next group's beside them.

    Weights of a single pixel are used once: they come all the time only if there is room for them.
    """
    return mapping.group_rows * (2 if output_size == (1, 1) else 1) <= mapping.config.weight_rows


def weight_slot(mapping: Mapping, streamed: bool) -> int:
    """Rows of a place for a weight piece: whole 16-byte units, at least those of one position and one block."""
    config = mapping.config
    least = max(mapping.rows_of(Piece(0, 1, 0, 1, 0, 1)), 1)
    unit = max(WORD_BYTES // config.weight_row_bytes, 1)
    rows = max(config.weight_rows // (STREAMED_SLOTS if streamed else WEIGHT_SLOTS), least)
    return -(-rows // unit) * unit


def parts(size: int) -> list[int]:
    """Sizes of the largest part when `size` is cut evenly into 1, 2, ... parts; largest first."""
    return sorted({-(-size // count) for count in range(1, size + 1)}, reverse=True)

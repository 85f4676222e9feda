"""The sequential program of a layer cut into tiles and pieces (compiler/split.py)."""

from collections.abc import Callable
from dataclasses import dataclass

from compiler.emit import NO_INPUT, Emitter
from compiler.emit_weights import Chunk, Run
from compiler.encoding import Unit
from compiler.item import Item, Traced
from compiler.mapping import Piece
from compiler.region import Region
from compiler.slots import Slots
from compiler.split import PACKED_STEP, SplitPlan, weight_slot
from compiler.transfers import Box, Depth, transfers


@dataclass(frozen=True)
class Patch:
    """A box of an input tensor in the scratchpad: its rows from the region's slot 0 on, its blocks from `block` on."""

    box: Box
    region: Region
    block: int


@dataclass(frozen=True)
class Tile:
    """A tile of the output: its box, first channel block, and where it and its operands lie. patch: None if divided."""

    box: Box
    first: int
    patch: Patch | None
    output: Region
    residual: Region | None


@dataclass(frozen=True)
class _Weights:
    """Where a command finds its weights and parameters; mask: of the weight rows."""

    row: int
    mask: int
    parameter_row: int


class SplitEmitter:
    """Appends one such layer to the items of an Emitter."""

    def __init__(self, emitter: Emitter, plan: SplitPlan):
        self._emitter, self._plan, self._mapping = emitter, plan, plan.mapping
        layer, tensors = plan.mapping.layer, emitter.network.tensors
        self._source, self._target = tensors[layer.input], tensors[layer.output]
        self._step = emitter.config.pixels if plan.mapping.stride[1] == 1 else 1
        one = self._target.height == 1 and self._target.width <= self._step
        self._slot_rows = weight_slot(plan.mapping, one)
        self._weights = Slots(emitter.config.weight_rows // self._slot_rows, streamed=one)
        self._inputs = Slots(plan.input_slots)

    def layer(self) -> None:
        """All slabs, all tiles."""
        plan, mapping, (height, width) = self._plan, self._mapping, (self._target.height, self._target.width)
        per_block, total = mapping.groups_per_block, mapping.groups // mapping.groups_per_block
        boxes = [
            Box(row, min(plan.rows, height - row), column, min(plan.columns, width - column))
            for row in range(0, height, plan.rows) for column in range(0, width, plan.columns)
        ]
        for first in range(0, total, plan.slab):
            depth = Depth(first, min(plan.slab, total - first))
            runs = self._emitter.loader.chunks(mapping, first * per_block, (first + depth.count) * per_block)
            persistent = not plan.chained and self._emitter.loader.persistent(runs, mapping)
            chunks: dict[Run, Chunk] = {}
            for number, box in enumerate(boxes):
                tile = self._begin(box, number % plan.buffers, depth)
                for run in runs:
                    if plan.chained:
                        self._chains(tile, run)
                        continue
                    if not persistent or run not in chunks:
                        chunks[run] = self._emitter.loader.load_weights(mapping, *run)
                    self._whole(tile, run, chunks[run])
                self._transfer(Unit.STORE, mapping.layer.output, tile.output, box, depth)

    def _begin(self, box: Box, buffer: int, depth: Depth) -> Tile:
        """Loads what a tile needs from the beginning."""
        layer, patch, residual = self._mapping.layer, None, None
        if layer.residual is not None:
            residual = self._output(box, buffer + self._plan.buffers)
            self._transfer(Unit.LOAD, layer.residual.tensor, residual, box, depth)
        if not self._plan.divided:
            inputs = depth if self._mapping.depthwise else Depth(0, self._mapping.whole.blocks)
            patch = self._patch(self._box(box, self._mapping.whole), buffer, inputs)
            self._transfer(Unit.LOAD, layer.input, patch.region, patch.box, inputs)
        return Tile(box, depth.block, patch, self._output(box, buffer), residual)

    def _transfer(self, unit: Unit, tensor: str, region: Region, box: Box, depth: Depth) -> None:
        self._emitter.items += transfers(unit, tensor, self._emitter.placements[tensor], region, box, depth)

    def _output(self, box: Box, place: int) -> Region:
        """A region of a tile's size: places 0 .. buffers - 1 are the output's, the next ones the residual operand's."""
        plan = self._plan
        base = plan.input_slots * plan.input_words + place * plan.output_words
        return Region(base, plan.slab, plan.rows, plan.columns, box.columns)

    def _box(self, tile: Box, piece: Piece) -> Box:
        """The part of the input that a piece of the kernel reads for these outputs; it may be empty."""
        (sy, sx), layer = self._mapping.stride, self._mapping.layer
        row = tile.row * sy - layer.padding[0] + piece.top
        column = tile.column * sx - layer.padding[1] + piece.left
        bottom = min(row + (tile.rows - 1) * sy + piece.rows, self._source.height)
        right = min(column + (tile.columns - 1) * sx + piece.columns, self._source.width)
        row, column = max(row, 0), max(column, 0)
        if self._emitter.placements[layer.input].packed:
            column -= column % PACKED_STEP
        return Box(row, max(bottom - row, 0), column, max(right - column, 0))

    def _patch(self, box: Box, slot: int, depth: Depth) -> Patch:
        rows, pitch = (box.rows, box.columns) if self._plan.divided else self._plan.patch
        return Patch(box, Region(slot * self._plan.input_words, depth.count, rows, pitch, box.columns), depth.block)

    def _whole(self, tile: Tile, run: Run, chunk: Chunk) -> None:
        """One command for a run of lane groups and the whole tile."""
        mask = self._emitter.loader.weight_ring.mask(chunk.weight_row, chunk.weight_rows)
        weights = _Weights(chunk.weight_row, mask, chunk.parameter_row)
        self._compute(tile, run, weights, tile.box, self._mapping.whole, tile.patch)

    def _chains(self, tile: Tile, run: Run) -> None:
        """A chain of commands for each output step of each lane group; empty groups need none."""
        first, groups, live = run
        parameter_row = self._emitter.loader.load_parameters(self._mapping, first, groups)
        if not live:
            weights = self._placed(len(self._plan.pieces), "empty", lambda: self._mapping.held_row(0), parameter_row)
            return self._compute(tile, run, weights, tile.box, self._mapping.whole, None)
        box = tile.box
        for group in range(first, first + groups):
            for y in range(box.row, box.row + box.rows):
                for x in range(box.column, box.column + box.columns, self._step):
                    step = Box(y, 1, x, min(self._step, box.column + box.columns - x))
                    self._chain(tile, (group, 1, live), parameter_row + group - first, step)

    def _chain(self, tile: Tile, run: Run, parameter_row: int, step: Box) -> None:
        """The sums of one output step of one lane group, piece by piece."""
        (group, _, live), pieces, mapping = run, self._plan.pieces, self._mapping
        for number, piece in enumerate(pieces):
            patch = self._piece_patch(group, step, number) if self._plan.divided else tile.patch
            if mapping.hold_weights:
                weights = self._placed(0, live, lambda: mapping.held_row(live), parameter_row)
            else:
                make = self._maker(group, piece)
                weights = self._placed(number, (group, number), make, parameter_row)
            self._compute(
                tile, run, weights, step, piece, patch, continues=number > 0, partial=number + 1 < len(pieces)
            )

    def _maker(self, group: int, piece: Piece) -> Callable[[], bytes]:
        return lambda: self._mapping.weight_rows(group, 1, piece)

    def _placed(self, number: int, key: object, make: Callable[[], bytes], parameter_row: int) -> _Weights:
        """The place of a weight piece, loaded unless it is still there."""
        slot, fresh = self._weights.place(number, len(self._plan.pieces), key)
        row = slot * self._slot_rows
        if fresh:
            self._emitter.loader.load_rows(make(), row, self._slot_rows)
        return _Weights(row, self._emitter.loader.weight_ring.mask(row, self._slot_rows), parameter_row)

    def _piece_patch(self, group: int, step: Box, number: int) -> Patch | None:
        """The input of a piece for one output step, loaded unless it is still there; None where all is padding."""
        piece = self._plan.pieces[number]
        block = group // self._mapping.groups_per_block if self._mapping.depthwise else piece.block
        box, depth = self._box(step, piece), Depth(block, piece.blocks)
        if not box.rows or not box.columns:
            return None
        slot, fresh = self._inputs.place(number, len(self._plan.pieces), (block, step, number))
        patch = self._patch(box, slot, depth)
        if fresh:
            self._transfer(Unit.LOAD, self._mapping.layer.input, patch.region, box, depth)
        return patch

    def _compute(
        self, tile: Tile, run: Run, weights: _Weights, box: Box, piece: Piece, patch: Patch | None, *,
        continues: bool = False, partial: bool = False,
    ) -> None:
        """One command for the outputs in `box`, a part of the tile; a partial one writes nothing."""
        emitter, mapping, (first, groups, live) = self._emitter, self._mapping, run
        per_block = mapping.groups_per_block
        block = first // per_block - tile.first
        blocks = block, (first + groups - 1) // per_block - tile.first - block + 1
        output = _part(tile.output, tile.box, box)
        residual = None if partial or tile.residual is None else _part(tile.residual, tile.box, box)
        fields = {
            "first_group": first % per_block, "groups": groups, "output_rows": box.rows, "output_width": box.columns,
            "weight_row": weights.row, "parameter_row": weights.parameter_row, "layer": self._plan.index,
            "continues": int(continues), "partial": int(partial),
        } | output.fields("output_", block, box.row) | emitter.requantization(mapping, residual, block, box.row)
        reads = residual.mask(box.row, box.rows, *blocks) if residual is not None else 0
        if live:
            fields |= mapping.feed(piece) | {"input_zero_point": self._source.zero_point}
            fields |= self._input_fields(box, piece, patch, block + tile.first)
            if patch is not None:
                inner = blocks if mapping.depthwise and not self._plan.divided else (0, patch.region.blocks)
                reads |= patch.region.mask(0, patch.box.rows, *inner)
        else:
            fields |= NO_INPUT
        emitter.items.append(
            Item(
                Unit.COMPUTE, fields,
                reads={
                    "scratchpad": reads, "weights": weights.mask,
                    "parameters": emitter.loader.parameter_ring.mask(weights.parameter_row, groups),
                },
                writes={} if partial else {"scratchpad": output.mask(box.row, box.rows, *blocks)},
                trace=None if partial else Traced(
                    self._plan.index, first, groups, box.row, box.rows, False, output, tile.first, box.column
                ),
            )
        )

    def _input_fields(self, box: Box, piece: Piece, patch: Patch | None, block: int) -> dict[str, int]:
        """Where a command finds the input of `box` for a piece; block: the tensor's, of a depthwise layer."""
        if patch is None:  # an image of one pixel, from the row below it on
            return {"input_height": 1, "input_width": 1, "first_row": 1, "first_column": 0}
        (sy, sx), padding = self._mapping.stride, self._mapping.layer.padding
        first_row = box.row * sy - padding[0] + piece.top - patch.box.row
        inner = (block if self._mapping.depthwise else piece.block) - patch.block
        return {
            "input_height": patch.box.rows, "input_width": patch.box.columns, "first_row": first_row,
            "first_column": box.column * sx - padding[1] + piece.left - patch.box.column,
        } | patch.region.fields("input_", inner, first_row)


def _part(region: Region, whole: Box, part: Box) -> Region:
    """The region of some rows and columns of a tile; rows keep their slots."""
    return Region(
        region.base + part.column - whole.column, region.blocks, region.slots, region.pitch, part.columns
    )

"""The sequential program of a placed layer: per tile loads, per chunk of lane groups weights and computing, stores."""

from dataclasses import dataclass, field

from compiler.config import EngineConfig
from compiler.emit_weights import Chunk, Run, WeightLoader
from compiler.encoding import Mode, Unit
from compiler.item import Item, Traced
from compiler.layout import Placement
from compiler.mapping import Mapping
from compiler.region import Region
from compiler.section import Section
from compiler.tiling import LayerPlan, Operand
from compiler.transfers import Box, Depth, transfers
from golden.network import Network

SIZE_MAX = 65535

# Lane groups beyond the last channel: one vector of zero weights per pixel, from a row outside the image (never read).
NO_INPUT = {
    "mode": Mode.DENSE,
    "stride_y": 1,
    "stride_x": 1,
    "hold_weights": 1,
    "vectors": 1,
    "input_height": 1,
    "input_width": 1,
    "first_row": 1,
    "kernel_height": 1,
    "kernel_width": 1,
}


@dataclass
class _Slab:
    """Channel blocks of a layer on their way over the tiles.

    runs: (first group, groups, channels per group) of each command of a tile. persistent: weights and parameters stay
    on chip. chunks: commands whose weights are there. loaded: input rows that are there.
    """

    plan: LayerPlan
    first_block: int
    runs: list[Run]
    persistent: bool
    chunks: list[Chunk] = field(default_factory=list)
    loaded: int = 0


class Emitter:
    """Collects the items of all layers; `loader` brings their weights, whose bytes it collects."""

    def __init__(self, network: Network, config: EngineConfig, placements: dict[str, Placement]):
        self.network, self.config, self.placements = network, config, placements
        self.items: list[Item] = []
        self.loader = WeightLoader(config, self.items)

    def section(self, section: Section) -> None:
        """Appends the layers of a section, tile by tile in its order."""
        first = section.plans[0]
        blocks = first.mapping.groups // first.mapping.groups_per_block
        for first_block in range(0, blocks, first.slab if len(section.plans) == 1 else blocks):
            layers = [self._slab(plan, first_block) for plan in section.plans]
            for step in section.steps:
                self._tile(layers[step.layer], step.row, step.rows)

    def _slab(self, plan: LayerPlan, first_block: int) -> "_Slab":
        mapping, per_block = plan.mapping, plan.mapping.groups_per_block
        last_group = min((first_block + plan.slab) * per_block, mapping.groups)
        runs = self.loader.chunks(mapping, first_block * per_block, last_group)
        runs = [run for run in runs if run[2] or plan.fill]
        return _Slab(plan, first_block, runs, self.loader.persistent(runs, mapping))

    def _tile(self, slab: "_Slab", row: int, rows: int) -> None:
        """Rows of all channel blocks of a slab: transfers, weights and computing."""
        plan, first_block = slab.plan, slab.first_block
        slab.loaded = self._load_input(plan, first_block, row, rows, slab.loaded)
        self._load_residual(plan, first_block, row, rows)
        if not slab.persistent:
            slab.chunks = []
        last, stored = self._ends_network(plan, row + rows), 0
        for number, run in enumerate(slab.runs):
            if number == len(slab.chunks):
                slab.chunks.append(self.loader.load_weights(plan.mapping, *run))
            self._compute(plan, first_block, slab.chunks[number], row, rows)
            if last:
                finished = (run[0] + run[1]) // plan.mapping.groups_per_block - first_block
                self._store(plan, first_block, row, rows, range(stored, finished))
                stored = finished
        self._store(plan, first_block, row, rows, range(stored, plan.output.region.blocks))

    def _ends_network(self, plan: LayerPlan, end: int) -> bool:
        """Whether nothing is computed after these rows: then what is finished is stored at once."""
        return plan.index + 1 == len(self.network.layers) and end == self.network.tensors[plan.output.tensor].height

    def _load_input(self, plan: LayerPlan, first_block: int, row: int, rows: int, loaded: int) -> int:
        """Loads the input rows that a tile needs and that are not there yet; returns how many are there then."""
        if not plan.input.external:
            return loaded
        mapping = plan.mapping
        tensor = self.network.tensors[plan.input.tensor]
        stride, top, kernel = mapping.stride[0], mapping.layer.padding[0], mapping.layer.kernel[0]
        end = min(max((row + rows - 1) * stride - top + kernel, loaded), tensor.height)
        if end > loaded:
            self._transfer(Unit.LOAD, plan.input, first_block if mapping.depthwise else 0, loaded, end - loaded)
        return end

    def _load_residual(self, plan: LayerPlan, first_block: int, row: int, rows: int) -> None:
        if plan.residual is not None and plan.residual.external:
            self._transfer(Unit.LOAD, plan.residual, first_block, row, rows)

    def _store(self, plan: LayerPlan, first_block: int, row: int, rows: int, blocks: range) -> None:
        if plan.output.external:
            self._transfer(Unit.STORE, plan.output, first_block, row, rows, blocks)

    def _transfer(
        self, unit: Unit, operand: Operand, first_block: int, row: int, rows: int, blocks: range | None = None
    ) -> None:
        """Rows of `blocks` of the operand's region, all for None; its block 0 is the tensor's `first_block`."""
        region, place = operand.region, self.placements[operand.tensor]
        blocks = range(region.blocks) if blocks is None else blocks
        count = min(blocks.stop, place.size // place.block_bytes - first_block) - blocks.start
        if count > 0:
            box, depth = Box(row, rows, 0, place.width), Depth(first_block + blocks.start, count, blocks.start)
            self.items += transfers(unit, operand.tensor, place, region, box, depth, row)

    def _compute(self, plan: LayerPlan, first_block: int, chunk: Chunk, row: int, rows: int) -> None:
        mapping = plan.mapping
        x, y, u = plan.input.region, plan.output.region, plan.residual.region if plan.residual else None
        per_block = mapping.groups_per_block
        block = chunk.first_group // per_block - first_block
        blocks = (block, (chunk.first_group + chunk.groups - 1) // per_block - first_block - block + 1)
        joined = rows * y.width <= SIZE_MAX and all(r.contiguous(row, rows) for r in (y, u) if r is not None)
        if chunk.live:
            joined = joined and mapping.pointwise and x.width == y.width and x.contiguous(row, rows)
        fields = {
            "first_group": chunk.first_group % per_block,
            "groups": chunk.groups,
            "output_rows": 1 if joined else rows,
            "output_width": rows * y.width if joined else y.width,
            "weight_row": chunk.weight_row,
            "parameter_row": chunk.parameter_row,
            "layer": plan.index,
        }
        fields |= y.fields("output_", block, row) | self.requantization(mapping, u, block, row)
        reads = u.mask(row, rows, *blocks) if u is not None else 0
        if chunk.live:
            fields |= self._input_fields(plan, block, row, rows, joined)
            reads |= self._input_mask(plan, blocks, row, rows)
        else:
            fields |= NO_INPUT
        self.items.append(
            Item(
                Unit.COMPUTE,
                fields,
                reads={
                    "scratchpad": reads,
                    "weights": self.loader.weight_ring.mask(chunk.weight_row, chunk.weight_rows),
                    "parameters": self.loader.parameter_ring.mask(chunk.parameter_row, chunk.groups),
                },
                writes={"scratchpad": y.mask(row, rows, *blocks)},
                trace=Traced(plan.index, chunk.first_group, chunk.groups, row, rows, joined, y, first_block),
            )
        )

    def _input_fields(self, plan: LayerPlan, block: int, row: int, rows: int, joined: bool) -> dict[str, int]:
        mapping, x = plan.mapping, plan.input.region
        layer, tensor = mapping.layer, self.network.tensors[plan.input.tensor]
        first_row = row * mapping.stride[0] - layer.padding[0]
        return mapping.feed(mapping.whole) | {
            "input_height": 1 if joined else tensor.height,
            "input_width": rows * x.width if joined else tensor.width,
            "first_row": 0 if joined else first_row,
            "first_column": -layer.padding[1],
            "input_zero_point": tensor.zero_point,
        } | x.fields("input_", block if mapping.depthwise else 0, first_row)

    def _input_mask(self, plan: LayerPlan, blocks: tuple[int, int], row: int, rows: int) -> int:
        mapping, x = plan.mapping, plan.input.region
        first = row * mapping.stride[0] - mapping.layer.padding[0]
        end = first + (rows - 1) * mapping.stride[0] + mapping.layer.kernel[0]
        first, end = max(first, 0), min(end, self.network.tensors[plan.input.tensor].height)
        return x.mask(first, end - first, *(blocks if mapping.depthwise else (0, x.blocks)))

    def requantization(self, mapping: Mapping, residual: Region | None, block: int, row: int) -> dict[str, int]:
        """The fields of Eq. 2..7 for results from this channel block and row of the residual operand's region on."""
        layer, scaler, tensors = mapping.layer, mapping.scaler, self.network.tensors
        fields = {
            "multiplier": scaler.multiplier,
            "exponent": scaler.exponent,
            "low": layer.lo,
            "high": layer.hi,
            "output_zero_point": tensors[layer.output].zero_point,
        }
        if residual is not None and layer.residual is not None:
            fields |= residual.fields("residual_", block, row) | {
                "residual": 1,
                "residual_multiplier": layer.residual.multiplier,
                "residual_zero_point": tensors[layer.residual.tensor].zero_point,
            }
        return fields

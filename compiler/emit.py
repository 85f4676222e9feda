"""The sequential program of a placed layer: per tile loads, per chunk of lane groups weights and computing, stores."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.encoding import Unit
from compiler.item import Item
from compiler.layout import Placement
from compiler.mapping import Mapping
from compiler.region import Region
from compiler.tiling import LayerPlan, Operand
from golden.network import Network

SIZE_MAX = 65535


@dataclass(frozen=True)
class Traced:
    """What one COMPUTE command writes, in order: lane groups, rows, columns.

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


@dataclass(frozen=True)
class _Chunk:
    """Lane groups computed by one command: weight and parameter rows, or -1 while not loaded."""

    first_group: int
    groups: int
    weight_row: int
    parameter_row: int
    weight_rows: int


class _Ring:
    """The next free row of a ring memory."""

    def __init__(self, rows: int):
        self.rows, self._next = rows, 0

    def take(self, count: int) -> int:
        first = self._next
        self._next = (self._next + count) % self.rows
        return first

    def mask(self, first: int, count: int) -> int:
        line = (1 << count) - 1 << first
        return (line | line >> self.rows) & ((1 << self.rows) - 1)


class Emitter:
    """Collects the items of all layers and the bytes of the image's weights."""

    def __init__(self, network: Network, config: EngineConfig, placements: dict[str, Placement]):
        self._network, self._config, self._placements = network, config, placements
        self._weight_ring, self._parameter_ring = _Ring(config.weight_rows), _Ring(config.parameter_rows)
        self._offsets: dict[bytes, int] = {}
        self.items: list[Item] = []
        self.weights = bytearray()

    def layer(self, plan: LayerPlan) -> None:
        """Appends one layer."""
        mapping = plan.mapping
        slabs = range(0, plan.output.region.blocks, plan.slab) if not mapping.depthwise else range(
            0, mapping.groups // mapping.groups_per_block, plan.slab
        )
        for first_block in slabs:
            self._slab(plan, first_block)

    def _slab(self, plan: LayerPlan, first_block: int) -> None:
        mapping, height = plan.mapping, self._network.tensors[plan.output.tensor].height
        per_block = mapping.groups_per_block
        last_group = min((first_block + plan.slab) * per_block, mapping.groups)
        runs = self._chunks(mapping, first_block * per_block, last_group)
        tiles = [(row, min(plan.rows, height - row)) for row in range(0, height, plan.rows)]
        persistent = self._persistent(runs, mapping)
        placed: list[_Chunk] = []
        loaded = 0
        for number, (row, rows) in enumerate(tiles):
            loaded = self._load_input(plan, first_block, row, rows, loaded)
            self._load_residual(plan, first_block, row, rows)
            if number == 0 or not persistent:
                for first, groups, live in runs:
                    chunk = self._load_weights(mapping, first, groups, live)
                    placed.append(chunk)
                    self._compute(plan, first_block, chunk, row, rows)
            else:
                for chunk in placed:
                    self._compute(plan, first_block, chunk, row, rows)
            if not persistent:
                placed = []
            self._store(plan, first_block, row, rows)

    def _chunks(self, mapping: Mapping, first: int, last: int) -> list[tuple[int, int, int]]:
        """(first group, groups, live lanes of held rows) of the commands for groups first .. last - 1."""
        config = self._config
        per_block = mapping.groups_per_block
        limit = max(config.parameter_rows // 4, 1)
        if mapping.hold_weights:
            runs = [(max(a, first), min(a + n, last) - max(a, first), live) for a, n, live in mapping.held_runs()]
        else:
            limit = min(limit, max(config.weight_rows // 4 // mapping.group_rows, 1))
            runs = [(first, last - first, config.lanes)]
        if limit >= per_block:
            limit -= limit % per_block
        return [
            (start, min(limit, a + n - start), live) for a, n, live in runs if n > 0 for start in range(a, a + n, limit)
        ]

    def _persistent(self, runs: list[tuple[int, int, int]], mapping: Mapping) -> bool:
        """Whether all weights and parameters of the slab stay on chip over its tiles."""
        groups = sum(n for _, n, _ in runs)
        rows = len(runs) if mapping.hold_weights else groups * mapping.group_rows
        return rows <= self._config.weight_rows and groups <= self._config.parameter_rows

    def _image_offset(self, data: bytes) -> int:
        if data not in self._offsets:
            self._offsets[data] = len(self.weights)
            self.weights += data
        return self._offsets[data]

    def _load_weights(self, mapping: Mapping, first: int, groups: int, live: int) -> _Chunk:
        if mapping.hold_weights:
            data, rows = mapping.held_row(live), 1
        else:
            data, rows = mapping.weight_rows(first, groups), groups * mapping.group_rows
        align = max(16 // self._config.weight_row_bytes, 1)
        weight_row = self._weight_ring.take(-(-rows // align) * align)
        self._transfer_weights(data, weight_row, "weights", self._weight_ring.mask(weight_row, -(-rows // align) * align))
        parameter_row = self._parameter_ring.take(groups)
        self._transfer_weights(
            mapping.parameter_rows(first, groups), parameter_row, "parameters",
            self._parameter_ring.mask(parameter_row, groups),
        )
        return _Chunk(first, groups, weight_row, parameter_row, rows)

    def _transfer_weights(self, data: bytes, row: int, memory: str, mask: int) -> None:
        fields = {
            "address": self._image_offset(data), "row": row, "parameters": int(memory == "parameters"),
            "length": len(data) // 16,
        }
        self.items.append(Item(Unit.WEIGHTS, fields, writes={memory: mask}))

    def _load_input(self, plan: LayerPlan, first_block: int, row: int, rows: int, loaded: int) -> int:
        """Loads the input rows that a tile needs and that are not there yet; returns how many are there then."""
        if not plan.input.external:
            return loaded
        mapping = plan.mapping
        tensor = self._network.tensors[plan.input.tensor]
        stride, top, kernel = mapping.stride[0], mapping.layer.padding[0], mapping.layer.kernel[0]
        end = min(max((row + rows - 1) * stride - top + kernel, loaded), tensor.height)
        if end > loaded:
            self._transfer(Unit.LOAD, plan.input, first_block if mapping.depthwise else 0, loaded, end - loaded)
        return end

    def _load_residual(self, plan: LayerPlan, first_block: int, row: int, rows: int) -> None:
        if plan.residual is not None and plan.residual.external:
            self._transfer(Unit.LOAD, plan.residual, first_block, row, rows)

    def _store(self, plan: LayerPlan, first_block: int, row: int, rows: int) -> None:
        if plan.output.external:
            self._transfer(Unit.STORE, plan.output, first_block, row, rows)

    def _transfer(self, unit: Unit, operand: Operand, first_block: int, row: int, rows: int) -> None:
        """Rows of all blocks of the operand's region; its block 0 is the tensor's `first_block`."""
        region, place = operand.region, self._placements[operand.tensor]
        blocks = min(region.blocks, place.size // place.block_bytes - first_block)
        fields = {
            "address": place.offset + first_block * place.block_bytes + row * place.row_bytes,
            "external_block_stride": place.block_bytes,
            "base": region.base, "block_stride": region.block_stride, "pitch": region.pitch,
            "extent": region.extent % (SIZE_MAX + 1), "row_offset": region.row_offset(row),
            "rows": rows, "width": region.width, "blocks": blocks,
        }
        outside = 0
        for block in range(first_block, first_block + blocks):
            outside |= (1 << rows) - 1 << block * place.height + row
        inside = {"scratchpad": region.mask(row, rows, 0, blocks)}
        outer = {f"tensor {operand.tensor}": outside}
        if unit == Unit.LOAD:
            fields["unpack"] = int(place.packed)
            self.items.append(Item(unit, fields, reads=outer, writes=inside))
        else:
            self.items.append(Item(unit, fields, reads=inside, writes=outer))

    def _compute(self, plan: LayerPlan, first_block: int, chunk: _Chunk, row: int, rows: int) -> None:
        mapping, config = plan.mapping, self._config
        layer, tensors = mapping.layer, self._network.tensors
        x, y, u = plan.input.region, plan.output.region, plan.residual.region if plan.residual else None
        per_block = mapping.groups_per_block
        block, sub = divmod(chunk.first_group, per_block)
        block -= first_block
        last_block = (chunk.first_group + chunk.groups - 1) // per_block - first_block
        first_row = row * mapping.stride[0] - layer.padding[0]
        joined = mapping.pointwise and x.width == y.width and rows * y.width <= SIZE_MAX and all(
            region.contiguous(row, rows) for region in (x, y, u) if region is not None
        )
        tensor = tensors[layer.input]
        input_block = block if mapping.depthwise else 0
        fields = {
            "mode": mapping.mode, "stride_y": mapping.stride[0], "stride_x": mapping.stride[1],
            "hold_weights": int(mapping.hold_weights), "first_group": sub, "grid": mapping.grid,
            "passes": mapping.passes if mapping.grid else 0, "vectors": mapping.vectors,
            "input_base": x.base + input_block * x.block_stride, "input_block_stride": x.block_stride,
            "input_pitch": x.pitch, "input_extent": x.extent % (SIZE_MAX + 1), "input_row_offset": x.row_offset(first_row),
            "input_height": 1 if joined else tensor.height, "input_width": rows * x.width if joined else tensor.width,
            "first_row": 0 if joined else first_row, "first_column": -layer.padding[1],
            "kernel_height": layer.kernel[0], "kernel_width": layer.kernel[1],
            "output_base": y.base + block * y.block_stride, "output_block_stride": y.block_stride,
            "output_pitch": y.pitch, "output_extent": y.extent % (SIZE_MAX + 1), "output_row_offset": y.row_offset(row),
            "output_rows": 1 if joined else rows, "output_width": rows * y.width if joined else y.width,
            "groups": chunk.groups, "weight_row": chunk.weight_row, "parameter_row": chunk.parameter_row,
            "layer": plan.index,
        } | self._requantization(plan, block, row)
        bottom = min(first_row + (rows - 1) * mapping.stride[0] + layer.kernel[0], tensor.height)
        blocks = (block, last_block - block + 1)
        reads = x.mask(max(first_row, 0), bottom - max(first_row, 0), *(blocks if mapping.depthwise else (0, x.blocks)))
        if u is not None:
            reads |= u.mask(row, rows, *blocks)
        trace = Traced(
            plan.index, chunk.first_group, chunk.groups, row, rows, joined, y, first_block
        )
        self.items.append(
            Item(
                Unit.COMPUTE, fields,
                reads={
                    "scratchpad": reads,
                    "weights": self._weight_ring.mask(chunk.weight_row, chunk.weight_rows),
                    "parameters": self._parameter_ring.mask(chunk.parameter_row, chunk.groups),
                },
                writes={"scratchpad": y.mask(row, rows, *blocks)},
                trace=trace,
            )
        )

    def _requantization(self, plan: LayerPlan, block: int, row: int) -> dict[str, int]:
        layer, tensors = plan.mapping.layer, self._network.tensors
        scaler = layer.requantizer
        fields = {
            "multiplier": scaler.multiplier, "exponent": scaler.exponent, "low": layer.lo, "high": layer.hi,
            "input_zero_point": tensors[layer.input].zero_point,
            "output_zero_point": tensors[layer.output].zero_point,
        }
        if plan.residual is not None:
            u = plan.residual.region
            fields |= {
                "residual": 1, "residual_base": u.base + block * u.block_stride, "residual_block_stride": u.block_stride,
                "residual_pitch": u.pitch, "residual_extent": u.extent % (SIZE_MAX + 1),
                "residual_row_offset": u.row_offset(row), "residual_multiplier": layer.residual.multiplier,
                "residual_zero_point": tensors[layer.residual.tensor].zero_point,
            }
        return fields

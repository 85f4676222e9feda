"""Where every tensor of a layer lies while it runs, and how many rows are done at a time."""

from dataclasses import dataclass, replace

from compiler.config import EngineConfig
from compiler.layout import blocks_of
from compiler.mapping import Mapping, map_layer
from compiler.region import Region, choose_ring
from compiler.split import SplitPlan, Splitter, weights_fit
from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.network import Network

IMAGE_MAX = 32767  # rows and columns count from first_row and first_column, which are signed 16-bit numbers
STREAM_TILES = 28  # a streamed layer is cut into so many tiles where it can: loading, computing and storing overlap


@dataclass(frozen=True)
class Operand:
    """A tensor of a running layer: its region, and whether it comes from (goes to) external memory."""

    tensor: str
    region: Region
    external: bool


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One layer placed.

    Operands, `rows` output rows per tile, `slab` channel blocks at a time (depthwise may split). fill: whether lane
    groups beyond the last channel are computed, too.
    """

    index: int
    mapping: Mapping
    input: Operand
    output: Operand
    residual: Operand | None
    rows: int
    slab: int
    fill: bool = True


@dataclass(frozen=True)
class _Choice:
    """One way to run a layer: rows per tile, blocks per slab, whether the whole output stays in the scratchpad.

    lean: the rings hold one tile only, so that loading, computing and storing hardly overlap.
    """

    rows: int
    slab: int
    keep_output: bool
    lean: bool = False


class Planner:
    """Walks the layers once, keeping tensors in the scratchpad as long as they fit and are still read."""

    def __init__(self, network: Network, config: EngineConfig, *, keep_all: bool, tile_rows: int | None = None):
        self._network, self._config, self._tile_rows = network, config, tile_rows
        self._last_reader = _last_readers(network)
        self.resident: dict[str, Region] = {}
        self._mappings: dict[str, Mapping] = {}
        self.external = set(network.outputs) | {network.input}
        if keep_all:
            self.external |= set(network.tensors)
        self.packed = _packed_input(network)

    def layer(self, index: int) -> LayerPlan | SplitPlan:
        """The next layer's plan, remembered."""
        layer = self._network.layers[index]
        self._check_sizes(layer)
        plan = self._plan_layer(index, layer)
        if plan is None:
            return self._split(index, layer)
        self._after(index, layer, plan)
        return plan

    def _split(self, index: int, layer: ConvLayer) -> SplitPlan:
        """The plan of a layer that does not fit otherwise; everything else leaves the scratchpad."""
        packed = self.packed and layer.input == self._network.input
        splitter = Splitter(self._network, self._config, index, self.mapping(layer), packed=packed)
        self.external |= {layer.input, layer.output, *self.resident}
        if layer.residual is not None:
            self.external.add(layer.residual.tensor)
        self.resident = {}
        return splitter.plan(self._tile_rows)

    def take(self, index: int, plan: LayerPlan, kept: dict[str, Region], victims: set[str]) -> None:
        """Remember a plan made elsewhere, of the layers up to `index`: what it kept in the scratchpad and gave up."""
        self.external |= victims
        self.resident = kept
        self._after(index, self._network.layers[index], plan)

    def read_after(self, index: int) -> bool:
        """Whether a later layer reads the output of layer `index`."""
        return self._last_reader.get(self._network.layers[index].output, -1) > index

    def with_stores(self, plan: LayerPlan) -> LayerPlan:
        """The plan, its output stored if `external` names it; right once all layers are planned."""
        return replace(plan, output=replace(plan.output, external=plan.output.tensor in self.external))

    def _after(self, index: int, layer: ConvLayer, plan: LayerPlan) -> None:
        tensor = self._network.tensors[layer.output]
        whole = plan.output.region.slots >= tensor.height and plan.slab >= blocks_of(tensor.channels)
        if whole and self._last_reader.get(layer.output, -1) > index:
            self.resident[layer.output] = plan.output.region
        else:
            self.external.add(layer.output)
        for name in [name for name in self.resident if self._last_reader[name] <= index]:
            del self.resident[name]

    def _check_sizes(self, layer: ConvLayer) -> None:
        for name in (layer.input, layer.output):
            tensor = self._network.tensors[name]
            if max(tensor.height, tensor.width) > IMAGE_MAX:
                raise WesnpuError(
                    f"layer {layer.name}: tensor {name} has {tensor.height} rows of {tensor.width}: "
                    f"must be in 1..{IMAGE_MAX} each"
                )

    def _plan_layer(self, index: int, layer: ConvLayer) -> LayerPlan | None:
        """The plan of a layer whose rows go through the scratchpad whole; None where that cannot be."""
        mapping = self.mapping(layer)
        output = self._network.tensors[layer.output]
        if not weights_fit(mapping, (output.height, output.width)):
            return None
        needed = {layer.input} | ({layer.residual.tensor} if layer.residual else set())
        for victims in self.evictions(needed):
            kept = {name: region for name, region in self.resident.items() if name not in victims}
            for choice in self._choices(mapping):
                plan = self._try(index, mapping, choice, kept)
                if plan is not None:
                    self.external |= victims
                    self.resident = kept
                    return plan
        return None

    def evictions(self, needed: set[str]) -> list[set[str]]:
        """Which residents to give up: none, those this layer does not read, all."""
        others = set(self.resident) - needed
        ways = [set(), others, set(self.resident)]
        return [way for position, way in enumerate(ways) if way not in ways[:position]]

    def _choices(self, mapping: Mapping) -> list[_Choice]:
        """From the most convenient to the smallest."""
        tensor = self._network.tensors[mapping.layer.output]
        blocks, height = blocks_of(tensor.channels), tensor.height
        rows = sorted({-(-height // parts) for parts in range(1, height + 1)}, reverse=True)
        if self._tile_rows is not None:
            rows = [min(self._tile_rows, height)]
        choices = [_Choice(r, blocks, True) for r in rows] + [_Choice(r, blocks, False) for r in rows if r < height]
        slabs: list[int] = []
        if mapping.depthwise:
            slabs = sorted({-(-blocks // parts) for parts in range(2, blocks + 1)}, reverse=True)
            choices += [_Choice(r, slab, False) for slab in slabs for r in rows]
        return choices + [_Choice(r, slab, False, lean=True) for slab in [blocks, *slabs] for r in rows]

    def _try(
        self, index: int, mapping: Mapping, choice: _Choice, resident: dict[str, Region]
    ) -> LayerPlan | None:
        """The plan if all regions fit beside `resident`."""
        layer, tensors = mapping.layer, self._network.tensors
        x, y = tensors[layer.input], tensors[layer.output]
        split = choice.slab < blocks_of(y.channels)
        placed: dict[str, Region] = {}
        sized: list[tuple[str, str, int, int]] = []  # role, tensor, blocks, slots
        ring = min(choice.rows if choice.lean else 2 * choice.rows, y.height)
        residual = layer.residual.tensor if layer.residual else None
        if split and not {layer.input, residual}.isdisjoint(resident):
            return None  # a slab's first block is block 0 of all its regions
        if layer.input in resident:
            placed["input"] = resident[layer.input]
        else:
            if choice.rows > self._stream_rows(mapping, y.height) and not split and self._tile_rows is None:
                return None
            blocks = choice.slab if mapping.depthwise else blocks_of(x.channels)
            sized.append(("input", layer.input, blocks, self._input_slots(mapping, choice, x.height)))
        if residual in resident:
            placed["residual"] = resident[residual]
        elif residual is not None:
            sized.append(("residual", residual, choice.slab, ring))
        sized.append(("output", layer.output, choice.slab, y.height if choice.keep_output else ring))
        regions = self._allocate(index, sized, resident)
        if regions is None:
            return None
        placed |= regions
        operands = {
            role: Operand(tensor, placed[role], role in regions)
            for role, tensor in (("input", layer.input), ("residual", residual), ("output", layer.output))
            if tensor is not None
        }
        return LayerPlan(
            index, mapping, operands["input"], operands["output"], operands.get("residual"), choice.rows, choice.slab
        )

    def _stream_rows(self, mapping: Mapping, height: int) -> int:
        """Rows per tile at most where the input comes row by row; more where each tile loads the weights again."""
        again = mapping.groups * mapping.group_rows > self._config.weight_rows
        return -(-height // (2 if again else STREAM_TILES))

    def _input_slots(self, mapping: Mapping, choice: _Choice, height: int) -> int:
        """Row slots for the rows that a tile reads, and unless lean for the next tile's new ones."""
        stride, kernel, rows = mapping.stride[0], mapping.layer.kernel[0], choice.rows
        own = (rows - 1) * stride + max(kernel, mapping.grid)
        return min(max(own, rows * stride) if choice.lean else own + rows * stride, height)

    def _allocate(
        self, index: int, sized: list[tuple[str, str, int, int]], resident: dict[str, Region]
    ) -> dict[str, Region] | None:
        """First fit from the bottom for even layers, from the top for odd ones, so that neighbours seldom collide."""
        taken = [(region.base, region.words) for region in resident.values()]
        regions: dict[str, Region] = {}
        for role, name, blocks, slots in sized:
            tensor = self._network.tensors[name]
            grids = self.grids(role, name, index, whole=slots >= tensor.height)
            slots, pitch = choose_ring(tensor.width, slots, tensor.height, grids, self._config)
            words = blocks * slots * pitch
            base = first_fit(taken, words, self._config.scratchpad_words, from_top=index % 2 == 1)
            if base is None:
                return None
            regions[role] = Region(base, blocks, slots, pitch, tensor.width)
            taken.append((base, words))
        return regions

    def grids(self, role: str, tensor: str, index: int, *, whole: bool) -> frozenset[int]:
        """The window grids of the layers that read this region: this one its input, later ones a whole output."""
        layers = self._network.layers
        if role == "input":
            return frozenset({self.mapping(layers[index]).window_rows})
        if role == "residual" or not whole:
            return frozenset({1})
        return frozenset(self.mapping(layer).window_rows for layer in layers[index:] if layer.input == tensor) | {1}

    def mapping(self, layer: ConvLayer) -> Mapping:
        """How the layer is fed to the array."""
        if layer.name not in self._mappings:
            output = self._network.tensors[layer.output]
            packed = self.packed and layer.input == self._network.input
            self._mappings[layer.name] = map_layer(
                layer, self._config, output_size=(output.height, output.width), packed_input=packed
            )
        return self._mappings[layer.name]


def first_fit(taken: list[tuple[int, int]], words: int, size: int, *, from_top: bool) -> int | None:
    """The first word of a gap between the (base, words) `taken`; None if no gap is large enough."""
    gaps, start = [], 0
    for base, length in sorted(taken):
        gaps.append((start, base - start))
        start = base + length
    gaps.append((start, size - start))
    for base, length in reversed(gaps) if from_top else gaps:
        if length >= words:
            return base + length - words if from_top else base
    return None


def _last_readers(network: Network) -> dict[str, int]:
    last = {}
    for index, layer in enumerate(network.layers):
        for name in (layer.input, layer.residual.tensor if layer.residual else None):
            if name is not None:
                last[name] = index
    return last


def _packed_input(network: Network) -> bool:
    """A network input of at most 4 channels that only dense layers read is kept as [H][W4][4]."""
    readers = [layer for layer in network.layers if layer.input == network.input]
    as_residual = any(layer.residual and layer.residual.tensor == network.input for layer in network.layers)
    few = network.tensors[network.input].channels <= 4
    return few and bool(readers) and not as_residual and not any(layer.depthwise for layer in readers)

"""One layer placed: where its tensors lie in the scratchpad while it runs, and how many rows are done at a time."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.layout import blocks_of
from compiler.mapping import Mapping, map_layer
from compiler.region import WORDS_ALONE, Region, Window, choose_ring
from compiler.split import parts, weights_fit
from golden.layer import ConvLayer
from golden.network import Network

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


class Tiler:
    """Places one layer at a time, beside the regions of tensors that stay in the scratchpad.

    tile_rows: output rows of a tile, None chooses them. packed: whether the network input is kept as [H][W4][4].
    """

    def __init__(self, network: Network, config: EngineConfig, tile_rows: int | None):
        self._network, self._config, self._tile_rows = network, config, tile_rows
        self._mappings: dict[str, Mapping] = {}
        self.packed = _packed_input(network)

    def mapping(self, layer: ConvLayer) -> Mapping:
        """How the layer is fed to the array."""
        if layer.name not in self._mappings:
            output = self._network.tensors[layer.output]
            packed = self.packed and layer.input == self._network.input
            self._mappings[layer.name] = map_layer(
                layer, self._config, output_size=(output.height, output.width), packed_input=packed
            )
        return self._mappings[layer.name]

    def windows(self, role: str, tensor: str, index: int, *, whole: bool) -> frozenset[Window]:
        """The windows of the layers that read this region: this one its input, later ones a whole output."""
        layers = self._network.layers
        if role == "input":
            return frozenset({self.mapping(layers[index]).window})
        if role == "residual" or not whole:
            return frozenset({WORDS_ALONE})
        readers = [self.mapping(layer).window for layer in layers[index:] if layer.input == tensor]
        return frozenset({WORDS_ALONE, *readers})

    def plan(self, index: int, resident: dict[str, Region]) -> LayerPlan | None:
        """The most convenient plan that keeps whole rows in the scratchpad, beside `resident`; None if none fits."""
        mapping = self.mapping(self._network.layers[index])
        output = self._network.tensors[mapping.layer.output]
        if not weights_fit(mapping, (output.height, output.width)):
            return None
        plans = (self._place(index, mapping, choice, resident) for choice in self._choices(mapping))
        return next((plan for plan in plans if plan is not None), None)

    def _choices(self, mapping: Mapping) -> list[_Choice]:
        """From the most convenient to the smallest."""
        tensor = self._network.tensors[mapping.layer.output]
        blocks, height = blocks_of(tensor.channels), tensor.height
        rows = parts(height) if self._tile_rows is None else [min(self._tile_rows, height)]
        slabs = [slab for slab in parts(blocks) if slab < blocks] if mapping.depthwise else []
        choices = [_Choice(r, blocks, True) for r in rows] + [_Choice(r, blocks, False) for r in rows if r < height]
        choices += [_Choice(r, slab, False) for slab in slabs for r in rows]
        return choices + [_Choice(r, slab, False, lean=True) for slab in [blocks, *slabs] for r in rows]

    def _place(
        self, index: int, mapping: Mapping, choice: _Choice, resident: dict[str, Region]
    ) -> LayerPlan | None:
        """The plan of this choice if all its regions fit beside `resident`."""
        layer = mapping.layer
        residual = {"residual": layer.residual.tensor} if layer.residual else {}
        tensors = {"input": layer.input} | residual | {"output": layer.output}
        held = {role: resident[name] for role, name in tensors.items() if name in resident}
        if not self._sensible(mapping, choice, held):
            return None
        sizes = self._sizes(mapping, choice)
        absent = {role: (name, *sizes[role]) for role, name in tensors.items() if role not in held}
        regions = self._allocate(index, absent, resident)
        if regions is None:
            return None
        operands = {role: Operand(name, (held | regions)[role], role in regions) for role, name in tensors.items()}
        return LayerPlan(
            index, mapping, operands["input"], operands["output"], operands.get("residual"), choice.rows, choice.slab
        )

    def _sensible(self, mapping: Mapping, choice: _Choice, held: dict[str, Region]) -> bool:
        """Whether the choice goes with the operands `held`: slabs with none, streamed input with short tiles."""
        output = self._network.tensors[mapping.layer.output]
        if choice.slab < blocks_of(output.channels):
            return not held  # a slab's first block is block 0 of all its regions
        short = choice.rows <= self._stream_rows(mapping, output.height)
        return "input" in held or self._tile_rows is not None or short

    def _stream_rows(self, mapping: Mapping, height: int) -> int:
        """Rows per tile at most where the input comes row by row; more where each tile loads the weights again."""
        again = mapping.groups * mapping.group_rows > self._config.weight_rows
        return -(-height // (2 if again else STREAM_TILES))

    def _sizes(self, mapping: Mapping, choice: _Choice) -> dict[str, tuple[int, int]]:
        """(channel blocks, row slots) of the region of each role."""
        x, y = (self._network.tensors[name] for name in (mapping.layer.input, mapping.layer.output))
        ring = min(choice.rows if choice.lean else 2 * choice.rows, y.height)
        blocks = choice.slab if mapping.depthwise else blocks_of(x.channels)
        return {
            "input": (blocks, self._input_slots(mapping, choice, x.height)),
            "residual": (choice.slab, ring),
            "output": (choice.slab, y.height if choice.keep_output else ring),
        }

    def _input_slots(self, mapping: Mapping, choice: _Choice, height: int) -> int:
        """Row slots for the rows that a tile reads, and unless lean for the next tile's new ones."""
        stride, kernel, rows = mapping.stride[0], mapping.layer.kernel[0], choice.rows
        own = (rows - 1) * stride + max(kernel, mapping.grid)
        return min(max(own, rows * stride) if choice.lean else own + rows * stride, height)

    def _allocate(
        self, index: int, sizes: dict[str, tuple[str, int, int]], resident: dict[str, Region]
    ) -> dict[str, Region] | None:
        """Regions of the (tensor, blocks, slots) of each role; None where one does not fit.

        First fit from the bottom for even layers, from the top for odd ones, so that neighbours seldom collide.
        """
        taken = [(region.base, region.words) for region in resident.values()]
        regions: dict[str, Region] = {}
        for role, (name, blocks, slots) in sizes.items():
            tensor = self._network.tensors[name]
            windows = self.windows(role, name, index, whole=slots >= tensor.height)
            slots, pitch = choose_ring(tensor.width, slots, tensor.height, windows, self._config)
            words = blocks * slots * pitch
            base = first_fit(taken, words, self._config.scratchpad_words, from_top=index % 2 == 1)
            if base is None:
                return None
            regions[role] = Region(base, blocks, slots, pitch, tensor.width)
            taken.append((base, words))
        return regions


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


def _packed_input(network: Network) -> bool:
    """A network input of at most 4 channels that only dense layers read is kept as [H][W4][4]."""
    readers = [layer for layer in network.layers if layer.input == network.input]
    as_residual = any(layer.residual and layer.residual.tensor == network.input for layer in network.layers)
    few = network.tensors[network.input].channels <= 4
    return few and bool(readers) and not as_residual and not any(layer.depthwise for layer in readers)

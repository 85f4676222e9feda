"""Which tensors stay in the scratchpad from layer to layer, and which need a place outside."""

from dataclasses import replace

from compiler.config import EngineConfig
from compiler.layout import blocks_of
from compiler.region import Region
from compiler.split import SplitPlan, Splitter
from compiler.tiling import LayerPlan, Tiler
from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.network import Network

IMAGE_MAX = 32767  # rows and columns count from first_row and first_column, which are signed 16-bit numbers


class Planner:
    """Walks the layers once, keeping tensors in the scratchpad as long as they fit and are still read.

    resident: the regions of the tensors kept so far. external: tensors that need a place in external memory.
    keep_all: all of them do.
    """

    def __init__(self, network: Network, config: EngineConfig, *, keep_all: bool, tile_rows: int | None = None):
        self._network, self._config, self._tile_rows = network, config, tile_rows
        self._last_reader = _last_readers(network)
        self.tiler = Tiler(network, config, tile_rows)
        self.resident: dict[str, Region] = {}
        self.external = set(network.outputs) | {network.input} | (set(network.tensors) if keep_all else set())

    def layer(self, index: int) -> LayerPlan | SplitPlan:
        """The next layer's plan, remembered."""
        layer = self._network.layers[index]
        self._check_sizes(layer)
        plan = self._whole(index, layer)
        if plan is None:
            return self._split(index, layer)
        self._after(index, layer, plan)
        return plan

    def take(self, index: int, plan: LayerPlan, kept: dict[str, Region], victims: set[str]) -> None:
        """Remember a plan made elsewhere, of the layers up to `index`: what it kept in the scratchpad and gave up."""
        self.external |= victims
        self.resident = kept
        self._after(index, self._network.layers[index], plan)

    def evictions(self, needed: set[str]) -> list[set[str]]:
        """Which residents to give up: none, those this layer does not read, all."""
        others = set(self.resident) - needed
        ways = [set(), others, set(self.resident)]
        return [way for position, way in enumerate(ways) if way not in ways[:position]]

    def read_after(self, index: int) -> bool:
        """Whether a later layer reads the output of layer `index`."""
        return self._last_reader.get(self._network.layers[index].output, -1) > index

    def with_stores(self, plan: LayerPlan) -> LayerPlan:
        """The plan, its output stored if `external` names it; right once all layers are planned."""
        return replace(plan, output=replace(plan.output, external=plan.output.tensor in self.external))

    def _check_sizes(self, layer: ConvLayer) -> None:
        for name in (layer.input, layer.output):
            tensor = self._network.tensors[name]
            if max(tensor.height, tensor.width) > IMAGE_MAX:
                raise WesnpuError(
                    f"layer {layer.name}: tensor {name} has {tensor.height} rows of {tensor.width}: "
                    f"must be in 1..{IMAGE_MAX} each"
                )

    def _whole(self, index: int, layer: ConvLayer) -> LayerPlan | None:
        """The plan of a layer whose rows lie in the scratchpad whole; None where that cannot be."""
        for victims in self.evictions(_read_by(layer)):
            kept = {name: region for name, region in self.resident.items() if name not in victims}
            plan = self.tiler.plan(index, kept)
            if plan is not None:
                self.external |= victims
                self.resident = kept
                return plan
        return None

    def _split(self, index: int, layer: ConvLayer) -> SplitPlan:
        """The plan of a layer that does not fit otherwise; everything else leaves the scratchpad."""
        packed = self.tiler.packed and layer.input == self._network.input
        splitter = Splitter(self._network, self._config, index, self.tiler.mapping(layer), packed=packed)
        self.external |= {layer.output, *self.resident} | _read_by(layer)
        self.resident = {}
        return splitter.plan(self._tile_rows)

    def _after(self, index: int, layer: ConvLayer, plan: LayerPlan) -> None:
        tensor = self._network.tensors[layer.output]
        whole = plan.output.region.slots >= tensor.height and plan.slab >= blocks_of(tensor.channels)
        if whole and self.read_after(index):
            self.resident[layer.output] = plan.output.region
        else:
            self.external.add(layer.output)
        for name in [name for name in self.resident if self._last_reader[name] <= index]:
            del self.resident[name]


def _read_by(layer: ConvLayer) -> set[str]:
    return {layer.input} | ({layer.residual.tensor} if layer.residual else set())


def _last_readers(network: Network) -> dict[str, int]:
    return {name: index for index, layer in enumerate(network.layers) for name in _read_by(layer)}

"""Placing a section: where the tensors of consecutive layers lie while their row tiles take turns."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.layout import blocks_of
from compiler.mapping import Mapping
from compiler.planner import Planner
from compiler.region import WORDS_ALONE, Region, Window, choose_ring
from compiler.section import Rows, Section, interleave, ring_rows, tile_rows, waits
from compiler.tiling import LayerPlan, Operand, first_fit
from golden.network import Network

TURNS = 4  # a section has at least so many turns where its height allows, so that loading and storing overlap


@dataclass(frozen=True)
class _Choice:
    """Rows per turn, whether a layer lags a turn behind, whether the whole output stays in the scratchpad."""

    rows: int
    lag: bool
    keep_output: bool


class Fuser:
    """Places layers first .. last beside what the planner holds in the scratchpad."""

    def __init__(self, network: Network, config: EngineConfig, planner: Planner, rows: int | None = None):
        self._network, self._config, self._planner, self._rows = network, config, planner, rows

    def sections(self, first: int, last: int) -> list[tuple[Section, dict[str, Region], set[str]]]:
        """Sections of the layers, each with the regions that it keeps and the tensors that lose theirs.

        Empty where the layers are no chain or do not fit, or the weights of one lane group exceed their ring.
        """
        layers = self._network.layers[first : last + 1]
        if not self._chain(first, last):
            return []
        mappings = [self._planner.tiler.mapping(layer) for layer in layers]
        if any(mapping.group_rows > self._config.weight_rows for mapping in mappings):
            return []
        needed = {layers[0].input} | {layer.residual.tensor for layer in layers if layer.residual}
        heights = [self._rows_of(mapping) for mapping in mappings]
        for victims in self._planner.evictions(needed):
            kept = {name: region for name, region in self._planner.resident.items() if name not in victims}
            choices = self._choices(last, mappings, heights[0].output)
            found = [self._first(first, mappings, heights, ways, kept) for ways in choices]
            if any(found):
                return [(section, kept, victims) for section in found if section is not None]
        return []

    def _first(
        self, first: int, mappings: list[Mapping], heights: list[Rows], ways: list[_Choice], kept: dict[str, Region]
    ) -> Section | None:
        """The first way that fits."""
        sections = (self._place(first, mappings, heights, choice, kept) for choice in ways)
        return next((section for section in sections if section is not None), None)

    def _rows_of(self, mapping: Mapping) -> Rows:
        tensors, layer = self._network.tensors, mapping.layer
        return Rows.of(mapping, (tensors[layer.input].height, tensors[layer.output].height))

    def _chain(self, first: int, last: int) -> bool:
        """Whether each layer reads the one before, nobody else does, and none is an output of the network."""
        layers = self._network.layers
        inner = [layer.output for layer in layers[first:last]]
        chained = all(b.input == a.output for a, b in zip(layers[first:last], layers[first + 1 :], strict=False))
        readers = [layer.input for layer in layers if layer.input in inner]
        others = {layer.residual.tensor for layer in layers if layer.residual}
        alone = len(readers) == len(inner) and others.isdisjoint(inner)
        return chained and alone and not set(inner) & set(self._network.outputs)

    def _weights_fit(self, mappings: list[Mapping]) -> bool:
        """Whether the weights and parameters of all layers stay on chip over all turns."""
        unit = max(16 // self._config.weight_row_bytes, 1)
        rows = sum(mapping.groups * (max(mapping.group_rows, 1) + unit - 1) for mapping in mappings)
        groups = sum(mapping.groups for mapping in mappings)
        return rows <= self._config.weight_rows and groups <= self._config.parameter_rows

    def _choices(self, last: int, mappings: list[Mapping], height: int) -> list[list[_Choice]]:
        """With the whole output in the scratchpad and without, each from the most convenient to the smallest."""
        turns = range(min(TURNS, height), height + 1)
        if not self._weights_fit(mappings):
            turns = range(1, 2)  # every weight is used once
        rows = sorted({-(-height // count) for count in turns}, reverse=True)
        if self._rows is not None:
            rows = [min(self._rows, height)] if self._weights_fit(mappings) else []
        keep = [True, False] if self._planner.read_after(last) else [False]
        return [[_Choice(r, lag, k) for lag in (True, False) for r in rows] for k in keep]

    def _place(
        self, first: int, mappings: list[Mapping], heights: list[Rows], choice: _Choice, kept: dict[str, Region]
    ) -> Section | None:
        """The section if all regions fit beside `kept`."""
        steps = interleave(heights, choice.rows, lag=choice.lag)
        space = _Space(self._network, self._config, kept, from_top=self._from_top(mappings[0], kept))
        last = len(mappings) - 1
        try:
            slots, windows = self._output(first + last, choice, tile_rows(steps, last))
            final = space.operand(mappings[-1].layer.output, slots, windows)
            source = self._input(space, mappings[0], tile_rows(steps, 0))
            plans = []
            for number, mapping in enumerate(mappings):
                rows = tile_rows(steps, number)
                residual = mapping.layer.residual
                operand = space.operand(residual.tensor, 2 * rows, frozenset({WORDS_ALONE})) if residual else None
                output = final
                if number < last:
                    windows = frozenset({WORDS_ALONE, mappings[number + 1].window})
                    output = space.operand(mapping.layer.output, ring_rows(heights, steps, number), windows)
                plans.append(LayerPlan(first + number, mapping, source, output, operand, rows, output.region.blocks))
                source = Operand(output.tensor, output.region, external=False)
        except _FullError:
            return None
        return Section(tuple(plans), steps, waits(heights, steps))

    def _from_top(self, mapping: Mapping, kept: dict[str, Region]) -> bool:
        """From which end the section's regions are placed: not the end of its input, so that the middle stays free."""
        region = kept.get(mapping.layer.input)
        return region is not None and 2 * region.base + region.words < self._config.scratchpad_words

    def _input(self, space: "_Space", mapping: Mapping, rows: int) -> Operand:
        """The region of the section's input: whole, or the rows of a tile and the next tile's new ones."""
        stride = mapping.stride[0]
        slots = (rows - 1) * stride + max(mapping.layer.kernel[0], mapping.grid) + rows * stride
        return space.operand(mapping.layer.input, slots, frozenset({mapping.window}))

    def _output(self, index: int, choice: _Choice, rows: int) -> tuple[int, frozenset[Window]]:
        """Row slots of the section's output, and the windows of its readers if it lies there whole."""
        name = self._network.layers[index].output
        height = self._network.tensors[name].height
        slots = height if choice.keep_output else min(2 * rows, height)
        return slots, self._planner.tiler.windows("output", name, index, whole=slots == height)


class _FullError(Exception):
    """A region does not fit."""


class _Space:
    """The scratchpad beside the regions `kept`, filled from one end."""

    def __init__(self, network: Network, config: EngineConfig, kept: dict[str, Region], *, from_top: bool):
        self._network, self._config, self._kept, self._from_top = network, config, kept, from_top
        self._taken = [(region.base, region.words) for region in kept.values()]

    def operand(self, name: str, slots: int, windows: frozenset[Window]) -> Operand:
        """Where the tensor is kept, else a new region of that many row slots (at most its height), to be streamed."""
        if name in self._kept:
            return Operand(name, self._kept[name], external=False)
        tensor, blocks = self._network.tensors[name], blocks_of(self._network.tensors[name].channels)
        height = tensor.height
        slots, pitch = choose_ring(tensor.width, min(slots, height), height, windows, self._config)
        words = blocks * slots * pitch
        base = first_fit(self._taken, words, self._config.scratchpad_words, from_top=self._from_top)
        if base is None:
            raise _FullError
        self._taken.append((base, words))
        return Operand(name, Region(base, blocks, slots, pitch, tensor.width), external=True)

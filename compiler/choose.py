"""Which layers run together: the cheapest way to cut a network into sections."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler.config import EngineConfig
from compiler.cost import cost, evicted, split_cost
from compiler.fusion import Fuser
from compiler.planner import Planner
from compiler.region import Region
from compiler.section import Section, Step
from compiler.split import SplitPlan
from compiler.tiling import LayerPlan
from golden.network import Network

LONGEST = 6  # layers of a section
WAYS = 3  # ways remembered to each layer boundary, with different tensors in the scratchpad


@dataclass(frozen=True, eq=False)
class _Way:
    """Layers planned so far: their sections, cycles, and what the planner then remembers."""

    cycles: float
    sections: tuple[Section | SplitPlan, ...]
    resident: dict[str, Region]
    external: frozenset[str]


class Chooser:
    """Dynamic programming over the layer boundaries, on the bound of compiler/cost.py."""

    def __init__(self, network: Network, config: EngineConfig, planner: Planner, *, fuse: bool, rows: int | None):
        self._network, self._config, self._planner = network, config, planner
        self._longest = LONGEST if fuse else 1
        self._fuser = Fuser(network, config, planner, rows)

    def sections(self) -> list[Section | SplitPlan]:
        """Sections of all layers; the planner's `external` then names the tensors that need a place outside."""
        count = len(self._network.layers)
        ways: list[list[_Way]] = [[] for _ in range(count + 1)]
        ways[0] = [_Way(0, (), {}, frozenset(self._planner.external))]
        for first in range(count):
            for way in _best(ways[first]):
                for last in range(first, min(first + self._longest, count)):
                    ways[last + 1] += self._extensions(way, first, last)
        best = _best(ways[count])[0]
        self._resume(best)
        filled = self._filled()
        return [self._finished(section, filled) for section in best.sections]

    def _finished(self, section: Section | SplitPlan, filled: set[str]) -> Section | SplitPlan:
        if isinstance(section, SplitPlan):
            return section
        stores = self._planner.with_stores
        return replace(
            section, plans=tuple(replace(stores(plan), fill=plan.output.tensor in filled) for plan in section.plans)
        )

    def _filled(self) -> set[str]:
        """Tensors whose channels beyond C must hold what docs/engine.md says: all that leave the chip.

        So must residual operands of such a tensor. What else reads these channels has weights 0 for them.
        """
        filled = set(self._planner.external)
        for layer in reversed(self._network.layers):
            if layer.output in filled and layer.residual:
                filled.add(layer.residual.tensor)
        return filled

    def _resume(self, way: _Way) -> None:
        self._planner.resident, self._planner.external = dict(way.resident), set(way.external)

    def _extensions(self, way: _Way, first: int, last: int) -> Iterator[_Way]:
        """The way with layers first .. last as its next section."""
        self._resume(way)
        if first == last:
            yield self._longer(way, alone(self._planner.layer(first), self._network))
            return
        for section, kept, victims in self._fuser.sections(first, last):
            self._resume(way)
            self._planner.take(last, section.plans[-1], dict(kept), victims)
            yield self._longer(way, section)

    def _longer(self, way: _Way, section: Section | SplitPlan) -> _Way:
        external = frozenset(self._planner.external)
        made = {self._network.layers[index].output for index in section.layers}
        if isinstance(section, SplitPlan):
            cycles = split_cost(section, self._network, self._config)
        else:
            cycles = cost(section, self._network, self._config, external)
        cycles += evicted(external - way.external - made, self._network, self._config)
        return _Way(way.cycles + cycles, (*way.sections, section), self._planner.resident, external)


def alone(plan: LayerPlan | SplitPlan, network: Network) -> Section | SplitPlan:
    """A section of one layer."""
    if isinstance(plan, SplitPlan):
        return plan
    height = network.tensors[plan.output.tensor].height
    return Section((plan,), tuple(Step(0, row, min(plan.rows, height - row)) for row in range(0, height, plan.rows)))


def _best(ways: list[_Way]) -> list[_Way]:
    """The cheapest way of each set of tensors in the scratchpad, the cheapest first; of equal ones longer sections."""
    found: dict[frozenset[str], _Way] = {}
    for way in sorted(ways, key=lambda way: (way.cycles, len(way.sections))):
        found.setdefault(frozenset(way.resident), way)
    return list(found.values())[:WAYS]

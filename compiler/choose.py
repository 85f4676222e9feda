"""Which layers run together: the cheapest way to cut a network into sections."""

from dataclasses import dataclass

from compiler.config import EngineConfig
from compiler.cost import cost, evicted
from compiler.fusion import Fuser
from compiler.region import Region
from compiler.section import Section, Step
from compiler.tiling import LayerPlan, Planner
from golden.network import Network

LONGEST = 6  # layers of a section
WAYS = 3  # ways remembered to each layer boundary, with different tensors in the scratchpad


@dataclass(frozen=True, eq=False)
class _Way:
    """Layers planned so far: their sections, cycles, and what the planner then remembers."""

    cycles: float
    sections: tuple[Section, ...]
    resident: dict[str, Region]
    external: frozenset[str]


class Chooser:
    """Dynamic programming over the layer boundaries, on the bound of compiler/cost.py."""

    def __init__(self, network: Network, config: EngineConfig, planner: Planner, *, fuse: bool, rows: int | None):
        self._network, self._config, self._planner = network, config, planner
        self._longest = LONGEST if fuse else 1
        self._fuser = Fuser(network, config, planner, rows)

    def sections(self) -> list[Section]:
        """Sections of all layers; the planner's `external` then names the tensors that need a place outside."""
        count = len(self._network.layers)
        ways: list[list[_Way]] = [[] for _ in range(count + 1)]
        ways[0] = [_Way(0, (), {}, frozenset(self._planner.external))]
        for first in range(count):
            for way in _best(ways[first]):
                for last in range(first, min(first + self._longest, count)):
                    longer = self._extend(way, first, last)
                    if longer is not None:
                        ways[last + 1].append(longer)
        best = _best(ways[count])[0]
        self._resume(best)
        stores = self._planner.with_stores
        return [Section(tuple(stores(plan) for plan in one.plans), one.steps) for one in best.sections]

    def _resume(self, way: _Way) -> None:
        self._planner.resident, self._planner.external = dict(way.resident), set(way.external)

    def _extend(self, way: _Way, first: int, last: int) -> _Way | None:
        self._resume(way)
        section = self._fuser.section(first, last) if last > first else alone(self._planner.layer(first), self._network)
        if section is None:
            return None
        external = self._planner.external
        made = {plan.output.tensor for plan in section.plans}
        victims = {name for name in external - way.external if name not in made}
        cycles = cost(section, self._network, self._config, external)
        cycles += evicted(victims, self._network, self._config)
        return _Way(
            way.cycles + cycles, (*way.sections, section), self._planner.resident, frozenset(external)
        )


def alone(plan: LayerPlan, network: Network) -> Section:
    """A section of one layer."""
    height = network.tensors[plan.output.tensor].height
    return Section((plan,), tuple(Step(0, row, min(plan.rows, height - row)) for row in range(0, height, plan.rows)))


def _best(ways: list[_Way]) -> list[_Way]:
    """The cheapest way of each set of tensors in the scratchpad, the cheapest first."""
    found: dict[frozenset[str], _Way] = {}
    for way in sorted(ways, key=lambda way: way.cycles):
        found.setdefault(frozenset(way.resident), way)
    return list(found.values())[:WAYS]

"""The design space: what a network costs and reaches on engines that may or may not be possible, by the cycle model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from compiler.config import PRESETS, WORD_BYTES, EngineConfig
from compiler.cycles import Memory, estimate
from compiler.program import compile_network
from golden.network import Network

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(EngineConfig) if field.name != "name"}
PARAMETER_CHANNELS = 4096  # channels of bias and shift that an engine of the grid holds
MOST_REQUANT_LANES = 16
REQUANTIZER_MULTIPLIERS = 2  # of a lane: t * M, and the residual's
PARAMETER_BITS = 36  # of a channel: bias and shift


@dataclass(frozen=True)
class Candidate:
    """An engine to try: its name and the fields of EngineConfig, legal or not."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Axes:
    """Values of every axis of a grid; scratchpad and weights: KiB of activation memory and of the weight ring."""

    pixels: Sequence[int] = (1, 2)
    lanes: Sequence[int] = (4, 8, 16)
    taps: Sequence[int] = (8, 16)
    scratchpad: Sequence[int] = (128, 256)
    weights: Sequence[int] = (128,)
    bus: Sequence[int] = (16,)


@dataclass(frozen=True)
class Point:
    """A candidate with a memory: what one inference takes on it, or why it is impossible (`refusal`, else empty).

    cycles, read_bytes, written_bytes: of one inference, 0 where it is impossible; macs: of the network. at_least: the
    engine may take more cycles (compiler/cycles.py).
    """

    candidate: Candidate
    memory: Memory
    macs: int = 0
    cycles: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    refusal: str = ""
    at_least: bool = False

    @property
    def possible(self) -> bool:
        """Whether the engine exists and runs the network."""
        return not self.refusal

    def _field(self, name: str) -> int:
        return self.candidate.fields[name]

    @property
    def macs_per_cycle(self) -> int:
        """Products of the array: pixels * lanes * taps."""
        return self._field("pixels") * self._field("lanes") * self._field("taps")

    @property
    def multipliers(self) -> int:
        """Products of the array and of the requantizer lanes, one multiplier each."""
        return self.macs_per_cycle + REQUANTIZER_MULTIPLIERS * self._field("requant_lanes")

    @property
    def dsps(self) -> int:
        """As `multipliers`, but two pixels' products, which share the weight, take one 18x18 multiplier."""
        return self.multipliers - self.macs_per_cycle + self.macs_per_cycle // min(self._field("pixels"), 2)

    @property
    def memory_bytes(self) -> int:
        """On-chip bytes of scratchpad, weight ring and parameters; queues are left out."""
        weights = self._field("weight_rows") * self._field("lanes") * self._field("taps")
        parameters = self._field("parameter_rows") * self._field("lanes") * PARAMETER_BITS // 8
        return WORD_BYTES * self._field("scratchpad_words") + weights + parameters

    @property
    def utilization(self) -> float:
        """Share of the array's multiply-accumulates that the network uses, 0..1."""
        return self.macs / (self.cycles * self.macs_per_cycle) if self.cycles else 0.0

    def images_per_second(self, mhz: float) -> float:
        """At this clock; 0 where impossible."""
        return mhz * 1e6 / self.cycles if self.cycles else 0.0


def of_preset(name: str) -> Candidate:
    """The preset of this name."""
    fields = PRESETS[name].to_json()
    return Candidate(name, {key: value for key, value in fields.items() if key != "name"})


def grid(axes: Axes, guard_bits: int) -> list[Candidate]:
    """Every combination of the axes' values, with requantizer lanes and parameter rows that follow from them."""
    combinations = product(axes.pixels, axes.lanes, axes.taps, axes.scratchpad, axes.weights, axes.bus)
    return [_combined(*values, guard_bits=guard_bits) for values in combinations]


def _combined(
    pixels: int, lanes: int, taps: int, scratchpad: int, weights: int, bus: int, *, guard_bits: int
) -> Candidate:
    chosen = {
        "pixels": pixels,
        "lanes": lanes,
        "taps": taps,
        "requant_lanes": min(pixels * lanes, MOST_REQUANT_LANES),
        "scratchpad_words": scratchpad * 1024 // WORD_BYTES,
        "weight_rows": weights * 1024 // (lanes * taps),
        "parameter_rows": PARAMETER_CHANNELS // lanes,
        "bus_bytes": bus,
        "guard_bits": guard_bits,
    }
    name = f"{pixels}x{lanes}x{taps} s{scratchpad} w{weights} b{bus}"
    return Candidate(name, DEFAULTS | chosen)


def explore(network: Network, tried: tuple[Candidate, Memory, bool]) -> Point:
    """The network on one candidate with one memory; what the configuration or the compiler refuses is its refusal.

    tried: the two, and `fuse` of compile_network.
    """
    candidate, memory, fuse = tried
    try:
        config = EngineConfig(name=candidate.name, **candidate.fields)  # type: ignore[arg-type]
        found = estimate(compile_network(network, config, fuse=fuse), memory)
    except ValueError as error:
        return Point(candidate, memory, refusal=" ".join(str(error).split()))
    macs = sum(layer.macs for layer in found.layers)
    return Point(
        candidate, memory, macs, found.cycles, found.read_bytes, found.written_bytes, at_least=found.at_least
    )


def front(points: Iterable[Point]) -> list[Point]:
    """The possible points that no other with the same memory beats: as few cycles, DSPs and bytes, and fewer of one."""
    possible = [point for point in points if point.possible]
    costs = [(point.memory, (point.cycles, point.dsps, point.memory_bytes)) for point in possible]
    return [point for point, cost in zip(possible, costs, strict=True) if not any(_beats(one, cost) for one in costs)]


def _beats(one: tuple[Memory, tuple[int, ...]], other: tuple[Memory, tuple[int, ...]]) -> bool:
    no_worse = all(a <= b for a, b in zip(one[1], other[1], strict=True))
    return one[0] == other[0] and one[1] != other[1] and no_worse

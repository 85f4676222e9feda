"""What a report shows, as JSON-able frozen dataclasses: the demo fills them, wesnpu.report draws them.

Everything is a measured count or a name. What was not measured is an empty tuple or None, and its section is left out.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden.errors import WesnpuError
from golden.files import write_whole

FORMAT = 1


@dataclass(frozen=True)
class Accuracy:
    """Top-1 of one method: `correct` of `images` labelled images; `agree` of them have the float network's class."""

    method: str
    correct: int
    agree: int
    images: int

    @property
    def top1(self) -> float:
        """Top-1 in percent."""
        return 100 * self.correct / self.images

    @property
    def agreement(self) -> float:
        """Agreement with the float network in percent."""
        return 100 * self.agree / self.images


@dataclass(frozen=True)
class Shifts:
    """How many output channels of one layer have the weight shift n_c = 0, 1, ... 15."""

    layer: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class LayerRun:
    """One layer on the engine. macs: of the layer, padding included; read_bytes, written_bytes: what its commands move
    to and from external memory; causes: cycles by their one cause, adding up to `cycles`.
    """

    name: str
    cycles: int
    macs: int
    read_bytes: int
    written_bytes: int
    causes: dict[str, int]

    @property
    def intensity(self) -> float:
        """Multiply-accumulates per byte on the busier way, reads or writes."""
        return self.macs / max(self.read_bytes, self.written_bytes, 1)


@dataclass(frozen=True)
class Engine:
    """The engine: preset, multiply-accumulates per cycle, and external bytes per cycle each way, reads and writes."""

    config: str
    macs_per_cycle: int
    bytes_per_cycle: float


@dataclass(frozen=True)
class Comparison:
    """What was compared with `==` between the engine and the golden model, and every mismatch in words."""

    images: int
    tensors: int
    values: int
    mismatches: tuple[str, ...]
    seed: int
    cycles_per_image: tuple[int, ...]
    simulated_cycles_per_second: float


@dataclass(frozen=True)
class ReportData:
    """One report: `command` is what a reader runs to make it again, `network` the name of what was run."""

    network: str
    command: str
    accuracy: tuple[Accuracy, ...] = ()
    shifts: tuple[Shifts, ...] = ()
    engine: Engine | None = None
    comparison: Comparison | None = None
    layers: tuple[LayerRun, ...] = ()

    @property
    def utilization(self) -> float | None:
        """Share of the array's multiply-accumulates used over all layers, in percent; None without an engine."""
        cycles = sum(layer.cycles for layer in self.layers)
        if self.engine is None or not cycles:
            return None
        return 100 * sum(layer.macs for layer in self.layers) / (cycles * self.engine.macs_per_cycle)


def save(data: ReportData, path: Path) -> None:
    """Write `data` as JSON; the file appears whole or not at all."""
    write_whole(path, json.dumps({"format": FORMAT, **dataclasses.asdict(data)}, indent=1).encode())


def load(path: Path) -> ReportData:
    """Read what `save` wrote; WesnpuError naming the file and the field for anything else."""
    try:
        fields = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WesnpuError(f"{path} is not report data: {error}") from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise WesnpuError(f"{path} is not report data of format {FORMAT}")
    return _build(ReportData, fields, str(path))


def _build(kind: Any, value: Any, where: str) -> Any:
    """`value` of a JSON file as the type `kind` of a dataclass field."""
    if isinstance(kind, types.UnionType):
        return None if value is None else _build(typing.get_args(kind)[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _build(arguments[1], item, f"{where}[{key!r}]") for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise WesnpuError(f"{where} is {value!r}: must be {kind}")
    return value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    hints = typing.get_type_hints(kind)
    if not isinstance(value, dict) or set(value) != set(hints):
        raise WesnpuError(f"{where} must have exactly the fields {', '.join(hints)}")
    return kind(**{name: _build(hint, value[name], f"{where}: {name}") for name, hint in hints.items()})

"""Sampled signals as WaveDrom timing diagrams: which cycles, which signals, gaps between the ranges."""

from dataclasses import dataclass
from pathlib import Path

SHOWN_DIGITS = 8  # hexadecimal digits of a value that a diagram has room for, the lowest ones


@dataclass(frozen=True)
class Trace:
    """Signals by name, one value per cycle."""

    signals: dict[str, list[int]]

    @staticmethod
    def read(path: Path) -> "Trace":
        """What sim/verilog/wave_sampler.sv wrote: names, then a line of hexadecimal numbers per cycle; whole lines."""
        names, *rows = (line.split() for line in path.read_text().split("\n")[:-1])
        columns = zip(*rows, strict=True)
        return Trace({name: [int(x, 16) for x in column] for name, column in zip(names, columns, strict=True)})

    def first(self, signal: str, *, after: int = 0, **values: int) -> int:
        """The first cycle from `after` on with `signal` high and others at these values; ValueError without one."""
        for cycle in range(after, len(self.signals[signal])):
            if self.signals[signal][cycle] and all(self.signals[k][cycle] == v for k, v in values.items()):
                return cycle
        raise ValueError(f"{signal} is never high after cycle {after} with {values}")

    def last(self, signal: str) -> int:
        """The last cycle in which `signal` is high; ValueError when there is none."""
        return max(cycle for cycle, value in enumerate(self.signals[signal]) if value)


#: A value is shown while this signal of its channel is high, else it means nothing.
VALID = {"aw": "awvalid", "w": "wvalid", "b": "bvalid", "ar": "arvalid", "r": "rvalid"}
LEVELS = ("valid", "ready", "last", "irq")


def channel_of(signal: str) -> str:
    """The VALID signal of the channel that `signal` (without its port's prefix) belongs to."""
    return VALID[signal[:2] if signal.startswith(("aw", "ar")) else signal[0]]


@dataclass(frozen=True)
class Diagram:
    """Cycles of a trace. signals: names without `prefix`; ranges: (first, last + 1) cycles, with a gap between two.

    scale: width of a cycle.
    """

    title: str
    prefix: str
    signals: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    scale: int = 2

    def wavedrom(self, trace: Trace) -> dict:
        """The diagram as WaveJSON."""
        clock = "|".join("p" + "." * (end - start - 1) for start, end in self.ranges)
        rows: list[dict] = [{"name": "clk", "wave": clock}]
        rows += [self._row(trace, name) for name in self.signals]
        return {"signal": rows, "head": {"text": self.title}, "config": {"hscale": self.scale}}

    def _row(self, trace: Trace, name: str) -> dict:
        values = trace.signals[self.prefix + name]
        if name.endswith(LEVELS):
            return {"name": self.prefix + name, "wave": self._wave([str(bit) for bit in values])[0]}
        port = name[: name.rindex("_") + 1] if not self.prefix else ""
        valid = trace.signals[self.prefix + port + channel_of(name.removeprefix(port))]
        shown = [f"={value:x}" if is_valid else "x" for value, is_valid in zip(values, valid, strict=True)]
        wave, data = self._wave(shown)
        return {"name": self.prefix + name, "wave": wave, "data": data}

    def _wave(self, shown: list[str]) -> tuple[str, list[str]]:
        """One character per cycle, "." where nothing changes, "|" for a gap; the values that begin."""
        wave, data, before = "", [], ""
        for number, (start, end) in enumerate(self.ranges):
            wave += "|" if number else ""
            for one in shown[start:end]:
                wave += one[0] if one != before else "."
                if one != before and one[0] == "=":
                    data.append(one[1:][-SHOWN_DIGITS:])
                before = one
        return wave, data

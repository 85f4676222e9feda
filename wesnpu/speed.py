"""``python -m wesnpu.speed``: writes docs/speed.md, what growth of the array brings, from the cycle model."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from compiler.config import EngineConfig, preset
from compiler.cycles import LayerEstimate, Memory, estimate
from compiler.program import compile_network
from golden.files import write_whole
from golden.network import Network
from wesnpu.imagenet_shapes import NETWORKS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "speed.md"
LATENCY = 64

HEAD = """# Speed: what growth costs and brings

Written by `python -m wesnpu.speed` from the cycle model (`compiler/cycles.py`); `tests/test_compiler_speed.py`
makes this page again and compares it, and holds all three networks on the engine of 256 multiply-accumulates per cycle
(preset `large`) and EfficientNet-Lite0 in sections on those of 128 and 1,024 against simulated Verilog: every tensor
exact, every layer within 2 % (1,024: 3 %) or 64 cycles, the whole within 0.5 %. Networks at 224x224 with drawn
weights, which cost the cycles of trained ones.
Memory: the bus width per cycle on reads and on writes at once, 64 cycles latency. Cycles from start to interrupt;
percent of the array's peak.

| MAC/cycle | pixels x lanes x taps | bus | scratchpad, KiB | weights, KiB | network | by layer | | in sections | |
|---|---|---|---|---|---|---|---|---|---|
"""


DEPTHWISE = """
## Depthwise layers

Those of the networks above in sections on preset `large`, each kind once: operands come from the scratchpad. An array
of 8 lanes does 3x3 at two output columns a cycle, 144 of 256 multiply-accumulates: 56.3 % is the most. At stride 1
two output columns take two new input columns, at stride 2 four, which the scratchpad reads at once (`docs/engine.md`,
"Double feeds"). A row begins with one cycle that fills the window, and a last column without a neighbour takes a whole
step: w output columns reach w / (w + 2) of 56.3 %, an odd w only w / (w + 3). Rows of stride 2 that are padded on the
left fill nothing: an even w reaches 56.3 % there, 7 columns 49.2 %; those below are padded on the right. The rows of a
command and commands of a layer follow each other without a gap; what is missing is in the engine's window, not in the
order of the program.

| kernel | stride | channels | output | cycles | of the array |
|---|---|---|---|---|---|
"""


def configurations() -> list[EngineConfig]:
    """Engines of 64, 128, 256, 512 and 1,024 multiply-accumulates per cycle."""
    large = preset("large")
    huge = replace(large, name="huge", lanes=16, requant_lanes=32, scratchpad_words=2 * large.scratchpad_words)
    giant = replace(huge, name="giant", pixels=4, requant_lanes=64, scratchpad_words=65536, weight_rows=4096)
    return [preset("small"), preset("medium"), large, huge, giant]


def row(config: EngineConfig, name: str, network: Network) -> str:
    """A line of the table."""
    memory = Memory(read_latency=LATENCY, write_latency=LATENCY)
    cells = [
        str(config.macs_per_cycle), f"{config.pixels} x {config.lanes} x {config.taps}", f"{8 * config.bus_bytes} bits",
        str(config.scratchpad_words * 16 // 1024), str(config.weight_rows * config.weight_row_bytes // 1024), name,
    ]
    for fuse in (False, True):
        found = estimate(compile_network(network, config, fuse=fuse), memory)
        share = sum(layer.macs for layer in found.layers) / (found.cycles * config.macs_per_cycle)
        cells += [f"{found.cycles:,}", f"{100 * share:.1f} %"]
    return f"| {' | '.join(cells)} |\n"


def depthwise_rows(networks: Iterable[Network]) -> str:
    """Lines of the table of depthwise layers, by kernel, stride and falling size."""
    engine, memory = preset("large"), Memory(read_latency=LATENCY, write_latency=LATENCY)
    found: dict[tuple[int, int, int, int], LayerEstimate] = {}
    for network in networks:
        estimates = estimate(compile_network(network, engine), memory).layers
        for layer, one in zip(network.layers, estimates, strict=True):
            width = network.tensors[layer.output].width
            if layer.depthwise and width > 1:
                found.setdefault((layer.kernel[1], layer.stride[1], -width, layer.weight.shape[0]), one)
    return "".join(
        f"| {kernel}x{kernel} | {stride} | {channels} | {-width}x{-width} | {one.cycles:,} "
        f"| {100 * one.macs / (one.cycles * engine.macs_per_cycle):.1f} % |\n"
        for (kernel, stride, width, channels), one in sorted(found.items())
    )


def document() -> str:
    """The whole document."""
    networks = {name: make() for name, make in NETWORKS.items()}
    rows = "".join(row(config, name, net) for config in configurations() for name, net in networks.items())
    return HEAD + rows + DEPTHWISE + depthwise_rows(networks.values())


if __name__ == "__main__":
    write_whole(DOCUMENT, document().encode())

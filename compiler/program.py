"""compile_network: a quantized network becomes a memory image and an engine program."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from compiler.choose import Chooser
from compiler.config import EngineConfig
from compiler.emit import Emitter
from compiler.emit_split import SplitEmitter
from compiler.encode import encode, listing
from compiler.encoding import COMMANDS_MAX, Unit
from compiler.item import Traced
from compiler.layout import Placement, aligned, blocks_of
from compiler.planner import Planner
from compiler.schedule import WAIT_FIELDS, Tokens, hoist
from compiler.sizes import check_sizes
from compiler.split import SplitPlan
from compiler.traffic import Traffic, traffic
from golden.errors import WesnpuError
from golden.network import Network

REGION_MAX = 1 << 32  # bytes of a region


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """What the host gives the engine, and what a testbench needs to know about it.

    image: bytes of the image region (weights, parameters, program); program_offset: first command in it.
    data_size: bytes of the data region; placements: tensors that lie there (input, outputs, whatever is not kept on
    chip). traffic: bytes moved for each layer.
    traced: for every COMPUTE command that is not partial, in program order, what it writes. sections: layers that run
    together, by index.
    """

    config: EngineConfig
    network: Network
    image: bytes
    program_offset: int
    data_size: int
    placements: dict[str, Placement]
    traced: tuple[Traced, ...]
    sections: tuple[range, ...]
    traffic: tuple[Traffic, ...]

    @property
    def program(self) -> bytes:
        """The commands."""
        return self.image[self.program_offset :]

    def listing(self) -> str:
        """The readable program."""
        return listing(self.program)

    def pack_input(self, x: np.ndarray) -> bytes:
        """The bytes of the network input x, int8 (C, H, W), at its placement; channels beyond C hold the zero point."""
        return self.placements[self.network.input].pack(x, self.network.tensors[self.network.input].zero_point)

    def unpack_output(self, data: bytes, name: str) -> np.ndarray:
        """Tensor `name`, int8 (C, H, W), from the bytes of the data region."""
        return self.placements[name].unpack(data)


def compile_network(
    network: Network,
    config: EngineConfig,
    *,
    keep_all: bool = False,
    tile_rows: int | None = None,
    fuse: bool = True,
) -> CompiledNetwork:
    """Compiles for one engine; with keep_all every tensor is also stored in external memory.

    tile_rows: output rows of every tile (of a section, its first layer's), for tests of tile boundaries; None chooses
    them. fuse: consecutive layers may run tile by tile in turn, without external memory between them.
    WesnpuError names the layer that the engine cannot run, or that takes more commands than a program holds.
    """
    planner = Planner(network, config, keep_all=keep_all, tile_rows=tile_rows)
    sections = Chooser(network, config, planner, fuse=fuse, rows=tile_rows).sections()
    placements, data_size = _place(network, planner.external, packed_input=planner.tiler.packed)
    _check_data(network, placements, data_size)
    emitter = Emitter(network, config, placements)
    counts: dict[range, Counter[Unit]] = {}
    for section in sections:
        before = len(emitter.items)
        if isinstance(section, SplitPlan):
            SplitEmitter(emitter, section).layer()
        else:
            emitter.section(section)
        counts[section.layers] = Counter(item.unit for item in emitter.items[before:])
    _check_commands(network, counts)
    order = hoist(emitter.items)
    sizes = {"scratchpad": config.scratchpad_words, "weights": config.weight_rows, "parameters": config.parameter_rows}
    sizes |= {f"tensor {name}": blocks_of(p.channels) * p.height for name, p in placements.items()}
    tokens = Tokens(sizes)
    check_sizes(network, config, emitter.items)
    program = b"".join(encode(item.unit, item.fields | tokens.waits(item)) for item in order)
    program += encode(Unit.END, {})
    image = bytes(emitter.loader.image)
    offset = aligned(len(image))
    image += bytes(offset - len(image)) + program
    image += bytes(aligned(len(image)) - len(image))
    _check_image(network, len(image))
    traced = tuple(item.trace for item in order if item.trace is not None)
    runs = tuple(section.layers for section in sections)
    moved = traffic(emitter.items, len(network.layers))
    return CompiledNetwork(config, network, image, offset, data_size, placements, traced, runs, moved)


def _check_data(network: Network, placements: dict[str, Placement], size: int) -> None:
    """WesnpuError when the tensors in external memory exceed the data region; it names the largest."""
    if size > REGION_MAX:
        most = max(placements, key=lambda name: placements[name].size)
        maker = "".join(f" of layer {layer.name}" for layer in network.layers if layer.output == most)
        raise WesnpuError(
            f"network {network.name}: tensors of {size} bytes, the data region has {REGION_MAX}: "
            f"{placements[most].size} are {most}{maker}"
        )


def _check_image(network: Network, size: int) -> None:
    """WesnpuError when weights and program exceed the image region; it names the layer with most weights."""
    if size > REGION_MAX:
        most = max(network.layers, key=lambda layer: layer.weight.size)
        raise WesnpuError(
            f"network {network.name}: weights, parameters and program of {size} bytes, the image region has "
            f"{REGION_MAX}: most are of layer {most.name}, which has {most.weight.size} weights"
        )


def _check_commands(network: Network, counts: dict[range, Counter[Unit]]) -> None:
    """WesnpuError when one unit has more commands than a program holds; it names the layers that take most."""
    for unit in WAIT_FIELDS:
        total = sum(count[unit] for count in counts.values())
        if total > COMMANDS_MAX:
            most = max(counts, key=lambda layers: counts[layers][unit])
            names = ", ".join(network.layers[index].name for index in most)
            raise WesnpuError(
                f"network {network.name}: {total} {unit.name} commands, a program holds {COMMANDS_MAX}: "
                f"{counts[most][unit]} are of layer {names}"
            )


def _place(network: Network, external: set[str], *, packed_input: bool) -> tuple[dict[str, Placement], int]:
    placements, offset = {}, 0
    for name, tensor in network.tensors.items():
        if name in external:
            packed = packed_input and name == network.input
            placements[name] = Placement(offset, tensor.channels, tensor.height, tensor.width, packed)
            offset += aligned(placements[name].size)
    return placements, offset

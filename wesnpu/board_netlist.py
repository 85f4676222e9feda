"""A picture through the pins of a board's netlist, every tensor that the host can read compared.

    make netlist BOARD=icebreaker

The smallest Fashion-MNIST network is quantized, compiled and loaded by the host as shipped, at the board's own clock
cycles per bit. It takes minutes: a byte on the line is 240 cycles of the netlist.
"""

import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from compiler.config import EngineConfig
from compiler.program import CompiledNetwork, compile_network
from golden.network import Network
from golden.run import run as golden_run
from quant.evaluation import fashion
from quant.evaluation.evaluate import input_codes
from quant.images.batches import Images
from quant.recipe import quantize
from wesnpu import console
from wesnpu.errors import one_line

if TYPE_CHECKING:
    from board.simulation import SimulatedLine

NETWORK, RECIPE, CALIBRATION = "fashion_nano", "wes", 64  # images
SEED = 1  # of the numbers that name sessions


@dataclass(frozen=True)
class Compared:
    """One image on a board.

    tensors, values: compared with golden's; wrong: names of the tensors that differ.  found, expected: class on the
    board and of golden; label: the picture's.  cycles: of the program; line_cycles: in all.  requests, retries: the
    host's.
    """

    tensors: int
    values: int
    wrong: tuple[str, ...]
    found: int
    expected: int
    label: int
    cycles: int
    line_cycles: int
    requests: int
    retries: int


def picture(config: EngineConfig, number: int = 0) -> tuple[Network, np.ndarray, int]:
    """The network for this engine, one picture as its input, int8 (1, 28, 28), and the picture's label."""
    network = quantize(
        fashion.imported(NETWORK), fashion.data().calibration[:CALIBRATION], recipe=RECIPE,
        preprocessing=fashion.PREPROCESSING, guard_bits=config.guard_bits,
    )
    images = Images(fashion.data().images[number : number + 1], fashion.SHAPE, fashion.PREPROCESSING)
    return network, input_codes(network, next(iter(images.batches(1))))[0], int(fashion.data().labels[number])


def compiled_for(network: Network, config: EngineConfig, memory_bytes: int) -> CompiledNetwork:
    """The program that keeps all tensors in memory, or those that fit together with the weights."""
    every = compile_network(network, config, keep_all=True)
    return every if len(every.image) + every.data_size <= memory_bytes else compile_network(network, config)


def compare(line: "SimulatedLine", number: int = 0) -> Compared:
    """Load the network, run picture `number`, read back and compare every tensor that lies in the board's memory."""
    from board.device import Board  # needs the hardware packages
    from board.host import Host

    host = Host(line, random.Random(SEED))
    board = Board(host)
    network, codes, label = picture(board.config, number)
    compiled = compiled_for(network, board.config, board.memory_bytes)
    with console.progress("loading", len(compiled.image)) as update:
        board.load(compiled, lambda what, done, total: update(done))
    names, output = tuple(compiled.placements), network.outputs[0]
    with console.progress(f"one picture, {len(names)} tensors read back"):
        result = board.run(codes, names=names)
    golden = golden_run(network, codes, keep=names).tensors
    return Compared(
        tensors=len(names), values=sum(result.tensors[name].size for name in names),
        wrong=tuple(name for name in names if not np.array_equal(result.tensors[name], golden[name])),
        found=int(result.tensors[output].argmax()), expected=int(golden[output].argmax()), label=label,
        cycles=result.cycles, line_cycles=line.cycles, requests=host.requests, retries=host.retries,
    )


def show(board: str, done: Compared) -> int:
    """Print what was compared; 1 when a tensor or the class differs, else 0."""
    console.say(
        f"{NETWORK} through the pins of {board}'s netlist: class {done.found}, golden {done.expected}, label "
        f"{done.label}; {done.tensors} tensors, {done.values:,} values compared; {done.cycles:,} cycles of the "
        f"program, {done.line_cycles:,} in all; {done.requests} requests, {done.retries} sent again"
    )
    if done.wrong:
        console.say(f"FAILED: {', '.join(done.wrong)} differ from golden")
    return int(bool(done.wrong) or done.found != done.expected or not done.values)


def main(arguments: list[str]) -> int:
    """python -m wesnpu.board_netlist BOARD; 0 when all is equal, 1 on a difference, 2 on what cannot be done."""
    if len(arguments) != 1:
        console.note("usage: make netlist BOARD=icebreaker")
        return 2
    from board.netlist import netlist_line  # needs the hardware packages

    try:
        with console.progress("synthesis and simulator"):
            line = netlist_line(arguments[0])
        with line:
            return show(arguments[0], compare(line))
    except (ValueError, OSError) as error:
        console.note(f"make netlist: {one_line(error)}")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

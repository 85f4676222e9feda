"""What every test of the compiler asks of a compiled network: it is safe, and it computes what golden computes."""

import numpy as np

from compiler.config import EngineConfig
from compiler.encode import Command, decode
from compiler.hazards import check_program
from compiler.interpret import run_in_order, run_shuffled
from compiler.machine import Machine
from compiler.program import CompiledNetwork, compile_network
from golden.network import Network
from sim.expected import Expected, expected_of


def data_region(compiled: CompiledNetwork, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The data region uint8 (size,) before the run: the input in its place, anything elsewhere."""
    data = rng.integers(0, 256, compiled.data_size, np.uint8)
    place, packed = compiled.placements[compiled.network.input], compiled.pack_input(image)
    data[place.offset : place.offset + len(packed)] = np.frombuffer(packed, np.uint8)
    return data


def differences(compiled: CompiledNetwork, data: np.ndarray, expected: Expected) -> list[str]:
    """A line for every external tensor that is not as expected, channels beyond C included."""
    found = []
    for name, place in compiled.placements.items():
        if name == compiled.network.input:
            continue
        wrong = np.argwhere(place.unpack_full(data.tobytes()) != expected.tensors[name])
        if wrong.size:
            found.append(f"{name}: {len(wrong)} of {place.size} values differ, first at {tuple(wrong[0].tolist())}")
    return found


def run_program(
    compiled: CompiledNetwork, commands: list[Command], image: np.ndarray, seed: int, *, shuffled: bool
) -> np.ndarray:
    """The data region after the commands ran on random memories."""
    rng = np.random.default_rng(seed)
    data = data_region(compiled, image, rng)
    machine = Machine(compiled.config, compiled.image, data, seed)
    if shuffled:
        run_shuffled(machine, commands, rng)
    else:
        run_in_order(machine, commands)
    return data


def check_compiled(compiled: CompiledNetwork, image: np.ndarray, seed: int, *, orders: int = 1) -> int:
    """Asserts that the program is safe and right in program order and in `orders` random ones; values compared."""
    check_program(compiled.program, compiled.config, len(compiled.image), compiled.data_size)
    expected, commands = expected_of(compiled.network, image), decode(compiled.program)
    for order in range(1 + orders):
        data = run_program(compiled, commands, image, seed + order, shuffled=order > 0)
        wrong = differences(compiled, data, expected)
        assert not wrong, f"{'shuffled' if order else 'in order'}, seed {seed + order}: {wrong}"
    compared = [place.size for name, place in compiled.placements.items() if name != compiled.network.input]
    return sum(compared) * (1 + orders)


def check_network(
    network: Network, image: np.ndarray, config: EngineConfig, seed: int, *, keep_all: bool = True, orders: int = 1
) -> int:
    """Compiles and checks; the number of values compared. WesnpuError when the engine cannot run the network."""
    return check_compiled(compile_network(network, config, keep_all=keep_all), image, seed, orders=orders)

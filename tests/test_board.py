"""A whole board design in Verilator, through its UART pins: engine, memory and link, the host side as it is shipped."""

import os
import random

import numpy as np
import pytest

from board.boards import BOARDS
from board.device import Board
from board.host import Host, LinkError
from board.noise import Noise, NoisyLine
from board.simulation import SimulatedLine, simulated_board
from compiler import registers
from compiler.config import preset
from compiler.engines import engine
from compiler.program import CompiledNetwork, compile_network
from golden.errors import WesnpuError
from golden.network import Network
from golden.run import run
from rtl.interfaces import Cause
from sim.layers import random_network
from wesnpu.board_netlist import compiled_for, picture

SEED = int(os.environ.get("LINK_SEED", "1"))
BOARD, CONFIG = "icebreaker", "nano-up5k"
NOISE = Noise(byte=0.0005, frame=0.05, reset=0.01, line_break=0.01)


@pytest.fixture()
def line():
    with SimulatedLine(simulated_board(BOARD), seed=SEED) as line:
        yield line


def compiled_of(network: Network, config: str = CONFIG) -> CompiledNetwork:
    return compile_network(network, engine(config), keep_all=True)


def check(board: Board, compiled: CompiledNetwork, image: np.ndarray) -> int:
    """Every tensor that lies in the board's memory equals golden's; how many there are."""
    expected = run(compiled.network, image, keep=True).tensors
    names = tuple(compiled.placements)
    result = board.run(image, names=names)
    for name in names:
        np.testing.assert_array_equal(result.tensors[name], expected[name], err_msg=name)
    causes = sum(result.counters[cause.name.lower()] for cause in Cause)
    assert result.cycles > 0 and causes == (result.cycles if board.config.counters else 0)
    return len(names)


def test_the_board_tells_what_it_is(line):
    board = Board(Host(line, random.Random(SEED)))
    assert board.config.executes() == engine(CONFIG).executes()
    assert (board.name, board.memory_bytes) == (BOARD, 16 * BOARDS[BOARD].memory_words)


def test_several_programs_and_images(line):
    board = Board(Host(line, random.Random(SEED)))
    for seed in range(2):
        network, image = random_network("chain", seed, engine(CONFIG).guard_bits)
        compiled = compiled_of(network)
        board.load(compiled)
        assert check(board, compiled, image) == len(network.layers) + 1
        check(board, compiled, -1 - image)


def image_through_the_pins(line: SimulatedLine, name: str) -> None:
    """Loaded, run and read back by the host as shipped; every tensor that lies in the board's memory is compared.

    Then a second host ends a program of the first one, which notices, loads everything again, and is right again.
    """
    config = engine(BOARDS[name].config)
    network, image, _ = picture(config)
    compiled = compiled_for(network, config, 16 * BOARDS[name].memory_words)
    host = Host(line, random.Random(SEED))
    board = Board(host)
    board.load(compiled)
    assert check(board, compiled, image) >= 2 and host.retries == 0
    print(f"{len(compiled.placements)} tensors, {len(compiled.image):,} bytes of program and weights, "
          f"{compiled.data_size:,} of tensors, {line.cycles:,} cycles in all, {host.requests} requests")
    host.write_register("CONTROL", registers.pack("CONTROL", start=1))
    second = Board(Host(line, random.Random(SEED + 1)))
    assert second._status() == {"busy": 0, "done": 1, "error": 8, "error_command": 0}
    check(board, compiled, image)
    assert board.restarts == 1


def test_a_fashion_mnist_image_through_the_pins(line):
    image_through_the_pins(line, BOARD)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(BOARDS) - {BOARD}))
def test_a_fashion_mnist_image_through_the_pins_of_other_boards(name):
    with SimulatedLine(simulated_board(name), seed=SEED) as line:
        image_through_the_pins(line, name)


def test_what_does_not_fit_is_refused(line):
    board = Board(Host(line, random.Random(SEED)))
    network, _ = random_network("chain", 1, preset("small").guard_bits)
    with pytest.raises(WesnpuError, match="for engine small"):
        board.load(compiled_of(network, "small"))
    network, _ = random_network("chain", 1, engine(CONFIG).guard_bits)
    board.memory_bytes = 1000
    with pytest.raises(WesnpuError, match="board icebreaker has 1,000 bytes"):
        board.load(compiled_of(network))


def test_an_error_of_the_engine_is_told(line):
    board = Board(Host(line, random.Random(SEED)))
    network, image = random_network("chain", 1, engine(CONFIG).guard_bits)
    compiled = compiled_of(network)
    board.load(compiled)
    board._host.write_memory(compiled.program_offset, b"\xff" * 16)
    with pytest.raises(LinkError, match="command 0: a command names an unknown unit"):
        board.run(image)


def noisy(seed: int, requests: int) -> None:
    """Networks on a board that is reset and misunderstood at any moment: only golden's results are accepted."""
    rng = np.random.default_rng(seed)
    with SimulatedLine(simulated_board(BOARD), seed=seed) as line:
        noisy_line = NoisyLine(line, NOISE, seed)
        host = Host(noisy_line, random.Random(seed))
        board, checked = Board(host), 0
        while host.requests < requests or not checked:
            network, image = random_network("pointwise", int(rng.integers(1000)), engine(CONFIG).guard_bits)
            compiled = compiled_of(network)
            board.load(compiled)
            checked += check(board, compiled, image)
        assert host.retries > 0 and noisy_line.resets > 0 and board.restarts > 0


def test_noise_and_resets():
    print(f"repeat: LINK_SEED={SEED} .venv/bin/python -m pytest tests/test_board.py -k test_noise_and_resets")
    noisy(SEED, 200)

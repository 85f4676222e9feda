"""``wesnpu run``: a quantized network on a board, or on the board's design in simulation through its UART pins."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from compiler.program import compile_network
from golden.file import load_network
from golden.network import Network
from golden.run import run as golden_run
from quant.evaluation.evaluate import input_codes
from wesnpu import console, options
from wesnpu.commands.evaluate import known_labels, preprocessing_of, share
from wesnpu.image_files import Pictures, read_pictures

if TYPE_CHECKING:
    from board.device import Board, BoardRun
    from board.line import Line

SIMULATED = "sim"
BAUD = 1_000_000
Port = Annotated[str, typer.Option(help=f"Serial port of the board, or '{SIMULATED}'.", show_default=False)]
Baud = Annotated[
    int, typer.Option(min=9_600, max=12_000_000, help="Bits per second of the serial port; those of the bitstream.")
]
Simulated = Annotated[str, typer.Option("--board", help=f"The design that --port {SIMULATED} simulates.")]
Verify = Annotated[bool, typer.Option("--verify", help="Compare every score with the golden model's.")]


def run(
    network: options.NetworkFile,
    port: Port,
    images: options.Images,
    baud: Baud = BAUD,
    board: Simulated = "ulx3s_85f",
    limit: options.Limit = None,
    verify: Verify = False,
) -> None:
    """Run a quantized network on a board: class and cycles of every image; what the line loses is sent again."""
    from board.device import Board  # needs the hardware packages, which most other commands do not
    from board.host import Host

    quantized = load_network(network)
    how = preprocessing_of(quantized, network)
    pictures = known_labels(quantized, read_pictures(images, how, limit=limit, classes=quantized.labels))
    with open_line(port, baud, board) as line:
        host = Host(line)
        connected = Board(host)
        compiled = compile_network(quantized, connected.config)
        with console.progress("loading", len(compiled.image)) as update:
            connected.load(compiled, lambda what, done, total: update(done))
        results = run_images(connected, quantized, pictures)
    classes = np.array([int(scores_of(quantized, result).argmax()) for result in results])
    show(quantized, pictures, connected, results, classes)
    console.say(f"{host.requests:,} requests, {host.retries:,} sent again, {connected.restarts} resets of the board")
    if verify and (wrong := differing(quantized, pictures, results)):
        console.say(f"{len(wrong)} of {len(results)} images differ from golden, the first is {wrong[0]}")
        raise typer.Exit(1)
    if verify:
        console.say(f"all scores of {len(results)} images equal golden's")


def open_line(port: str, baud: int, board: str) -> "AbstractContextManager[Line]":
    """The serial port, or the simulation of a board."""
    from board.line import SerialLine

    if port != SIMULATED:
        return SerialLine(port, baud)
    from board.simulation import SimulatedLine, simulated_board

    return SimulatedLine(simulated_board(board))


def inputs(network: Network, pictures: Pictures) -> np.ndarray:
    """The network's input for every picture, int8 (N, C, H, W)."""
    return np.concatenate([input_codes(network, real) for real in pictures.images.batches(64)])


def scores_of(network: Network, result: "BoardRun") -> np.ndarray:
    """The codes of the first output, int8 (classes,)."""
    return result.tensors[network.outputs[0]].ravel()


def run_images(board: "Board", network: Network, pictures: Pictures) -> list["BoardRun"]:
    """One result for each picture."""
    results = []
    with console.progress("images", len(pictures.images)) as update:
        for number, codes in enumerate(inputs(network, pictures), 1):
            results.append(board.run(codes))
            update(number)
    return results


def show(
    network: Network, pictures: Pictures, board: "Board", results: list["BoardRun"], classes: np.ndarray
) -> None:
    """Print class, cycles and time of every image, and the share that was right."""
    rows = [
        (str(number), network.labels[found] if network.labels else str(found), _label(network, label),
         f"{result.cycles:,}", f"{1e3 * result.cycles / board.clock_hz:.2f}")
        for number, (found, label, result) in enumerate(zip(classes, pictures.labels, results, strict=True))
    ]
    console.table(f"{network.name} on {board.name}", ("image", "class", "label", "cycles", "ms"), rows)
    labelled = int(pictures.labelled.sum())
    if labelled:
        console.say(f"top-1 {share(classes == pictures.labels, labelled)}")


def _label(network: Network, label: int) -> str:
    if label < 0:
        return "-"
    return network.labels[label] if network.labels else str(label)


def differing(network: Network, pictures: Pictures, results: list["BoardRun"]) -> list[int]:
    """Numbers of the images of which any output differs from golden's."""
    wrong = []
    for number, (codes, result) in enumerate(zip(inputs(network, pictures), results, strict=True)):
        expected = golden_run(network, codes, keep=tuple(result.tensors)).tensors
        if any(not np.array_equal(values, expected[name]) for name, values in result.tensors.items()):
            wrong.append(number)
    return wrong

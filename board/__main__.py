"""make bitstream BOARD= [SEED=1]: the file that goes into a board's FPGA, and what was measured of it."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from board.bitstream import build
from board.boards import BOARDS, board_design
from golden.errors import WesnpuError


def main(
    board: Annotated[str, typer.Argument(help=", ".join(BOARDS))],
    seed: Annotated[int, typer.Option(min=1, help="of place and route")] = 1,
) -> None:
    """Build the bitstream of a board with open tools; fails when it does not fit or misses its clock."""
    console = Console(stderr=True)
    try:
        with console.status(f"{board}: synthesis, place and route"):
            made = build(board_design(board), seed)
    except (WesnpuError, ValueError) as error:
        sys.exit(f"make bitstream: {error}")
    told = made.summary
    print(f"{made.path}: {told['bytes']:,} bytes, {told['device']} {told['package']} {told['speed']}")
    print(f"{told['clock_mhz']} MHz asked, {told['routed_mhz']} MHz routed; engine {told['engine']}, "
          f"{told['memory_bytes']:,} bytes of memory, {told['baud']:,} baud")
    print(", ".join(f"{name} {value:,}" for name, value in told["cells"].items()))


if __name__ == "__main__":
    typer.run(main)

"""``wesnpu compile``: the engine's program of a quantized network, as files for firmware."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.export import c_identifier, c_program
from compiler.program import compile_network
from golden.file import load_network
from golden.files import check_output, write_whole
from wesnpu import console, options

Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.", show_default=False)]
Listing = Annotated[bool, typer.Option("--listing", help="Write the readable commands, too.")]


def compile_program(
    network: options.NetworkFile, output: Folder, config: options.Config = "large", listing: Listing = False,
    fuse: options.Fuse = True,
) -> None:
    """Write NAME.bin, the image region of the engine, and NAME.h, its description for the driver (driver/wesnpu.h)."""
    engine = options.engine_of(config)
    quantized = load_network(network)
    name = c_identifier(quantized.name)
    paths = [output / f"{name}{suffix}" for suffix in (".bin", ".h", ".txt")]
    for path in paths:
        check_output(path, network)
    compiled = compile_network(quantized, engine, fuse=fuse)
    write_whole(paths[0], compiled.image)
    write_whole(paths[1], c_program(compiled).encode())
    if listing:
        write_whole(paths[2], compiled.listing().encode())
    console.say(f"{paths[0]}: {len(compiled.image):,} bytes, program at {compiled.program_offset:,}")
    console.say(f"{paths[1]}: struct wesnpu_program {name}, data region of {compiled.data_size:,} bytes")

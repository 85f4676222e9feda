"""``wesnpu quantize``: from a float network and calibration images to a quantized network file."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from golden.errors import WesnpuError
from golden.file import encode_network
from golden.files import check_output, write_whole
from golden.network import Network
from quant.onnx_import import Imported
from quant.recipe import RECIPES
from quant.recipe import quantize as run_recipe
from wesnpu import console, options
from wesnpu.float_model import read_float_model
from wesnpu.image_files import read_pictures

Recipe = Annotated[str, typer.Option(help=f"SCALES[+PART...], for example {', '.join(RECIPES)}.")]
Observer = Annotated[str, typer.Option(help="How activation ranges are chosen: minmax, percentile, mse or entropy.")]
GuardBits = Annotated[int, typer.Option(help="G of Eq. 3: 7, or 5 for the engine nano.")]
WeightBits = Annotated[int, typer.Option(help="2, 3, 4, 6 or 8.")]
ActivationBits = Annotated[int, typer.Option(help="4, 6 or 8 between layers; input and outputs have 8.")]
Labels = Annotated[Path | None, typer.Option(help="Class names, one a line, kept in the network file.")]


def quantize(
    model: options.Model,
    calib: options.Images,
    output: options.Output,
    recipe: Recipe = "wes+sum",
    observer: Observer = "minmax",
    guard_bits: GuardBits = 7,
    weight_bits: WeightBits = 8,
    activation_bits: ActivationBits = 8,
    labels: Labels = None,
    limit: options.Limit = None,
    shape: options.Shape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    value_range: options.ValueRange = 1.0,
    channel_order: options.ChannelOrder = None,
    resize: options.Resize = None,
    layout: options.Layout = None,
) -> None:
    """Quantize a float ONNX network with calibration images."""
    check_output(output, model)
    imported, how = read_float_model(
        model, shape, mean=mean, std=std, value_range=value_range, channel_order=channel_order, resize=resize,
        layout=layout,
    )
    names = class_names(labels, imported)
    pictures = read_pictures(calib, how, limit=limit)
    with console.passes() as update:
        network = run_recipe(
            imported,
            pictures.images.array,
            recipe=recipe,
            observer=observer,
            guard_bits=guard_bits,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            preprocessing=how,
            labels=names,
            progress=update,
        )
    network = replace(network, name=model.stem)
    write_whole(output, encode_network(network))
    tell(network, output)


def class_names(path: Path | None, imported: Imported) -> tuple[str, ...]:
    """Lines of a text file, none for None; WesnpuError when it cannot be read or has not one for every class."""
    if path is None:
        return ()
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise WesnpuError(f"{path}: class names cannot be read: {error}") from error
    graph = imported.graph
    classes = math.prod(graph.shapes[graph.outputs[0]])
    if len(names) != classes:
        raise WesnpuError(f"{path}: holds {len(names)} class names: the network has {classes} classes")
    return names


def tell(network: Network, path: Path) -> None:
    """Say what was written, and what the passes noted."""
    for line in network.provenance["log"]:
        console.note(line)
    size = path.stat().st_size / 1024
    console.say(f"{path}: {len(network.layers)} layers, {size:,.0f} KiB, recipe {network.provenance['recipe']}")

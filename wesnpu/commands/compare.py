"""``wesnpu compare``: every method on the user's own network, and the cheapest that stays within a loss."""

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from golden.errors import WesnpuError
from golden.files import check_output, write_whole
from golden.layer import WEIGHT_BITS
from quant.accuracy import table
from quant.accuracy.method import BASELINES, Method
from quant.accuracy.recommend import ORDER, cheapest, loss, nearest
from quant.accuracy.run import Comparison, Unit
from quant.accuracy.store import Store
from quant.accuracy.subject import Fold, Subject
from quant.accuracy.summary import Row, float_top1, rows
from quant.plan.scales import ACTIVATION_BITS
from wesnpu import console, options
from wesnpu.commands.quantize import ActivationBits
from wesnpu.float_model import read_float_model
from wesnpu.image_files import Pictures, read_pictures

RECIPES = (
    "pow2", "pow2-channel+sum+bc", "layerwise", "layerwise+bc", "layerwise+cle+bc", "wes", "wes+bc", "wes+sum",
    "wes+sum+bc", "wes+cle+bc", "auto", "channelwise", "channelwise+sum",
)
LOW_BITS = ("wes+ecr-steps+bc", "channelwise+ecr-steps+bc")  # besides, below 8 bits
NOTHING_WITHIN = 1  # exit code
REPEATED = ("calib", "shape", "mean", "std", "value_range", "channel_order", "resize", "layout")  # by quantize
WeightBits = Annotated[str, typer.Option(help="One or more of 2, 3, 4, 6 and 8, separated by commas.")]
MaxLoss = Annotated[float, typer.Option(min=0, max=100, help="Percentage points that the recommended one may lose.")]
Recipes = Annotated[str | None, typer.Option(help="Recipes, separated by commas.", show_default="the usual ones")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="CSV file to write.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="JSON file to write: the rows and the recommendation.")]
State = Annotated[Path | None, typer.Option(help="Folder of kept results, to go on after an interruption.")]


def compare(
    context: typer.Context,
    model: options.Model,
    calib: options.Images,
    images: options.Images,
    weight_bits: WeightBits = "8",
    activation_bits: ActivationBits = 8,
    max_loss: MaxLoss = 1.0,
    recipes: Recipes = None,
    csv: CsvFile = None,
    json_file: JsonFile = None,
    state: State = None,
    limit: options.Limit = None,
    workers: options.Workers = 1,
    scheduler: options.Scheduler = None,
    shape: options.Shape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    value_range: options.ValueRange = 1.0,
    channel_order: options.ChannelOrder = None,
    resize: options.Resize = None,
    layout: options.Layout = None,
) -> None:
    """Compare every method on a float ONNX network and recommend the cheapest within a loss; exit code 1 if none is."""
    for path in filter(None, (csv, json_file)):
        check_output(path, model)
    methods = chosen_methods(recipes, weight_bits, activation_bits)
    imported, how = read_float_model(
        model, shape, mean=mean, std=std, value_range=value_range, channel_order=channel_order, resize=resize,
        layout=layout,
    )
    calibration, evaluated = read_pictures(calib, how), read_pictures(images, how, limit=limit)
    tell_shared(calibration, evaluated)
    classes = int(np.prod(imported.graph.shapes[imported.graph.outputs[0]]))
    fold = Fold(calibration.images.array, np.arange(len(evaluated.images)))
    subject = Subject(
        model.stem, "", imported, how, evaluated.images.array, usable_labels(evaluated, classes), ((fold,),)
    )
    with tempfile.TemporaryDirectory() as temporary:
        comparison = Comparison([subject], Store(state or Path(temporary)), scheduler)
        measure_all(comparison, methods, workers)
    found = rows(comparison, 0, methods)
    best = cheapest(found, max_loss)
    show(found, float_top1(comparison, 0), len(evaluated.images))
    if csv is not None:
        write_whole(csv, table.csv_text([(model.stem, found)]).encode())
    if json_file is not None:
        write_whole(json_file, json_text(found, best, max_loss).encode())
    if best is None:
        say_nothing_within(found, max_loss)
        raise typer.Exit(NOTHING_WITHIN)
    recommend(best, max_loss)
    tell_uncertainty(best, len(evaluated.images), max_loss)
    say_command(best, context)


def chosen_methods(recipes: str | None, weight_bits: str, activation_bits: int) -> list[Method]:
    """Every recipe at every number of bits, and at 8 bits ONNX Runtime's; WesnpuError names what does not exist."""
    bits = [int(text) if text.strip().isdecimal() else text for text in weight_bits.split(",")]
    strange = [text for text in bits if text not in WEIGHT_BITS]
    if strange:
        raise WesnpuError(f"--weight-bits is {weight_bits!r}: must be of {', '.join(map(str, WEIGHT_BITS))}")
    if activation_bits not in ACTIVATION_BITS:
        raise WesnpuError(f"--activation-bits is {activation_bits}: must be of {', '.join(map(str, ACTIVATION_BITS))}")
    own = [Method(recipe, int(width), activation_bits) for width in bits for recipe in named(recipes, int(width))]
    return own + [Method(name) for name in BASELINES if 8 in bits]


def named(recipes: str | None, weight_bits: int) -> Sequence[str]:
    """The recipes of the option; without it the usual ones for so many bits."""
    if recipes is not None:
        return [recipe.strip() for recipe in recipes.split(",")]
    return RECIPES if weight_bits == 8 else RECIPES + LOW_BITS


def tell_shared(calibration: Pictures, evaluated: Pictures) -> None:
    """Say how many evaluated images are calibration images as well: their figures flatter."""
    known = {image.tobytes() for image in calibration.images.array}
    count = sum(image.tobytes() in known for image in evaluated.images.array)
    if count:
        console.note(f"{count} of {len(evaluated.images)} images are calibration images too; figures on them flatter")


def usable_labels(pictures: Pictures, classes: int) -> np.ndarray:
    """The labels if every image has one that is a class of the network, else -1 for all, which is told."""
    labels = np.asarray(pictures.labels)
    good = (labels >= 0) & (labels < classes)
    if good.all():
        return labels
    console.note(f"{int((~good).sum())} of {len(labels)} images have no label of 0..{classes - 1}: no top-1 is shown")
    return np.full(len(labels), -1)


def measure_all(comparison: Comparison, methods: Sequence[Method], workers: int) -> None:
    """Find every result, with a progress bar."""
    units = [Unit(0, method, 0) for method in methods]
    with console.progress("methods", len(units)) as update:
        for done, _ in enumerate(comparison.run(units, workers), 1):
            update(done)


def show(found: Sequence[Row], top1: float | None, images: int) -> None:
    """Print the table, and why recipes were refused."""
    plain = [] if top1 is None else [("float", f"{top1:.2f}", *[""] * (len(table.COLUMNS) - 2))]
    lines = [table.cells(row)[: len(table.COLUMNS)] for row in found]
    console.table(f"{images} images, all but float and ort as integers", table.COLUMNS, [*plain, *lines])
    for row in found:
        if row.refused:
            console.note(f"{row.method} is refused: {row.refused}")


def say_nothing_within(found: Sequence[Row], max_loss: float) -> None:
    """Print that no method is recommended, and which loses least."""
    closest = nearest(found)
    least = "" if closest is None else f"; {closest.method} loses least, {loss(closest):.2f} pp"
    console.say(f"no method stays within {max_loss:g} pp of float{least}")


def recommend(best: Row, max_loss: float) -> None:
    """Print the recommendation and what it costs."""
    what = "agreement" if best.loss is None else "top-1"
    console.say(f"cheapest ({ORDER}) within {max_loss:g} pp of float: {best.method}")
    console.say(
        f"it loses {loss(best):.2f} pp of {what}, standard error {best.error:.2f}; {best.first.bytes:.2f} bytes per "
        f"channel besides weights, multiplier: {best.first.multiplier}; engine: {'yes' if best.first.engine else 'no'}"
    )


def tell_uncertainty(best: Row, images: int, max_loss: float) -> None:
    """Say so where the images are too few to tell a loss of `max_loss`: 95 % of the time the true loss lies within two
    standard errors, and below 3 in N where no image differs.
    """
    hidden = max(2 * best.error, 100 * 3 / images)
    if hidden > max_loss:
        console.note(f"{images} images tell a loss to within about {hidden:.1f} pp: more are needed for {max_loss:g}")


def say_command(best: Row, context: typer.Context) -> None:
    """Print the command that makes the recommended network, with the options that decide how pictures are read."""
    options = {"recipe": best.method.recipe, "weight-bits": best.method.weight_bits}
    options |= {"activation-bits": best.method.activation_bits}
    parts = [text for name, value in options.items() if value != 8 for text in (f"--{name}", str(value))]
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in REPEATED and source is not None and source.name == "COMMANDLINE":
            parts += [parameter.opts[0], str(context.params[parameter.name])]
    console.say(shlex.join(["wesnpu", "quantize", str(context.params["model"]), *parts, "-o", "NET"]))


def json_text(found: Sequence[Row], best: Row | None, max_loss: float) -> str:
    """The rows as objects with the CSV's names, and the recommended one's recipe and bits."""
    lines = [dict(zip(table.CSV_COLUMNS[1:], table.values(row), strict=True)) for row in found]
    chosen = None if best is None else {"recipe": best.method.recipe, "weight_bits": best.method.weight_bits}
    return json.dumps({"max_loss": max_loss, "recommended": chosen, "rows": lines}, indent=1) + "\n"

"""The float network that a command is given, and how pictures become its input."""

from pathlib import Path

from golden.errors import WesnpuError
from golden.preprocessing import LAYOUTS, Preprocessing
from quant.onnx_import import Imported, import_onnx
from wesnpu import options


def read_float_model(
    path: Path,
    shape: str | None,
    *,
    mean: str | None,
    std: str | None,
    value_range: float,
    channel_order: str | None,
    resize: int | None,
    layout: str | None,
) -> tuple[Imported, Preprocessing]:
    """The imported ONNX file and its preprocessing from the options of the command line (wesnpu.options).

    WesnpuError for a file that cannot be imported, and for options that do not fit its input.
    """
    imported = import_onnx(path, shape=options.sizes(shape))
    how = options.preprocessing(
        imported.graph.shapes[imported.graph.input], mean=mean, std=std, value_range=value_range,
        channel_order=channel_order, resize=resize, layout=input_layout(imported, layout),
    )
    return imported, how


def input_layout(imported: Imported, asked: str | None) -> str:
    """The layout of the model's input; WesnpuError when the user says another."""
    found = imported.report.layout if imported.report.layout in LAYOUTS else LAYOUTS[0]
    if asked is not None and asked != found:
        raise WesnpuError(f"--layout is {asked}: the input of {imported.report.source} is {found}")
    return found

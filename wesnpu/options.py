"""Options that several commands share, and how their texts become values."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.config import EngineConfig
from compiler.engines import ENGINES
from golden.errors import WesnpuError
from golden.preprocessing import Preprocessing

Model = Annotated[Path, typer.Argument(help="Float network, an ONNX file.", show_default=False)]
NetworkFile = Annotated[Path, typer.Argument(help="Quantized network (of `wesnpu quantize`).", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)]
IMAGES_HELP = "Folder of pictures, or FILE.npz[:ARRAY] (uint8 N,H,W[,C]; ARRAY is 'images' if not given)."
Images = Annotated[str, typer.Option(help=IMAGES_HELP, show_default=False)]
OptionalImages = Annotated[str | None, typer.Option(help=IMAGES_HELP)]
Limit = Annotated[int | None, typer.Option(min=1, help="Use only the first so many images.", show_default="all")]
LATENCY = 64  # cycles, of a memory as boards have it
Latency = Annotated[int, typer.Option(help="Cycles from a read's address to its data, and from a write to its answer.")]
Fuse = Annotated[
    bool, typer.Option("--fuse/--no-fuse", help="Chains of layers run tile by tile in turn, their tensors on chip.")
]
Shape = Annotated[str | None, typer.Option(help="Input shape for dynamic dimensions, e.g. 1x3x224x224.")]
Mean = Annotated[str | None, typer.Option(help="Subtracted: one number or one per channel, e.g. 0.485,0.456,0.406.")]
Std = Annotated[str | None, typer.Option(help="Divided by: one number or one per channel.")]
ValueRange = Annotated[float, typer.Option(help="Pixels are divided by it first: 1 keeps 0..255, 255 gives 0..1.")]
ChannelOrder = Annotated[str | None, typer.Option(help="RGB, BGR or L.", show_default="by the input's channels")]
Resize = Annotated[int | None, typer.Option(help="Resize the shorter side to this before the centre crop.")]
Config = Annotated[str, typer.Option(help=f"Engine: {', '.join(ENGINES)}.")]
Layout = Annotated[str | None, typer.Option(help="Input layout of the model: NCHW or NHWC.", show_default="as found")]

Workers = Annotated[int, typer.Option(min=1, help="Processes; the figures do not depend on it.")]
SCHEDULER_HELP = "Address of a dask.distributed scheduler, e.g. tcp://host:8786, that runs the integers instead."
Scheduler = Annotated[str | None, typer.Option(help=SCHEDULER_HELP)]


def engine_of(config: str) -> EngineConfig:
    """The engine that --config names; WesnpuError lists all otherwise."""
    if config not in ENGINES:
        raise WesnpuError(f"--config is {config!r}: must be one of {', '.join(ENGINES)}")
    return ENGINES[config]


def numbers(name: str, text: str) -> tuple[float, ...]:
    """'0.5,0.25' as (0.5, 0.25); WesnpuError naming the option otherwise."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise WesnpuError(f"--{name} is {text!r}: must be numbers separated by commas") from None


def sizes(text: str | None) -> tuple[int, ...] | None:
    """'1x3x224x224' as (1, 3, 224, 224), None for None; WesnpuError naming the option otherwise."""
    if text is None:
        return None
    parts = text.lower().replace(",", "x").split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise WesnpuError(f"--shape is {text!r}: must be positive integers such as 1x3x224x224")
    return tuple(int(part) for part in parts)


def preprocessing(
    shape: tuple[int, int, int],
    *,
    mean: str | None,
    std: str | None,
    value_range: float,
    channel_order: str | None,
    resize: int | None,
    layout: str,
) -> Preprocessing:
    """The preprocessing of a network whose input is `shape` (C, H, W); WesnpuError where the options do not fit it."""
    channels, height, width = shape
    order = channel_order or {1: "L", 3: "RGB"}.get(channels)
    if order is None:
        raise WesnpuError(f"the network's input has {channels} channels: pictures have 1 or 3")
    how = Preprocessing(
        height,
        width,
        channel_order=order,
        resize=resize,
        value_range=value_range,
        layout=layout,
        **({} if mean is None else {"mean": numbers("mean", mean)}),
        **({} if std is None else {"std": numbers("std", std)}),
    )
    if how.channels != channels:
        raise WesnpuError(f"--channel-order is {order}: the network's input has {channels} channels")
    return how

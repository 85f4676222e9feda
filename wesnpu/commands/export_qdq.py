"""``wesnpu export-qdq``: a quantized network as ordinary ONNX, and how far another runtime is from it."""

from typing import Annotated, cast, get_args

import typer

from golden.errors import WesnpuError
from golden.file import load_network
from golden.files import check_output, write_whole
from quant.evaluation.evaluate import input_codes
from quant.qdq.compare import QdqComparison, compare_qdq
from quant.qdq.export import ActivationType, export_qdq
from wesnpu import console, options
from wesnpu.commands.evaluate import preprocessing_of
from wesnpu.image_files import read_pictures

Activations = Annotated[str, typer.Option(help="uint8 (codes + 128, integer kernels on x86) or int8.")]
Compare = Annotated[str | None, typer.Option(help="Images to compare onnxruntime with golden on, layer by layer.")]
LIMIT = 8


def export(
    network: options.NetworkFile,
    output: options.Output,
    activations: Activations = "uint8",
    compare: Compare = None,
    limit: options.Limit = LIMIT,
) -> None:
    """Write a quantized network as QuantizeLinear/DequantizeLinear ONNX; with --compare tell onnxruntime's distance."""
    if activations not in get_args(ActivationType):
        raise WesnpuError(f"--activations is {activations!r}: must be one of {', '.join(get_args(ActivationType))}")
    check_output(output, network)
    kind = cast(ActivationType, activations)
    quantized = load_network(network)
    model = export_qdq(quantized, activations=kind).SerializeToString(deterministic=True)
    comparison = None
    if compare is not None:
        pictures = read_pictures(compare, preprocessing_of(quantized, network), limit=limit)
        codes = input_codes(quantized, next(iter(pictures.images.batches(len(pictures.images)))))
        comparison = compare_qdq(quantized, codes, activations=kind)
    write_whole(output, model)
    console.say(f"{output}: {len(quantized.layers)} layers, {activations} activations, {len(model) / 1024:,.0f} KiB")
    if comparison is not None:
        show(comparison)


def show(comparison: QdqComparison) -> None:
    """Print how many outputs differ at which layer, by how much, and which kernels ran."""
    rows = [
        (layer.layer, f"{layer.compared:,}", f"{layer.differing:,}", f"{100 * layer.share:.3f} %", str(layer.largest))
        for layer in comparison.layers
    ]
    console.table("onnxruntime on equal inputs", ("layer", "outputs", "differ", "share", "largest"), rows)
    console.say(f"{100 * comparison.share:.3f} % of outputs differ, by at most {comparison.largest}")
    console.say("kernels of the whole model: " + ", ".join(f"{n} {kind}" for kind, n in comparison.kernels.items()))

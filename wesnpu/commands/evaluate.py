"""``wesnpu eval``: a quantized network on images, in exact integers, beside the float network it came from."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from golden.errors import WesnpuError
from golden.file import load_network
from golden.network import Network
from golden.preprocessing import Preprocessing
from quant.evaluation.evaluate import float_scores, scores
from quant.float_graph.graph import Graph
from quant.onnx_import import import_onnx
from wesnpu import console, options
from wesnpu.image_files import Pictures, read_pictures

FloatModel = Annotated[Path | None, typer.Option("--float", help="Float network to compare with, an ONNX file.")]


def evaluate(
    network: options.NetworkFile,
    images: options.Images,
    float_model: FloatModel = None,
    limit: options.Limit = None,
    workers: options.Workers = 1,
    scheduler: options.Scheduler = None,
) -> None:
    """Run a quantized network on images, in exact integers: top-1, and agreement with the float network."""
    quantized = load_network(network)
    how = preprocessing_of(quantized, network)
    graph = float_graph(quantized, float_model) if float_model is not None else None
    pictures = known_labels(quantized, read_pictures(images, how, limit=limit, classes=quantized.labels))
    with console.progress("integers", len(pictures.images)) as update:
        codes = scores(quantized, pictures.images, workers=workers, scheduler=scheduler, progress=update)
    reference = None if graph is None else float_scores(graph, pictures.images).argmax(axis=1)
    show(quantized, pictures, codes.argmax(axis=1), reference)


def known_labels(network: Network, pictures: Pictures) -> Pictures:
    """The pictures; labels that are no class of the network are told and taken as missing."""
    classes = math.prod(network.tensors[network.outputs[0]].shape)
    strange = [int(label) for label in pictures.labels if label >= classes]
    if not strange:
        return pictures
    console.note(f"{len(strange)} labels are not in 0..{classes - 1} and count as missing, the first is {strange[0]}")
    return replace(pictures, labels=np.where(pictures.labels < classes, pictures.labels, -1))


def preprocessing_of(network: Network, path: Path) -> Preprocessing:
    """How pictures become the network's input; WesnpuError where the file does not say."""
    if network.preprocessing is None:
        raise WesnpuError(f"{path}: the network holds no preprocessing, so pictures have no meaning for it")
    return network.preprocessing


def float_graph(network: Network, path: Path) -> Graph:
    """The float network; told when the quantized one was made from another file, WesnpuError for another input."""
    graph = import_onnx(path, preprocessing=network.preprocessing).graph
    shape = network.tensors[network.input].shape
    if graph.shapes[graph.input] != shape:
        raise WesnpuError(f"{path}: the input is {graph.shapes[graph.input]}: must be {shape}, as the quantized one")
    made_from = network.provenance.get("source_sha256")
    if made_from not in (None, hashlib.sha256(path.read_bytes()).hexdigest()):
        source = network.provenance.get("source")
        console.note(f"{path}: is not the file {source} that the network was made from: agreement is with another one")
    return graph


def show(network: Network, pictures: Pictures, found: np.ndarray, reference: np.ndarray | None) -> None:
    """Print the counts and their percentages; classes found and those of float are integers (N,)."""
    count, labelled = len(found), int(pictures.labelled.sum())
    console.say(f"{network.name} ({network.provenance.get('recipe', 'unknown recipe')}): {count} images")
    if labelled:
        console.say(f"top-1 {share(found == pictures.labels, labelled)}")
    if labelled and reference is not None:
        console.say(f"top-1 of float {share(reference == pictures.labels, labelled)}")
    if labelled < count:
        console.note(f"{count - labelled} images have no label")
    if reference is not None:
        console.say(f"agrees with float {share(found == reference, count)}")


def share(right: np.ndarray, whole: int) -> str:
    """'92.50 % (185 of 200)'."""
    return f"{100 * right.sum() / whole:.2f} % ({right.sum()} of {whole})"

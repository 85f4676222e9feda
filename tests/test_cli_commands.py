"""import, quantize, eval and inspect on a small network: what they print is what is so."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from golden.file import load_network
from golden.run import run as run_golden
from quant.recipe import RECIPES
from tests.cli import SIZE, float_model, pictures, run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return float_model(tmp_path / "tiny.onnx")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return pictures(tmp_path / "images")


@pytest.fixture
def network(tmp_path: Path, model: Path, images: Path) -> Path:
    path = tmp_path / "tiny.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    return path


def test_import_tells_layers_and_their_work(model: Path) -> None:
    shown = run("import", model)
    assert shown.exit_code == 0
    assert "1 Conv, 1 Relu, 1 GlobalAveragePool" in shown.output
    assert re.search(r"first +dense +3x3 +1x1 +1x8x8 +4x8x8 +0\.\. +2,304 +36\b", shown.output)


def test_import_of_a_refused_network_lists_every_foreign_operator(tmp_path: Path) -> None:
    shown = run("import", float_model(tmp_path / "sine.onnx", operator="Sin"))
    assert shown.exit_code == 2 and "Sin 'second'" in shown.stderr and len(shown.stderr.splitlines()) == 1
    assert "1 Conv, 1 Sin, 1 GlobalAveragePool" in shown.stdout
    assert "unsupported unless they fold to constants: 1 Sin\n" in shown.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_quantize_writes_a_network_of_every_recipe(recipe: str, tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "--recipe", recipe, "-o", path).exit_code == 0
    network = load_network(path)
    assert network.name == "tiny" and network.provenance["recipe"] == recipe
    assert network.provenance["calibration_images"] == 6


def test_quantize_twice_gives_the_same_bytes(tmp_path: Path, network: Path, model: Path, images: Path) -> None:
    again = tmp_path / "again.npz"
    run("quantize", model, "--calib", images, "-o", again)
    assert again.read_bytes() == network.read_bytes()


def test_preprocessing_options_are_kept_in_the_file(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    options = ["--mean", "0.5", "--std", "0.25", "--value-range", 255, "--resize", 9, "--channel-order", "L"]
    assert run("quantize", model, "--calib", images, *options, "-o", path).exit_code == 0
    how = load_network(path).preprocessing
    assert how is not None
    assert (how.mean, how.std, how.value_range, how.resize) == ((0.5,), (0.25,), 255.0, 9)


def test_class_names_are_kept_in_the_file(tmp_path: Path, model: Path, images: Path) -> None:
    path, names = tmp_path / "net.npz", tmp_path / "names.txt"
    names.write_text("ant\nbee\ncat\ndog\n")
    assert run("quantize", model, "--calib", images, "--labels", names, "-o", path).exit_code == 0
    assert load_network(path).labels == ("ant", "bee", "cat", "dog")


def test_eval_counts_what_golden_computes(network: Path, model: Path, images: Path) -> None:
    shown = run("eval", network, "--images", images, "--float", model)
    assert shown.exit_code == 0 and "6 images" in shown.output
    codes = np.stack([np.asarray(Image.open(path), np.int16)[None] for path in sorted(images.iterdir())]) - 128
    labels = np.array([int(path.name[0]) for path in sorted(images.iterdir())])
    quantized = load_network(network)
    found = run_golden(quantized, codes.astype(np.int8)).outputs[quantized.outputs[0]][:, :, 0, 0].argmax(axis=1)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    of_float = np.array([session.run(None, {"image": (c / np.float32(128))[None]})[0].argmax() for c in codes])
    counts = [int(n) for n in re.findall(r"\((\d+) of 6\)", shown.output)]
    assert counts == [(found == labels).sum(), (of_float == labels).sum(), (found == of_float).sum()]


def test_eval_tells_of_a_float_network_that_is_not_the_source(
    tmp_path: Path, network: Path, model: Path, images: Path
) -> None:
    other = float_model(tmp_path / "other.onnx", weight=np.ones((4, 1, 3, 3)))
    same, told = (run("eval", network, "--images", images, "--float", path) for path in (model, other))
    assert same.exit_code == told.exit_code == 0 and same.stderr == ""
    line = f"{other}: is not the file tiny.onnx that the network was made from: agreement is with another one\n"
    assert " ".join(told.stderr.split()) == " ".join(line.split())


def test_eval_of_one_array_of_an_archive(tmp_path: Path, network: Path) -> None:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (5, SIZE, SIZE, 1), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels[:2], labels=np.array([0, 1]), others=pixels)
    assert "2 images" in run("eval", network, "--images", tmp_path / "set.npz").output
    shown = run("eval", network, "--images", f"{tmp_path / 'set.npz'}:others")
    assert "5 images" in shown.output and "5 images have no label" in shown.stderr


def test_limit_takes_the_first_images(network: Path, images: Path) -> None:
    assert "4 images" in run("eval", network, "--images", images, "--limit", 4).output


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_export_qdq_runs_in_onnxruntime(activations: str, tmp_path: Path, network: Path, images: Path) -> None:
    path = tmp_path / "qdq.onnx"
    shown = run("export-qdq", network, "-o", path, "--activations", activations, "--compare", images)
    assert shown.exit_code == 0
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"image_": np.zeros((1, 1, SIZE, SIZE), np.float32)})[0].shape == (1, 4, 1, 1)
    differing = [int(n) for n in re.findall(r"^\S+ +[\d,]+ +(\d+) +[\d.]+ % +[01]$", shown.output, re.MULTILINE)]
    assert len(differing) == len(load_network(network).layers)


def test_inspect_shows_every_layer(network: Path, model: Path, images: Path) -> None:
    shown = run("inspect", network, "--float", model, "--images", images)
    assert shown.exit_code == 0 and "SQNR dB" in shown.output
    for layer in load_network(network).layers:
        line = next(line for line in shown.output.splitlines() if line.startswith(layer.name))
        assert f" {layer.requantizer.multiplier} " in line  # type: ignore[attr-defined]
        counts = [int(count) for count in re.findall(r"\d+:(\d+)", line)]
        assert sum(counts) == layer.channels


def test_inspect_without_images_shows_no_sqnr(network: Path) -> None:
    shown = run("inspect", network)
    assert shown.exit_code == 0 and "SQNR" not in shown.output

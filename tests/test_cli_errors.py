"""Bad input ends with one line, exit code 2, no traceback, and nothing written."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.cli import SIZE, float_model, pictures, run, run_limited


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return float_model(tmp_path / "tiny.onnx")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return pictures(tmp_path / "images")


def refused(*arguments: object, naming: Sequence[str]) -> None:
    """The command ends with code 2 and one line on standard error that holds every text of `naming`."""
    done = run(*arguments)
    assert done.exit_code == 2 and not done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert all(text in lines[0] for text in naming), lines[0]


def quantize_refused(tmp_path: Path, *arguments: object, naming: Sequence[str]) -> None:
    """`quantize` is refused, and leaves its folder empty."""
    out = tmp_path / "out"
    out.mkdir()
    refused("quantize", *arguments, "-o", out / "net.npz", naming=naming)
    assert not list(out.iterdir())


@pytest.mark.parametrize("command", ["import", "quantize"])
@pytest.mark.parametrize("content", [None, b"", b"this is no network\n", b"\x08\x08" * 40])
def test_not_onnx(command: str, content: bytes | None, tmp_path: Path, images: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    rest = ["--calib", images, "-o", tmp_path / "net.npz"] if command == "quantize" else []
    refused(command, path, *rest, naming=["bad.onnx"])
    assert not (tmp_path / "net.npz").exists()


def test_truncated_onnx(tmp_path: Path, model: Path, images: Path) -> None:
    model.write_bytes(model.read_bytes()[:-30])
    quantize_refused(tmp_path, model, "--calib", images, naming=["tiny.onnx"])


def test_unknown_operator(tmp_path: Path, images: Path) -> None:
    model = float_model(tmp_path / "sine.onnx", operator="Sin")
    quantize_refused(tmp_path, model, "--calib", images, naming=["sine.onnx", "second", "Sin"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path, images: Path) -> None:
    weight = np.ones((4, 1, 3, 3))
    weight[2, 0, 1, 1] = value
    model = float_model(tmp_path / "nan.onnx", weight=weight)
    quantize_refused(tmp_path, model, "--calib", images, naming=["nan.onnx"])


def test_images_smaller_than_the_input(tmp_path: Path, model: Path) -> None:
    small = pictures(tmp_path / "small", size=SIZE - 1)
    quantize_refused(tmp_path, model, "--calib", small, naming=["0_0.png", "7x7", "8x8"])


def test_empty_folder(tmp_path: Path, model: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    quantize_refused(tmp_path, model, "--calib", empty, naming=["empty"])


def test_no_such_folder(tmp_path: Path, model: Path) -> None:
    quantize_refused(tmp_path, model, "--calib", tmp_path / "nowhere", naming=["nowhere"])


def test_no_readable_image(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"no picture")
    quantize_refused(tmp_path, model, "--calib", folder, naming=["0.png", "1 images"])


def test_an_unreadable_image_is_named_and_counted(tmp_path: Path, model: Path, images: Path) -> None:
    broken = images / "2_2.png"
    broken.write_bytes(broken.read_bytes()[:40])
    network = tmp_path / "net.npz"
    for command in (["quantize", model, "--calib", images, "-o", network], ["eval", network, "--images", images]):
        done = run(*command)
        assert done.exit_code == 0
        assert "unreadable: 2_2.png" in done.stderr
        assert "1 of 6 images are unreadable and were left out" in done.stderr
    assert "5 images" in done.stdout


def test_a_broken_link_and_a_file_of_another_kind_are_told(tmp_path: Path, model: Path, images: Path) -> None:
    (images / "3_3.png").unlink()
    (images / "3_3.png").symlink_to(tmp_path / "nowhere.png")
    (images / "4.heic").write_bytes(b"")
    done = run("quantize", model, "--calib", images, "-o", tmp_path / "net.npz")
    assert done.exit_code == 0
    assert "unreadable: 3_3.png" in done.stderr and "1 of 6 images are unreadable" in done.stderr
    assert "left out: 1, the first 4.heic" in done.stderr


def test_labels_that_are_no_class_are_told(tmp_path: Path, model: Path, images: Path) -> None:
    network = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", network).exit_code == 0
    (images / "1_1.png").rename(images / "4_1.png")
    (images / "2_2.png").rename(images / "99999999999999999999_2.png")
    done = run("eval", network, "--images", images)
    assert done.exit_code == 0
    assert "2 labels are not in 0..3 and count as missing, the first is 4" in done.stderr
    assert "2 images have no label" in done.stderr and "of 4)" in done.stdout


def test_weights_too_large_for_any_scale(tmp_path: Path, images: Path) -> None:
    model = float_model(tmp_path / "huge.onnx", weight=np.full((4, 1, 3, 3), 3e38))
    done = run("quantize", model, "--calib", images, "-o", tmp_path / "net.npz")
    assert done.exit_code == 2 and done.stderr.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "net.npz").exists()


@pytest.mark.parametrize(
    ("arrays", "naming"),
    [
        ({"pixels": np.zeros((2, SIZE, SIZE), np.uint8)}, ["images"]),
        ({"images": np.zeros((2, SIZE, SIZE), np.float32)}, ["float32"]),
        ({"images": np.zeros((0, SIZE, SIZE), np.uint8)}, ["(0, 8, 8)"]),
        ({"images": np.zeros((2, SIZE, SIZE), np.uint8), "labels": np.zeros(3, int)}, ["labels"]),
    ],
    ids=["no array", "floats", "empty", "labels"],
)
def test_archives_that_do_not_fit(
    arrays: dict[str, np.ndarray], naming: list[str], tmp_path: Path, model: Path
) -> None:
    np.savez(tmp_path / "set.npz", **arrays)  # type: ignore[arg-type]
    quantize_refused(tmp_path, model, "--calib", tmp_path / "set.npz", naming=["set.npz", *naming])


@pytest.mark.parametrize("content", [b"", b"PK no archive"])
@pytest.mark.parametrize("array", ["", ":images"])
def test_a_file_that_is_no_archive(content: bytes, array: str, tmp_path: Path, model: Path) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    quantize_refused(tmp_path, model, "--calib", f"{tmp_path / 'set.npz'}{array}", naming=["set.npz"])


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("array", ["images", "other"])
def test_arrays_of_other_channels(channels: int, array: str, tmp_path: Path, model: Path) -> None:
    np.savez(tmp_path / "set.npz", **{array: np.zeros((2, SIZE, SIZE, channels), np.uint8)})  # type: ignore[arg-type]
    naming = ["set.npz", array, f"(2, 8, 8, {channels})"]
    quantize_refused(tmp_path, model, "--calib", f"{tmp_path / 'set.npz'}:{array}", naming=naming)


@pytest.mark.parametrize("array", ["", ":images", ":other"])
@pytest.mark.parametrize("damage", ["truncated", "one array"])
def test_archives_that_are_damaged(damage: str, array: str, tmp_path: Path, model: Path) -> None:
    path = tmp_path / "set.npz"
    zeros = np.zeros((2, SIZE, SIZE), np.uint8)
    np.savez(path, images=zeros, other=zeros)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        with path.open("wb") as file:
            np.save(file, zeros)
    quantize_refused(tmp_path, model, "--calib", f"{path}{array}", naming=["set.npz"])


def test_an_array_that_is_not_there(tmp_path: Path, model: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.zeros((2, SIZE, SIZE), np.uint8))
    quantize_refused(tmp_path, model, "--calib", f"{tmp_path / 'set.npz'}:others", naming=["others", "it has images"])


@pytest.mark.parametrize(
    ("option", "value", "naming"),
    [
        ("--recipe", "best", ["best", "wes"]),
        ("--observer", "eyes", ["eyes", "minmax"]),
        ("--guard-bits", 99, ["99"]),
        ("--weight-bits", 5, ["5"]),
        ("--shape", "1x0x8x8", ["--shape", "1x0x8x8"]),
        ("--shape", "1x1x9x9", ["1x1x9x9"]),
        ("--mean", "a,b", ["--mean", "a,b"]),
        ("--mean", "1,2", ["mean"]),
        ("--std", "0", ["std"]),
        ("--std", "1e-300", ["image", "infinite"]),
        ("--value-range", 0, ["value_range"]),
        ("--channel-order", "RGB", ["--channel-order", "1 channels"]),
        ("--layout", "NHWC", ["--layout", "NCHW"]),
        ("--labels", "nowhere.txt", ["nowhere.txt"]),
        ("--labels", __file__, ["class names", "4 classes"]),
    ],
)
def test_options_out_of_range(
    option: str, value: object, naming: list[str], tmp_path: Path, model: Path, images: Path
) -> None:
    quantize_refused(tmp_path, model, "--calib", images, option, value, naming=naming)


def test_output_where_nothing_can_be_written(tmp_path: Path, model: Path, images: Path) -> None:
    for folder in ("/proc/self", str(model)):
        refused("quantize", model, "--calib", images, "-o", f"{folder}/net.npz", naming=[f"{folder}/net.npz"])


def test_output_that_is_the_input_is_left_alone(tmp_path: Path, model: Path, images: Path) -> None:
    before = model.read_bytes()
    refused("quantize", model, "--calib", images, "-o", model, naming=["tiny.onnx", "input itself"])
    assert model.read_bytes() == before
    network = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", network).exit_code == 0
    refused("export-qdq", network, "-o", tmp_path / "." / "net.npz", naming=["net.npz", "input itself"])


def test_output_that_is_no_file_is_left_alone(tmp_path: Path, model: Path, images: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        refused("quantize", model, "--calib", images, "-o", path, naming=[str(path)])
    assert pipe.is_fifo()


def test_folders_of_the_output_are_made(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "new" / "folder" / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0 and path.is_file()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, model: Path, images: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "net.npz").write_text("what was there")
    done = run_limited("quantize", model, "--calib", images, "-o", out / "net.npz", file_bytes=1000)
    assert done.returncode == 2
    assert "net.npz" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert [path.name for path in out.iterdir()] == ["net.npz"]
    assert (out / "net.npz").read_text() == "what was there"


@pytest.mark.parametrize("command", ["eval", "inspect"])
@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_not_a_quantized_network(command: str, content: bytes | None, tmp_path: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    if content is not None:
        path.write_bytes(content)
    refused(command, path, *(["--images", images] if command == "eval" else []), naming=["net.npz"])


def test_a_changed_network(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused("eval", path, "--images", images, naming=["net.npz"])


def test_a_float_network_of_another_size(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    other = Path(__file__).parent.parent / "models" / "fashion_mobilenet_v1.onnx"
    refused("eval", path, "--images", images, "--float", other, naming=["fashion_mobilenet_v1.onnx"])


def test_sqnr_needs_both_float_and_images(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    refused("inspect", path, "--float", model, naming=["--float", "--images"])


def test_unknown_activations_of_the_export(tmp_path: Path, model: Path, images: Path) -> None:
    path = tmp_path / "net.npz"
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    refused("export-qdq", path, "-o", tmp_path / "q.onnx", "--activations", "int4", naming=["int4", "uint8, int8"])
    assert not (tmp_path / "q.onnx").exists()


def test_missing_arguments_are_named() -> None:
    done = run("quantize")
    assert done.exit_code == 2 and "model" in done.stderr.lower()

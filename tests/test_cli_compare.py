"""compare: its rows are those of quantize and eval, its recommendation is the cheapest row within the loss."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli import float_model, pictures, run

FASHION, DATA = "models/fashion_mobilenet_v1.onnx", "models/fashion_mnist.npz"
CALIB = f"{DATA}:calibration"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return float_model(tmp_path / "tiny.onnx")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return pictures(tmp_path / "images")


def test_a_row_has_the_figures_of_quantize_and_eval(tmp_path: Path) -> None:
    table, net = tmp_path / "table.csv", tmp_path / "net.npz"
    where = ["--images", DATA, "--limit", 200]
    shown = run("compare", FASHION, "--calib", CALIB, *where, "--recipes", "layerwise,wes+sum", "--csv", table)
    assert shown.exit_code == 0, shown.stderr
    assert run("quantize", FASHION, "--calib", CALIB, "--recipe", "wes+sum", "-o", net).exit_code == 0
    alone = run("eval", net, *where, "--float", FASHION).output
    top1, plain, agreement = (float(found) for found in re.findall(r"([\d.]+) % \(", alone))
    rows = {row["recipe"]: row for row in csv.DictReader(table.read_text().splitlines())}
    assert set(rows) == {"layerwise", "wes+sum", "ort-tensor", "ort-channel"}
    mine = rows["wes+sum"]
    assert (float(mine["top1_median"]), float(mine["agreement_median"])) == (top1, agreement)
    assert float(mine["below_float_median"]) == pytest.approx(plain - top1)
    assert re.search(rf"^wes\+sum W8A8 +{top1:.2f} ", shown.output, re.MULTILINE)
    assert re.search(rf"^float +{plain:.2f}", shown.output, re.MULTILINE)


def test_the_recommendation_is_the_cheapest_within_the_loss(tmp_path: Path) -> None:
    path, kept = tmp_path / "rows.json", tmp_path / "kept"
    arguments = ["compare", FASHION, "--calib", CALIB, "--images", DATA, "--limit", 100, "--weight-bits", "8,4"]
    arguments += ["--recipes", "layerwise,wes,wes+sum+bc,channelwise", "--state", kept, "--json", path]
    for largest in ("0.5", "3", "50"):
        assert run(*arguments, "--max-loss", largest).exit_code == 0
        found = json.loads(path.read_text())
        rows = [row for row in found["rows"] if row["below_float_median"] <= float(largest)]
        rows = [row for row in rows if not row["recipe"].startswith("ort")]
        best = min(rows, key=lambda row: (row["weight_bits"], row["bytes_per_channel"]))
        chosen = found["recommended"]
        same = next(row for row in rows if chosen.items() <= row.items())
        assert all(same[name] == best[name] for name in ("weight_bits", "bytes_per_channel"))
    assert len(list(kept.rglob("*.npz"))) == 19  # eight rows and their scores, two baselines, float: found once


def test_the_recommended_command_makes_the_network_of_the_row(tmp_path: Path) -> None:
    net, where = tmp_path / "net.npz", ["--images", DATA, "--limit", 50, "--recipes", "wes"]
    how = ["--mean", "120", "--layout", "NCHW", "--weight-bits", 6, "--activation-bits", 6, "--max-loss", 5]
    shown = run("compare", FASHION, "--calib", CALIB, *where, *how)
    assert "50 images tell a loss to within about" in shown.stderr
    command = shlex.split(shown.output.splitlines()[-1])
    assert command[:2] == ["wesnpu", "quantize"] and command[-1] == "NET"
    assert run(*command[1:-1], net).exit_code == 0
    agreement = re.search(r"agrees with float ([\d.]+) %", run("eval", net, *where[:4], "--float", FASHION).output)
    row = re.search(r"^wes W6A6 +(?:\S+ +){2}(\S+)", shown.output, re.MULTILINE)
    assert agreement and row and float(agreement[1]) == float(row[1])


def test_without_labels_agreement_decides(model: Path, images: Path) -> None:
    for path in list(images.iterdir()):
        path.rename(images / f"picture{path.name}")
    where = ["--calib", images, "--images", images]
    shown = run("compare", model, *where, "--recipes", "wes,layerwise", "--max-loss", 100)
    assert shown.exit_code == 0 and "of agreement" in shown.output and not re.search(r"^float", shown.output, re.M)
    assert "6 of 6 images have no label" in shown.stderr
    assert "6 of 6 images are calibration images too" in shown.stderr


def test_nothing_within_the_loss_is_said_with_exit_code_1(images: Path, tmp_path: Path) -> None:
    shown = run(
        "compare", FASHION, "--calib", CALIB, "--images", DATA, "--limit", 60, "--recipes", "layerwise",
        "--weight-bits", 2, "--activation-bits", 4, "--max-loss", 1,
    )
    assert shown.exit_code == 1 and "no method stays within 1 pp" in shown.output
    assert "layerwise W2A4 loses least" in shown.output


def test_the_usual_recipes_all_run(model: Path, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    shown = run("compare", model, "--calib", images, "--images", images, "--weight-bits", "8,4", "--csv", path)
    assert shown.exit_code in (0, 1), shown.stderr
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert not [row["refused"] for row in rows if row["refused"]]
    assert {"auto", "channelwise+ecr-steps+bc"} <= {row["recipe"] for row in rows if row["weight_bits"] == "4"}


@pytest.mark.parametrize(
    ("option", "naming"),
    [
        (["--weight-bits", "7"], ["--weight-bits", "7"]),
        (["--activation-bits", "5"], ["--activation-bits", "5"]),
        (["--weight-bits", "x,8"], ["--weight-bits", "x"]),
        (["--recipes", "wes,nonsense"], ["nonsense"]),
        (["--images", "/nowhere"], ["/nowhere"]),
        (["--scheduler", "nonsense"], ["scheduler"]),
        (["--csv", "."], ["cannot be written"]),
    ],
)
def test_what_cannot_be_done_is_one_line(option: list[str], naming: list[str], model: Path, images: Path) -> None:
    shown = run("compare", model, "--calib", images, "--images", images, "--recipes", "wes", *option)
    assert shown.exit_code == 2 and not shown.stdout
    errors = [line for line in shown.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and all(text in errors[0] for text in naming), shown.stderr

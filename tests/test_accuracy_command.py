"""``make accuracy`` on few rows and images: it writes what it says, goes on where it was, and judges the statements."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import fashion_mnist
from quant.accuracy import plan
from quant.evaluation import efficientnet, fashion
from wesnpu import accuracy, accuracy_networks


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows in all, and 60 images that stand for the data set."""
    data = fashion.data()

    def load(part: str) -> tuple[np.ndarray, np.ndarray]:
        return (data.images[:60], data.labels[:60]) if part == "t10k" else (data.calibration, data.labels[:256])

    monkeypatch.setattr(fashion_mnist, "load", load)
    monkeypatch.setattr(accuracy_networks, "STRENGTHS", (12,))
    rows = {plan.FASHION: "wes", plan.STRESS: "layerwise auto", plan.IMAGENET: "wes"}
    monkeypatch.setattr(plan, "ROWS", {kind: {(8, 8): recipes} for kind, recipes in rows.items()})
    monkeypatch.setattr(plan, "BASELINES", dict.fromkeys(rows, ()))


def run(tmp_path: Path, *arguments: str) -> int:
    fixed = ["--processes", "1", "--state", str(tmp_path / "state"), "--out", str(tmp_path / "out"), "--draws", "1"]
    return accuracy.main([*fixed, "--networks", "fashion", "stress", *arguments])


def test_it_writes_tables_plots_and_verdicts(few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--write-only") == 2 and "keeps no result" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(tmp_path) == 0
    told = capsys.readouterr().err
    assert "0 of 6 results are kept, 6 are to be found" in told and "stress k = 12 layerwise W8A8 draw 1" in told
    out = tmp_path / "out"
    rows = list(csv.DictReader((out / "accuracy.csv").read_text().splitlines()))
    assert [(row["network"], row["recipe"]) for row in rows] == [
        ("fashion_mobilenet_v1", "wes"), ("fashion_mobilenet_v2", "wes"),
        ("stress k = 12", "layerwise"), ("stress k = 12", "auto"),
        ("silent outliers k = 6", "layerwise"), ("silent outliers k = 6", "auto"),
    ]
    text = (out / "accuracy.md").read_text()
    assert "| stress k = 12: `auto` within 0.5 pp of float where layer-wise is at chance |" in text
    assert float(rows[2]["top1_median"]) <= 25 and float(rows[3]["agreement_median"]) > 90
    names = {path.name for path in out.iterdir()}
    assert {"accuracy_bits.svg", "accuracy_stress.svg", "accuracy_layers.csv"} <= names
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(tmp_path) == 0 and "6 of 6 results are kept" in capsys.readouterr().err
    assert run(tmp_path, "--write-only") == 0
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_interrupted_it_says_so_and_keeps_what_it_found(few: None, tmp_path: Path, monkeypatch, capsys) -> None:
    real, done = accuracy.Comparison.find, []

    def find(self, unit):
        if done:
            raise KeyboardInterrupt
        done.append(unit)
        return real(self, unit)

    monkeypatch.setattr(accuracy.Comparison, "find", find)
    assert run(tmp_path) == 130 and "goes on" in capsys.readouterr().err
    monkeypatch.setattr(accuracy.Comparison, "find", real)
    assert run(tmp_path) == 0 and "1 of 6 results are kept" in capsys.readouterr().err


def test_efficientnet_is_left_out_without_images_and_named_when_it_cannot_be_had(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WESNPU_IMAGENET", raising=False)
    assert accuracy_networks.subjects(["efficientnet"], None) == []
    assert "IMAGES=DIR" in capsys.readouterr().err
    monkeypatch.setattr(efficientnet, "MODEL", tmp_path / "none.onnx")
    assert accuracy.main(["--networks", "efficientnet", "--images", str(tmp_path)]) == 2
    assert "make models" in capsys.readouterr().err
    assert accuracy.main(["--networks", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_too_few_crops_and_no_process_are_refused(tmp_path, monkeypatch, capsys) -> None:
    for label in range(3):
        Image.fromarray(np.zeros((224, 224, 3), np.uint8)).save(tmp_path / f"{label}_some.png")
    monkeypatch.setattr(efficientnet, "MODEL", fashion.MODELS / f"{fashion.NETWORKS[0]}.onnx")
    assert accuracy.main(["--networks", "efficientnet", "--images", str(tmp_path)]) == 2
    assert "holds 3 crops: at least 128 are needed" in capsys.readouterr().err
    for strange in ("0", "-1", "two"):
        with pytest.raises(SystemExit):
            accuracy.main(["--processes", strange])
        assert f"{strange!r} is no whole number of at least 1" in capsys.readouterr().err


def test_crops_need_labels(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((224, 224, 3), np.uint8)).save(tmp_path / "7_some.png")
    crops = efficientnet.read_crops(tmp_path)
    assert crops.images.shape == (1, 3, 224, 224) and list(crops.labels) == [7]
    Image.fromarray(np.zeros((224, 224, 3), np.uint8)).save(tmp_path / "unnamed.png")
    with pytest.raises(Exception, match="unnamed.png has no label"):
        efficientnet.read_crops(tmp_path)


def test_the_whole_is_written_to_docs_and_a_part_to_the_build_folder() -> None:
    class Kind:
        def __init__(self, kind: str) -> None:
            self.kind = kind

    assert accuracy.folder([Kind(kind) for kind in plan.ROWS]) == accuracy.DOCS  # type: ignore[misc]
    assert accuracy.folder([Kind(plan.FASHION)]) == accuracy.STATE  # type: ignore[list-item]


@pytest.mark.parametrize("module", ["wesnpu.accuracy", "wesnpu.__main__", "wesnpu.demo"])
def test_commands_take_one_thread_before_numpy_is_imported(module: str) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    code = (
        "import os, importlib.abc, sys\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'numpy': print([os.environ.get(v) for v in {names}])\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"import {module}\n"
    )
    found = subprocess.run([sys.executable, "-B", "-c", code], env=environment, capture_output=True, text=True)
    assert found.stdout == "['1', '1']\n", found.stderr

"""The demo without its simulation: what it hands to the report, and how it ends. The simulation has its own tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.traffic import Traffic
from golden.network import Network
from golden.run import run
from quant.images.batches import Images
from wesnpu import demo, report, report_data

COUNT = 40


@dataclass(frozen=True)
class Layer:
    """Cycles of one layer, as the simulation counts them."""

    name: str
    cycles: int
    macs: int
    causes: dict[str, int]
    traffic: Traffic = Traffic(1000, 500)


@dataclass(frozen=True)
class Result:
    """What the simulation returns."""

    tensors_compared: int
    values_compared: int
    mismatches: list[str]
    layers: list[Layer]
    cycles_per_image: list[int]
    simulated_cycles_per_second: float


def simulated(network: Network, codes: np.ndarray, mismatches: list[str]) -> Result:
    """Counts of a run that took 1,000 cycles a layer and used the array for 300 of them."""
    tensors = run(network, codes, keep=True).tensors
    layers = [Layer(layer.name, 1000, 256 * 300, {"active": 300, "waiting": 700}) for layer in network.layers]
    values = sum(tensor.size for tensor in tensors.values())
    return Result(len(tensors) * len(codes), values, mismatches, layers, [1000 * len(layers)] * len(codes), 5e5)


@pytest.fixture
def arranged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The demo on few images, with a simulation that reports the mismatches in the list returned."""
    mismatches: list[str] = []
    whole = demo.sample

    def sample(imported: demo.Imported) -> tuple[Images, np.ndarray, np.ndarray]:
        images, labels, calibration = whole(imported)
        return Images(images.array[:COUNT], images.shape, demo.PREPROCESSING), labels[:COUNT], calibration[:16]

    monkeypatch.setattr(demo, "sample", sample)
    monkeypatch.setattr(demo, "simulate", lambda network, codes, config, seed: simulated(network, codes, mismatches))
    monkeypatch.setattr(report, "FOLDER", tmp_path / "report")
    return mismatches


def test_the_demo_ends_with_the_mismatches(arranged: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--images", "3", "--config", "small"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("3 images compared: 0 mismatches")
    arranged.append("layer first, channel 2, row 0, column 5: engine 4, golden 5")
    assert demo.main(["--images", "3"]) == 1
    shown = capsys.readouterr().out
    assert arranged[0] in shown and shown.rstrip().endswith("1 mismatches")


def test_the_report_data_are_those_of_the_run(arranged: list[str]) -> None:
    assert demo.main(["--images", "2", "--config", "large", "--seed", "9"]) == 0
    data = report_data.load(report.FOLDER / "data.json")
    assert (report.FOLDER / "index.html").read_text() == report.render(data)
    assert {(row.read_bytes, row.written_bytes) for row in data.layers} == {(1000, 500)}
    assert data.utilization == 30.0 and data.engine is not None and data.comparison is not None
    assert data.engine.macs_per_cycle == PRESETS["large"].macs_per_cycle
    assert (data.comparison.images, data.comparison.seed) == (2, 9)
    assert [row.method for row in data.accuracy] == ["float", *demo.RECIPES]
    assert all(row.images == COUNT for row in data.accuracy) and data.accuracy[0].agree == COUNT
    assert all(sum(row.counts) > 0 for row in data.shifts) and len(data.shifts) == len(data.layers)


def test_an_unknown_preset_ends_with_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--config", "huge"]) == 2
    error = capsys.readouterr().err
    assert "huge" in error and "large" in error and "Traceback" not in error


def test_calibration_images_are_none_of_the_evaluated() -> None:
    with np.load(demo.DATA, allow_pickle=False) as data:
        evaluated = {image.tobytes() for image in data["images"]}
        assert not [image for image in data["calibration"] if image.tobytes() in evaluated]

"""cosim on a small network: equal tensors end with 0, a difference with 1, an unknown engine with 2."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import float_model, pictures, run
from wesnpu import report, report_data


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path, images = tmp_path / "tiny.npz", pictures(tmp_path / "images")
    assert run("quantize", float_model(tmp_path / "tiny.onnx"), "--calib", images, "-o", path).exit_code == 0
    return path


def test_every_tensor_of_a_network_is_equal(network: Path, tmp_path: Path) -> None:
    options = ("--config", "small", "--limit", 2, "--processes", 1, "--report", tmp_path / "report")
    done = run("cosim", network, "--images", tmp_path / "images", *options)
    assert done.exit_code == 0, done.stderr
    layers = 2
    found = re.search(r"^(\d+) tensors \(([\d,]+) values\) compared: 0 mismatches$", done.stdout, re.MULTILINE)
    assert found and int(found[1]) == 2 * layers and int(found[2].replace(",", "")) >= 2 * (4 * 64 + 4)
    assert re.search(r"^first +\d", done.stdout, re.MULTILINE) and "cycles per image: " in done.stdout
    data = report_data.load(tmp_path / "report" / "data.json")
    assert (tmp_path / "report" / "index.html").read_text() == report.render(data)
    assert data.comparison is not None and data.comparison.images == 2 and len(data.layers) == layers
    assert "--processes" not in data.command and "--limit 2" in data.command


@dataclass(frozen=True)
class Different:
    """A result with one mismatch."""

    mismatches: tuple[str, ...] = ("image 0: layer first, channel 2: engine 4, golden 5",)
    tensors_compared: int = 2
    values_compared: int = 260
    layers: list = field(default_factory=list)
    cycles_per_image: tuple[int, ...] = (100,)
    simulated_cycles_per_second: float = 1.0
    simulated_macs_per_second: float = 1.0


def test_a_difference_ends_with_one(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cosim.cosim", lambda *arguments, **options: Different())
    done = run("cosim", network, "--images", tmp_path / "images")
    assert done.exit_code == 1 and Different().mismatches[0] in done.stdout and "1 mismatches" in done.stdout


def test_an_unknown_engine_is_refused(network: Path, tmp_path: Path) -> None:
    done = run("cosim", network, "--images", tmp_path / "images", "--config", "huge")
    assert done.exit_code == 2 and "huge" in done.stderr and "large" in done.stderr

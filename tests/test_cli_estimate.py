"""``wesnpu estimate``: what it prints is what the cycle model says."""

import csv
import re
import xml.dom.minidom
from pathlib import Path

import pytest

from compiler.config import preset
from compiler.cycles import Memory
from compiler.cycles import estimate as predict
from compiler.program import compile_network
from golden.file import load_network, save_network
from tests.cli import float_model, pictures, run
from tests.compiler_networks import waiting_residual
from wesnpu.commands.estimate import WAITS


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.npz"
    model, images = float_model(tmp_path / "tiny.onnx"), pictures(tmp_path / "images")
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    return path


def test_table_and_rates(network: Path) -> None:
    memory = Memory(read_bytes=4, write_bytes=4, read_latency=30, write_latency=30)
    found = predict(compile_network(load_network(network), preset("small")), memory)
    shown = run("estimate", network, "--config", "small", "--mhz", 50, "--bandwidth", 4, "--latency", 30)
    assert shown.exit_code == 0
    for layer in found.layers:
        utilization = f"{100 * layer.macs / layer.cycles / 64:.1f} %"
        pattern = rf"{re.escape(layer.name)} +{-(-layer.macs // 64)} +{layer.cycles:,} +{utilization}"
        assert re.search(pattern, shown.output)
    assert f"cycles per image: {found.cycles:,}," in shown.output
    assert f"images/s at 50 MHz: {50e6 / found.cycles:,.1f}\n" in shown.output
    assert f"{found.read_bytes:,} bytes read, {found.written_bytes:,} written" in shown.output


def test_engines_without_queues(tmp_path: Path) -> None:
    path, model, images = tmp_path / "tiny.npz", float_model(tmp_path / "tiny.onnx"), pictures(tmp_path / "images")
    assert run("quantize", model, "--calib", images, "--guard-bits", 5, "-o", path).exit_code == 0
    shown = run("estimate", path, "--config", "nano", "--latency", 20)
    memory = Memory(read_bytes=8, write_bytes=8, read_latency=20, write_latency=20)
    found = predict(compile_network(load_network(path), preset("nano")), memory)
    assert shown.exit_code == 0 and f"cycles per image: {found.cycles:,}," in shown.output


def test_cycles_that_the_model_does_not_know_are_told(tmp_path: Path) -> None:
    """A residual operand beside double feeds, which only engines of two pixels have."""
    save_network(waiting_residual(28), tmp_path / "waits.npz")
    large, small = (run("estimate", tmp_path / "waits.npz", "--config", name).stdout for name in ("large", "small"))
    first, second = re.findall(r"^[12] .*", large, re.M)
    assert ">= " not in first and ">= " in second and "cycles per image: >= " in large and WAITS in large
    assert ">=" not in small
    shown = run("explore", tmp_path / "waits.npz", "--configs", "large,small", "--csv", tmp_path / "found.csv")
    with (tmp_path / "found.csv").open() as file:
        assert {row["engine"]: row["at_least"] for row in csv.DictReader(file)} == {"large": "1", "small": "0"}
    assert shown.stdout.count(">= ") == 1 and WAITS in shown.stdout


def test_roofline_is_an_svg_document(tmp_path: Path, network: Path) -> None:
    path = tmp_path / "roof.svg"
    assert run("estimate", network, "-o", path).exit_code == 0
    assert xml.dom.minidom.parse(str(path)).documentElement.tagName == "svg"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--config", "huge"), ("--mhz", 0), ("--bandwidth", 0), ("--latency", -1), ("--outstanding", 0),
        ("--output", "x.png"),
    ],
)
def test_refusals_name_the_option(network: Path, option: str, value: object) -> None:
    shown = run("estimate", network, option, value)
    assert shown.exit_code == 2
    assert option in shown.stderr and len(shown.stderr.splitlines()) == 1

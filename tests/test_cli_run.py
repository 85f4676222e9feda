"""wesnpu run against the simulated board: classes, cycles and a comparison with golden; bad ports and networks."""

import re
from pathlib import Path

import pytest

from tests.cli import float_model, pictures, run


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path, images = tmp_path / "tiny.npz", pictures(tmp_path / "images")
    model = float_model(tmp_path / "tiny.onnx")
    assert run("quantize", model, "--calib", images, "--guard-bits", 5, "-o", path).exit_code == 0
    return path


def test_images_run_on_the_simulated_board(network: Path, tmp_path: Path) -> None:
    arguments = ("--port", "sim", "--board", "icebreaker", "--images", tmp_path / "images", "--limit", 3, "--verify")
    done = run("run", network, *arguments)
    assert done.exit_code == 0, done.stderr
    assert "all scores of 3 images equal golden's" in done.stdout and "tiny on icebreaker" in done.stdout
    assert len(re.findall(r"^\d +\d +\d +[\d,]+ +\d+\.\d\d$", done.stdout, re.MULTILINE)) == 3
    assert re.search(r"^[\d,]+ requests, 0 sent again, 0 resets of the board$", done.stdout, re.MULTILINE)


def test_a_score_that_differs_ends_with_one(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wesnpu.commands.run.differing", lambda *arguments: [1])
    arguments = ("--port", "sim", "--board", "icebreaker", "--images", tmp_path / "images", "--limit", 2, "--verify")
    done = run("run", network, *arguments)
    assert done.exit_code == 1 and "1 of 2 images differ from golden, the first is 1" in done.stdout


@pytest.mark.parametrize(
    "arguments, named",
    [(("--port", "sim", "--board", "arty"), "arty"), (("--port", "/dev/no-such-port"), "/dev/no-such-port")],
)
def test_what_is_not_there_is_named(
    network: Path, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    done = run("run", network, "--images", tmp_path / "images", *arguments)
    assert done.exit_code == 2 and named in done.stderr and len(done.stderr.splitlines()) == 1

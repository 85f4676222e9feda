"""The examples of the documents, run as they stand there but for the folder of their output."""

import shlex
from pathlib import Path

import pytest

from tests.cli import run

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/command-line.md")


def examples(document: str) -> list[str]:
    """The indented lines of a document that call `wesnpu`."""
    lines = (ROOT / document).read_text().splitlines()
    return [line.strip() for line in lines if line.startswith("    wesnpu ")]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_run(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert len(examples(document)) >= 3
    for example in examples(document):
        words = [word.replace("build/", f"{tmp_path}/") for word in shlex.split(example)[1:]]
        done = run(*words)
        assert done.exit_code == 0, f"{example}: {done.stderr}"
    assert "top-1" in run("eval", tmp_path / "net.npz", "--images", "models/fashion_mnist.npz", "--limit", 10).stdout

"""Set-up: what a machine lacks is said in words, and nothing is done twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from wesnpu import bootstrap


def test_every_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda tool: None if tool in ("g++", "perl") else f"/bin/{tool}")
    lines = bootstrap.missing()
    assert [line.split()[0] for line in lines] == ["g++", "perl"]
    assert all("apt-get install" in line for line in lines)


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    (line,) = bootstrap.missing()
    assert "3.10" in line and "3.11" in line


def test_a_machine_without_tools_ends_with_words(tmp_path: Path) -> None:
    command = [sys.executable, "-I", bootstrap.__file__]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == list(bootstrap.TOOLS)


def test_nothing_to_do_when_up_to_date(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(bootstrap, "STAMP", stamp)
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    calls: list[str] = []
    monkeypatch.setattr(bootstrap, "create", lambda: calls.append("create"))
    monkeypatch.setattr(bootstrap, "install", lambda: calls.append("install"))
    assert bootstrap.main([]) == 0 and calls == ["create", "install"]
    stamp.write_text(bootstrap.fingerprint())
    assert bootstrap.main([]) == 0 and calls == ["create", "install"]


@pytest.mark.parametrize("changed", ["PROJECT", "LOCK"])
def test_another_pin_needs_another_set_up(changed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = bootstrap.fingerprint()
    other = tmp_path / "changed"
    other.write_bytes(getattr(bootstrap, changed).read_bytes() + b"\n")
    monkeypatch.setattr(bootstrap, changed, other)
    assert bootstrap.fingerprint() != before


def test_a_failed_download_ends_with_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(bootstrap, "create", lambda: None)
    monkeypatch.setattr(bootstrap, "PIP", ["false"])
    assert bootstrap.main([]) == 1
    assert "setting up failed" in capsys.readouterr().err and not (tmp_path / "stamp").exists()

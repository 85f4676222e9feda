"""The chosen Verilator runs, and an old or broken one on PATH is passed over."""

import subprocess

import pytest

from rtl import verilator_environment as subject


@pytest.fixture(autouse=True)
def fresh_choice():
    subject._chosen.cache_clear()
    yield
    subject._chosen.cache_clear()


def test_it_runs_and_is_new_enough():
    environment = subject.verilator_environment()
    run = subprocess.run(["verilator", "--version"], env=environment, capture_output=True, text=True, check=True)
    assert "rev" in run.stdout
    major, minor = subject.verilator_version().split(".")
    assert (int(major), int(minor)) >= subject.OLDEST


@pytest.mark.parametrize("version, taken", [("5.006", False), ("5.036", True), ("6.001", True), ("nonsense", False)])
def test_a_verilator_on_path_must_be_new_enough(tmp_path, monkeypatch, version, taken):
    fake = tmp_path / "verilator"
    fake.write_text(f"#!/bin/sh\necho Verilator {version} 2024-01-01\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert subject._chosen()[0] is taken
    assert ("VERILATOR_ROOT" in subject.verilator_environment()) is not taken

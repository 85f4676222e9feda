"""wesnpu.core: what it names exists, and its generator writes the engine's Verilog and a core for it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from compiler.config import PRESETS, preset
from rtl.generate import MODULE, verilog_text

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / "rtl" / "fusesoc_generator.py"
#: Keys of FuseSoC's CAPI2, those that a core of generated Verilog may use.
SECTIONS = {"CAPI=2", "name", "description", "filesets", "generators", "generate", "targets"}
TARGET_KEYS = {"description", "filesets", "generate", "toplevel", "flow", "flow_options"}
FILE_TYPES = {"vlt", "cSource", "verilogSource"}


@pytest.fixture(scope="module")
def core() -> dict:
    return yaml.safe_load((ROOT / "wesnpu.core").read_text())


def test_first_line_and_sections(core):
    assert (ROOT / "wesnpu.core").read_text().startswith("CAPI=2:\n") and core["CAPI=2"] is None
    assert set(core) == SECTIONS
    vendor, library, name, version = core["name"].split(":")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (vendor, library, name, version) == ("wesnpu", "accelerator", MODULE, project["version"])


def test_every_file_exists_and_has_a_type(core):
    files = [item for one in core["filesets"].values() for item in one["files"]]
    named = {name: attributes for item in files for name, attributes in item.items()}
    assert len(named) == len(files) > 5
    for name, attributes in named.items():
        assert (ROOT / name).is_file() and attributes["file_type"] in FILE_TYPES
        assert attributes.get("is_include_file", False) == name.endswith(".h")


def test_targets_name_what_is_there(core):
    for target in core["targets"].values():
        assert set(target) <= TARGET_KEYS and target["toplevel"] == MODULE
        assert set(target["filesets"]) <= set(core["filesets"])
        assert set(target.get("generate", [])) <= set(core["generate"])
    assert core["targets"]["default"]["generate"] == core["targets"]["lint"]["generate"] == ["engine"]
    for one in core["generate"].values():
        generator = core["generators"][one["generator"]]
        assert ROOT / generator["command"] == GENERATOR and one["parameters"]["config"] in PRESETS


def generate(folder: Path, parameters: dict) -> subprocess.CompletedProcess:
    """The generator called as FuseSoC does: a YAML file, the working folder for what it writes."""
    given = {"files_root": str(ROOT), "gapi": "1.0", "parameters": parameters, "vlnv": "wesnpu:accelerator:it:0.1.0"}
    (folder / "input.yml").write_text(yaml.dump(given))
    return subprocess.run([sys.executable, GENERATOR, "input.yml"], cwd=folder, capture_output=True, text=True)


def test_the_generator_writes_verilog_and_a_core(tmp_path):
    done = generate(tmp_path, {"config": "nano"})
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load((tmp_path / "it.core").read_text())
    assert made["name"] == "wesnpu:accelerator:it:0.1.0" and made["targets"]["default"]["filesets"] == ["rtl"]
    (verilog,) = made["filesets"]["rtl"]["files"]
    assert (tmp_path / verilog).read_text() == verilog_text(preset("nano"))


@pytest.mark.parametrize("parameters, told", [({"config": "huge"}, "huge"), ({"other": 1}, "no config")])
def test_the_generator_refuses_in_words(tmp_path, parameters, told):
    done = generate(tmp_path, parameters)
    assert done.returncode and told in done.stderr and not list(tmp_path.glob("*.core"))

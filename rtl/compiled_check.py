"""A check in C++ that gives a module every combination of operands, in compiled Verilog."""

import subprocess
from pathlib import Path

from rtl.verilator_environment import verilator_environment

OPTIONS = ["--cc", "--exe", "--build", "-O3", "-CFLAGS", "-O2", "-Wno-fatal"]


def compiled_check(text: str, module: str, check: str, argument: int, folder: Path) -> str:
    """What the program `check` prints, called with `argument`; it uses the class `V<module>` of this Verilog.

    folder: where it is built.  CalledProcessError when it is not, or when the program fails.
    """
    (folder / f"{module}.v").write_text(text)
    (folder / "check.cpp").write_text(check)
    command = ["verilator", *OPTIONS, f"{module}.v", "check.cpp"]
    subprocess.run(command, cwd=folder, env=verilator_environment(), check=True, capture_output=True)
    program = [folder / "obj_dir" / f"V{module}", str(argument)]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout

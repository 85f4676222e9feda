"""FuseSoC calls this with a file of parameters: writes the engine's Verilog, and a core with it, to the working folder.

The standard library is enough here; the Verilog comes from this project's own environment (`make setup`).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
CORE = """CAPI=2:
name: "{vlnv}"
filesets:
  rtl:
    files: [{verilog}]
    file_type: verilogSource
targets:
  default:
    filesets: [rtl]
"""
WRITE = "import sys, pathlib; from compiler.engines import engine; from rtl.generate import generate; \
print(generate(engine(sys.argv[1]), pathlib.Path(sys.argv[2])).name)"


def parameter(text: str, name: str) -> str:
    """The plain value of `name` in the YAML that FuseSoC writes; SystemExit names one that is not there."""
    found = re.search(rf"^ *{name}: *['\"]?([\w:.+-]+)['\"]?$", text, re.M)
    if found is None:
        sys.exit(f"the generator's parameters have no {name}")
    return found[1]


def main(arguments: list[str]) -> int:
    """fusesoc_generator.py PARAMETERS; the exit code of the generator."""
    if len(arguments) != 1:
        print("usage: fusesoc_generator.py PARAMETERS.yml", file=sys.stderr)
        return 2
    text = Path(arguments[0]).read_text()
    config, vlnv = parameter(text, "config"), parameter(text, "vlnv")
    if not PYTHON.exists():
        print(f"{PYTHON} is missing: run `make setup` in {ROOT}", file=sys.stderr)
        return 1
    here = Path.cwd()
    written = subprocess.run(
        [PYTHON, "-c", WRITE, config, here], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True,
    )
    if written.returncode == 0:
        core = CORE.format(vlnv=vlnv, verilog=written.stdout.split()[-1])
        (here / f"{vlnv.split(':')[2]}.core").write_text(core)
    return written.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

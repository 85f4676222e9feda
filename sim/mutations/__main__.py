"""`python -m sim.mutations [NAME ...]`: plants every bug in a copy of rtl/, builds it, and runs the bench that must
catch it. Fails when one survives or when a report does not name layer, channel, row, column and stage, the AXI rule
that was broken, or the error that a command must end with."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from compiler.config import preset
from golden.errors import WesnpuError
from sim.build import ROOT, build_bench
from sim.cases import Orders
from sim.mutations.catalogue import MUTATIONS, Mutation
from sim.runner import run_case

ROOMS = ("rtl", "compiler", "golden")
PLACE = re.compile(r"layer \S+ channel \d+ row \d+ column \d+ stage \w+|AXI: \w+ |must be [A-Z_]+ at command \d+")
GENERATE = """
import sys
from pathlib import Path
from compiler.config import preset
from rtl.generate import generate
print(generate(preset(sys.argv[1]), Path(sys.argv[2]), trace=True))
"""


@dataclass(frozen=True)
class Verdict:
    """caught: the bench failed; placed: its report names layer, channel, row, column and stage, the AXI rule, or the
    error and command."""

    caught: bool
    placed: bool
    report: str


def mutated_verilog(mutation: Mutation, folder: Path) -> Path:
    """Verilog of a copy of the rooms with the bug planted; WesnpuError when its line is not there exactly once."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    path = folder / "rtl" / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        found = text.count(mutation.old)
        raise WesnpuError(f"mutation {mutation.name!r}: its line is {found} times in rtl/{mutation.file}, must be once")
    if mutation.new.startswith(("Const(", "load=Const", "weights=Const", "compute=Const")):
        text = "from amaranth.hdl import Const\n" + text
    path.write_text(text.replace(mutation.old, mutation.new))
    made = subprocess.run(
        [sys.executable, "-c", GENERATE, mutation.config, str(folder)], cwd=folder, capture_output=True, text=True
    )
    if made.returncode:
        raise WesnpuError(f"mutation {mutation.name!r} does not elaborate: {made.stderr.strip().splitlines()[-1]}")
    return folder / made.stdout.strip().splitlines()[-1]


def judge(mutation: Mutation, seed: int = 0) -> Verdict:
    """Plant one bug and run its bench."""
    config = preset(mutation.config)
    with tempfile.TemporaryDirectory(prefix="wesnpu_mutation_") as name:
        build = build_bench(config, verilog=mutated_verilog(mutation, Path(name)), optimize="-O0")
    try:
        report = run_case(Orders(mutation.case, seed=seed), config, build=build).failure
    finally:
        shutil.rmtree(build.folder)
    return Verdict(bool(report), bool(PLACE.search(report)), report)


def main(names: list[str]) -> int:
    """0 when every bug was caught with its place."""
    bad = 0
    for mutation in MUTATIONS:
        if names and mutation.name not in names:
            continue
        verdict = judge(mutation)
        bad += not (verdict.caught and verdict.placed)
        word = "caught" if verdict.placed else "caught without a place" if verdict.caught else "SURVIVED"
        print(f"{word:22s} {mutation.name} ({mutation.case}, {mutation.config}): {verdict.report[:160]}", flush=True)
    print(f"{bad} not caught with their place")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m sim.mutate [--count 200] [--seed 1]`: mutants of the compute path, killed by the simulation tests?

Ends in a table of modules and a list of the survivors; fails when less than 95 % are killed.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from golden.errors import WesnpuError
from sim.mutate.netlist import CONFIGS, MOST, Mutant, mutant_build
from sim.mutate.run import Verdict, judge_all

GOAL = 0.95
ROOT_MODULE = "wesnpu_engine_"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sim.mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help=f"mutants, 1..{MOST}; default 200")
    parser.add_argument("--seed", type=int, default=1, help="which mutants; default 1")
    parser.add_argument("--pixels", type=int, choices=sorted(CONFIGS), default=2, help="of the engine; default 2")
    parser.add_argument("--only", type=int, nargs="*", default=[], help="judge only these mutants, by number")
    parser.add_argument("--processes", type=int, default=2, help="simulations at the same time; default 2")
    parser.add_argument("--json", type=Path, default=None, help="write every verdict to this file")
    return parser


def table(mutants: list[Mutant], verdicts: dict[int, Verdict]) -> Table:
    """Mutants and killed mutants per module."""
    counts: dict[str, list[int]] = {}
    for one in mutants:
        count = counts.setdefault(one.option("module").removeprefix(ROOT_MODULE), [0, 0])
        count[0] += 1
        count[1] += verdicts[one.selector].killed
    made = Table("module", "mutants", "killed", "survived")
    for name, (total, killed) in sorted(counts.items()):
        made.add_row(name, str(total), str(killed), str(total - killed))
    return made


def report(console: Console, mutants: list[Mutant], verdicts: dict[int, Verdict]) -> float:
    """Print the table and the survivors; the share that was killed."""
    console.print(table(mutants, verdicts))
    for one in mutants:
        if not verdicts[one.selector].killed:
            console.print(f"survived {one.selector}: {one.place}", markup=False, soft_wrap=True)
    killed = sum(verdict.killed for verdict in verdicts.values())
    console.print(f"{killed} of {len(mutants)} mutants killed: {100 * killed / len(mutants):.1f} %")
    return killed / len(mutants)


def _judge(console: Console, arguments: argparse.Namespace) -> tuple[list[Mutant], dict[int, Verdict]]:
    with console.status("drawing mutants, building one simulator for all"):
        mutants, build = mutant_build(CONFIGS[arguments.pixels], arguments.count, arguments.seed)
    chosen = [one for one in mutants if not arguments.only or one.selector in arguments.only]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("mutants", total=len(chosen))
        verdicts = judge_all(
            build, CONFIGS[arguments.pixels], [one.selector for one in chosen], arguments.processes,
            progress=lambda done: progress.update(task, completed=done),
        )
    return chosen, verdicts


def main(arguments: list[str]) -> int:
    """0 when at least 95 % were killed, 1 when fewer, 2 for wrong arguments."""
    given = _parser().parse_args(arguments)
    console = Console()
    try:
        if not 1 <= given.count <= MOST:
            raise WesnpuError(f"--count = {given.count} must be in 1..{MOST}")
        if unknown := [one for one in given.only if not 1 <= one <= given.count]:
            raise WesnpuError(f"--only = {unknown[0]} must be in 1..{given.count}")
        if given.seed < 0 or given.processes < 1:
            raise WesnpuError("--seed must be at least 0 and --processes at least 1")
        mutants, verdicts = _judge(console, given)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        records = {one.selector: {"mutant": one.command} | verdicts[one.selector].record for one in mutants}
        given.json.write_text(json.dumps(records, indent=1) + "\n")
    return int(report(console, mutants, verdicts) < GOAL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

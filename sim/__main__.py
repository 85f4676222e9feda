"""`make sim` lists the tests; `make sim TEST=conv_shift [CONFIG= SEED=1 STALLS=runs INITIAL=1 WAVES=1]` runs one."""

import argparse
import sys

from compiler.config import PRESETS
from compiler.engines import FITTED
from golden.errors import WesnpuError
from sim.block_cases import BLOCK_CASES, run_block
from sim.cases import CASES, PATTERNS, Orders
from sim.configurations import configuration
from sim.runner import Result, run_case

HIDDEN = ("broken",)  # for the test that a comparator can fail


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("test", nargs="?", help="without it, the tests are listed")
    engines = f"{', '.join((*PRESETS, *FITTED))}, four_pixels, random0, little0, in_order0, ...; default small"
    parser.add_argument("--config", default="small", help=engines)
    parser.add_argument("--seed", type=int, default=None, help="run only this network; else the usual ones")
    parser.add_argument("--count", type=int, default=0, help="networks to run")
    parser.add_argument("--stalls", default="", choices=("", *PATTERNS), help="the same stall pattern for all")
    parser.add_argument("--initial", type=int, default=0, help="seed of what registers start with; default 0")
    parser.add_argument("--waves", action="store_true", help="write dump.vcd")
    return parser


def all_tests() -> dict[str, str]:
    """Every test by name with its line."""
    return {name: case.about for name, case in CASES.items() if name not in HIDDEN} | dict(BLOCK_CASES)


def _list() -> int:
    for name, about in all_tests().items():
        print(f"{name:18s} {about}")
    return 0


def _show(result: Result, waves: bool) -> int:
    print(
        f"{result.programs} programs, {result.values:,} values and {result.memory_bytes:,} bytes of memory compared, "
        f"{result.cycles:,} cycles in {result.seconds:.1f} s"
    )
    if waves:
        print(f"waves: {result.folder / 'dump.vcd'}")
    if result.failure:
        print(f"FAILED: {result.failure}\nfiles: {result.folder}")
        return 1
    if not result.values:
        print("FAILED: nothing was compared")
        return 1
    print("passed")
    return 0


def main(arguments: list[str]) -> int:
    """0 when the test ran, compared something and found no difference; 1 otherwise; 2 for wrong arguments."""
    given = _parser().parse_args(arguments)
    if not given.test:
        return _list()
    try:
        config = configuration(given.config)
        if given.test not in all_tests():
            raise WesnpuError(f"TEST = {given.test!r} is not a test: `make sim` lists them")
        if given.test in BLOCK_CASES:
            how = {"seed": given.seed or 0, "initial": given.initial, "waves": given.waves}
            return _show(run_block(given.test, config, **how), given.waves)
        count = given.count or int(given.seed is not None)
        orders = Orders(given.test, given.seed or 0, count, given.stalls, given.initial)
        return _show(run_case(orders, config, waves=given.waves), given.waves)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""make verilog [CONFIG=large]: writes the engine as Verilog with a description of its ports, then checks the file."""

import itertools
import json
import os
import re
import sys
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib.wiring import In

from compiler.config import EngineConfig
from compiler.engines import ENGINES, engine
from rtl.check_verilog import hierarchy, lint
from rtl.dual import with_products
from rtl.top import Top, top_members

MODULE = "wesnpu"
FOLDER = Path("build") / "verilog"
DEFAULT = "large"

_MEMORY_VALUES = re.compile(r"^ *initial begin\n((?: *\S+\[\d+\] = \d+'h[0-9a-f]+;\n)+) *end\n", re.M)
_NOT_ZERO = re.compile(r"'h0*[1-9a-f]")
_CONSTANT_BITS = re.compile(r"^  always @\*\n    (\S[^=\n]*) = ((?:\d+'[hbd][0-9a-f]+|[{}, ])+);\n", re.M)
_MODULE_NAME = re.compile(rf"\\{MODULE}[.$][\w.$]* ")


def without_zero_memories(text: str) -> str:
    """`text` without the initial blocks that only set memory rows to 0, on which no result depends: they slow tools."""
    return _MEMORY_VALUES.sub(lambda block: block[0] if _NOT_ZERO.search(block[1]) else "", text)


def with_driven_constants(text: str) -> str:
    """`text` with a sensitivity for `always @* bits = constant;`, which by Verilog's rules would never be executed."""
    numbers = itertools.count()

    def driven(block: re.Match) -> str:
        name = f"\\$never{next(numbers)} "
        return (
            f"  reg {name} = 0;\n  always @* begin\n    if ({name}) begin end\n    {block[1]} = {block[2]};\n  end\n"
        )

    return _CONSTANT_BITS.sub(driven, text)


def portable(text: str) -> str:
    """What Amaranth writes, as every tool reads it alike: no zero memory values, constants driven, all modules."""
    return with_products(with_driven_constants(without_zero_memories(text)))


def with_plain_module_names(text: str) -> str:
    r"""`text` with module names that need no escaping: `\wesnpu.engine.store ` becomes `wesnpu_engine_store `."""
    plain = {name: re.sub(r"[.$]", "_", name[1:]) for name in set(_MODULE_NAME.findall(text))}
    if len(set(plain.values())) != len(plain):
        raise ValueError("two modules would get the same plain name")
    return _MODULE_NAME.sub(lambda name: plain[name[0]], text)


def verilog_text(config: EngineConfig, *, trace: bool = False) -> str:
    """The whole design, toplevel module `wesnpu`; equal configurations give equal bytes."""
    top = Top(config, trace=trace)
    text = verilog.convert(top, name=MODULE, emit_src=False, strip_internal_attrs=True)
    return with_plain_module_names(portable(text))


def description(config: EngineConfig, *, trace: bool = False) -> dict:
    """What an integrator needs to know: module, configuration, ports with direction and width."""
    ports = {
        name: {"direction": "input" if member.flow is In else "output", "width": member.shape}
        for name, member in top_members(config, trace=trace).items()
    }
    return {
        "module": MODULE,
        "parameters": config.to_json(),
        "macs_per_cycle": config.macs_per_cycle,
        "trace": trace,
        "clock": "clk",
        "reset": {"port": "aresetn", "active": "low", "synchronous": True},
        "ports": ports,
    }


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def generate(config: EngineConfig, path: Path, *, trace: bool = False) -> Path:
    """Write `wesnpu_<config>.v` and `.json` into the folder `path`; returns the path of the Verilog file.

    With `trace` the file has the simulation-only `trace_*` ports as well.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    target = path / f"{MODULE}_{config.name}.v"
    _write(target, verilog_text(config, trace=trace))
    _write(target.with_suffix(".json"), json.dumps(description(config, trace=trace), indent=2) + "\n")
    return target


def main(arguments: list[str]) -> int:
    """python -m rtl.generate [CONFIG]; 0 when the file is written and both checks are clean."""
    if len(arguments) > 1:
        print(f"usage: make verilog [CONFIG={'|'.join(ENGINES)}]", file=sys.stderr)
        return 2
    try:
        config = engine(arguments[0] if arguments else DEFAULT)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    target = generate(config, FOLDER)
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB) and {target.with_suffix('.json').name}")
    failed = False
    for name, check in (("Verilator lint -Wall", lint), ("yosys hierarchy -check", hierarchy)):
        problems = check(target, MODULE)
        failed |= bool(problems)
        print(f"{name}: {problems or 'clean'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One netlist with all mutants: yosys draws them on the compute path, an added input `mutsel` chooses one (0: none)."""

import hashlib
import inspect
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from compiler.config import EngineConfig
from golden.errors import WesnpuError
from rtl.check_verilog import RUN_YOSYS
from sim import build as simulator
from sim.build import BENCH_SOURCES, CACHE, Build, bench_configuration, build_sources, engine_verilog, locked
from sim.mutate.void import Netlist, is_void

# By pixels. Small memories and tiles, yet every unit; results are requantized in 2 turns with 2 pixels, in 4 with 1.
CONFIGS = {
    2: EngineConfig(
        name="mutant", pixels=2, lanes=4, taps=4, requant_lanes=4, scratchpad_words=1024, weight_rows=128,
        parameter_rows=32, window_kernel=3, bus_bytes=8, guard_bits=7, queue_units=8,
    ),
    1: EngineConfig(
        name="mutant1", pixels=1, lanes=4, taps=8, requant_lanes=1, scratchpad_words=1024, weight_rows=64,
        parameter_rows=32, window_kernel=5, bus_bytes=16, guard_bits=5, queue_units=8,
    ),
}
COMPUTE_PATH = (
    "wesnpu_engine_compute*", "wesnpu_engine_scratchpad*", "wesnpu_engine_parameter_memory",
    "wesnpu_engine_weight_memory",
)
SELECTOR_BITS = 12
MOST = (1 << SELECTOR_BITS) - 1
SPARE = 40  # drawn in addition, in place of mutants that are not of logic or change nothing
# Nothing that cannot matter is left to mutate: constants, unused bits and dead logic go, across modules too, and the
# write ports of the slices of a word become one.
CLEAN = "\n".join((
    "proc", "opt", "memory_share", "opt", *3 * ("opt_hier", "opt -full", "opt_clean -purge"),
    "wreduce", "splitcells", "opt_dff", "opt -full", "opt_clean -purge",
))
# Read whenever a program's memory is loaded; the count of broken rules starts again with each program.
BENCH_MUTSEL = f"""
logic [{SELECTOR_BITS - 1}:0] mutsel = 0;
always @(posedge clk) if (load) begin
    int selector_file, got;
    selector_file = $fopen("mutsel.txt", "r");
    got = $fscanf(selector_file, "%d", mutsel);
    $fclose(selector_file);
    bench_fault_pkg::faults = 0;
end
"""


@dataclass(frozen=True)
class Mutant:
    """One mutation of yosys `mutate`; selector: the value of `mutsel` that turns it on, 1..; command: without -ctrl."""

    selector: int
    command: str

    def option(self, name: str) -> str:
        r"""Value of an option of the command, without the `\` of yosys' names; empty when it has none."""
        found = re.search(rf" -{name} (\S+)", self.command)
        return found[1].removeprefix("\\") if found else ""

    @property
    def place(self) -> str:
        """mode module.cell.port[bit] and the wire behind it, in words."""
        wire = f" (wire {self.option('wire')}[{self.option('wirebit')}])" if self.option("wire") else ""
        source = f"{self.option('module')} {self.option('cell')}.{self.option('port')}[{self.option('portbit')}]"
        return f"{self.option('mode')} {source}{wire}"

    @property
    def is_static(self) -> bool:
        """Not logic: a clock, without which no synchronous design works, or the first contents of a memory."""
        clock = self.option("port").lower() in ("clk", "rd_clk", "wr_clk") or self.option("wire") == "clk"
        return clock or self.option("cell").startswith("$meminit")

    def is_void(self, netlist: Netlist) -> bool:
        """Whether nothing can come of it (sim.mutate.void)."""
        module, cell, mode, port = (self.option(name) for name in ("module", "cell", "mode", "port"))
        bit, control = int(self.option("portbit")), int(self.option("ctrlbit") or 0)
        found = netlist.cell(module, cell)
        if found is None:
            return False
        return is_void(found, mode, port, control) or netlist.is_idle(module, cell, mode, port, bit)


def _yosys(folder: Path, script: str) -> None:
    (folder / "script.ys").write_text(script)
    command = [sys.executable, "-c", RUN_YOSYS, "-Q", "-q", "-s", "script.ys"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise WesnpuError(f"yosys failed in {folder}: {(run.stdout + run.stderr).strip()[-400:]}")


def draw(folder: Path, verilog: str, count: int, seed: int) -> list[Mutant]:
    """`count` mutants of the compute path, even over cells; leaves the netlist they are drawn on in base.il."""
    (folder / "engine.v").write_text(verilog)  # its name is part of every cell's
    _yosys(folder, (
        f"read_verilog -sv engine.v\nhierarchy -top wesnpu\n{CLEAN}\nwrite_rtlil base.il\n"
        f"select -set path {' '.join(COMPUTE_PATH)}\nmutate -list {count + SPARE} -seed {seed} -o list.txt @path\n"
    ))
    drawn = [Mutant(0, line) for line in (folder / "list.txt").read_text().splitlines() if line.startswith("mutate ")]
    netlist = Netlist((folder / "base.il").read_text())
    kept = [one.command for one in drawn if not one.is_static and not one.is_void(netlist)][:count]
    if len(kept) < count:
        raise WesnpuError(f"--count = {count}: yosys drew only {len(kept)} mutants")
    return [Mutant(selector, command) for selector, command in enumerate(kept, 1)]


def plant(folder: Path, mutants: list[Mutant]) -> Path:
    """Verilog of base.il with every mutant behind `mutsel`."""
    lines = [
        one.command.replace("mutate ", f"mutate -ctrl mutsel {SELECTOR_BITS} {one.selector} ", 1) for one in mutants
    ]
    _yosys(folder, "read_rtlil base.il\n" + "\n".join(lines) + "\nwrite_verilog -noattr mutants.v\n")
    return folder / "mutants.v"


def mutant_build(config: EngineConfig, count: int, seed: int) -> tuple[list[Mutant], Build]:
    """The mutants and the one simulator that holds them all; both cached by content."""
    verilog = engine_verilog(config).read_text()
    drawing = Path(__file__).read_text() + Path(inspect.getfile(Netlist)).read_text()
    text = f"{drawing}{verilog}{simulator.tool_versions()}{count} {seed}"
    folder = CACHE / f"mutants-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    kept = folder / "mutants.json"
    with locked(folder):
        folder.mkdir(exist_ok=True)
        if not kept.exists():
            mutants = draw(folder, verilog, count, seed)
            plant(folder, mutants)
            kept.write_text(json.dumps([asdict(one) for one in mutants]))
    mutants = [Mutant(**one) for one in json.loads(kept.read_text())]
    return mutants, build_mutants(folder / "mutants.v", config)


def build_mutants(netlist: Path, config: EngineConfig) -> Build:
    """The bench around the engine of `netlist`, with `mutsel` read from mutsel.txt in the folder of the simulation."""
    extra = bench_configuration(config, netlist.read_text(), "wesnpu")
    declaration = BENCH_MUTSEL.strip().replace("\n", " \\\n")
    extra = extra.replace("`define BENCH_INSTANCE ", f"`define BENCH_INSTANCE {declaration} \\\n")
    sources = [netlist, *(simulator.ROOT / "sim" / "verilog" / name for name in BENCH_SOURCES)]
    return build_sources(sources, "bench", extra=extra)

"""Drives the bench as a plain process (sim/verilog/main.cpp), so that a cycle costs nothing but its evaluation."""

import hashlib
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from compiler.config import EngineConfig
from golden.errors import WesnpuError
from rtl.verilator_environment import verilator_environment
from sim.build import ROOT, Build, locked
from sim.driver import KNOBS, Driver, SimulationError

MAIN = ROOT / "sim" / "verilog" / "main.cpp"
OUTPUTS = (
    "reply", "response", "finished", "answer", "cycles", "read_beats", "write_beats", "faults", "at_layer",
)
OBJECTS = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads", "trace_file")


def ports_header() -> str:
    """bench_ports.h: the inputs that a driver sets and the outputs that it reads."""
    lists = {"INPUTS": KNOBS, "OUTPUTS": OUTPUTS}
    return "".join(
        f"#define BENCH_{name} {' '.join(f'BENCH_PORT({port})' for port in ports)}\n" for name, ports in lists.items()
    )


def process_program(build: Build, main: Path = MAIN, header: str | None = None) -> Path:
    """`build` as an executable without cocotb, linked once from the objects that are there and a C++ main.

    header: bench_ports.h, which `main` may include.
    """
    header = ports_header() if header is None else header
    key = hashlib.sha256(main.read_bytes() + header.encode()).hexdigest()[:16]
    program = build.folder / f"process-{key}"
    with locked(build.folder):
        if not program.exists():
            (build.folder / "bench_ports.h").write_text(header)
            _link(build.folder, main, program)
    return program


def _link(folder: Path, main: Path, program: Path) -> None:
    root = re.search(r"^VERILATOR_ROOT = (.*)$", (folder / "Vtop.mk").read_text(), re.M)
    include = Path(root[1] if root else "") / "include"
    objects = [f"{name}.o" for name in OBJECTS if (folder / f"{name}.o").exists()]
    unfinished = program.with_suffix(".unfinished")
    command = ["g++", "-std=gnu++17", "-O1", "-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_SC=0", "-I.", f"-I{include}",
               f"-I{include / 'vltstd'}", main, *objects, "Vtop__ALL.a", "-pthread", "-o", unfinished]
    linked = subprocess.run(command, cwd=folder, env=verilator_environment(), capture_output=True, text=True)
    if linked.returncode:
        raise WesnpuError(f"linking the simulator failed in {folder}: {linked.stderr.strip()[-300:]}")
    unfinished.rename(program)


class ProcessDriver(Driver):
    """A Driver of a simulator process in `folder`; leave its context to end the process.

    Its operations block, so a coroutine that awaits nothing else never suspends. progress is called with
    (layer, cycles) now and then while a program runs. SimulationError when the process ends by itself.
    """

    def __init__(
        self, build: Build, config: EngineConfig, folder: Path, *, arguments: Sequence[str] = (),
        progress: Callable[[int, int], object] | None = None,
    ):
        super().__init__(None, config.bus_bytes, folder)
        self._progress = progress
        self._inputs = dict.fromkeys(KNOBS, 0)
        self._outputs: dict[str, int] = {}
        with open(folder / "simulation.log", "w") as log:
            self._process = subprocess.Popen(
                [process_program(build), *arguments], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True,
            )

    def __enter__(self) -> "ProcessDriver":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    async def reset(self) -> None:
        """As Driver's."""
        await self.reset_engine()

    async def reset_engine(self) -> None:
        """As Driver's."""
        self._ask("reset")

    def set_ports(self, values: dict[str, int]) -> None:
        """As Driver's."""
        self._inputs |= values

    def output(self, name: str) -> int:
        """As Driver's."""
        return self._outputs[name]

    def _cpu(self) -> float:
        return self._outputs["cpu_microseconds"] / 1e6

    async def _operate(self, operation: int, address: int = 0, data: int = 0) -> None:
        self.set_ports({"operation": operation, "operand_address": address, "operand_data": data})
        self._ask(" ".join(f"{name}={int(value)}" for name, value in self._inputs.items()))

    def _ask(self, line: str) -> None:
        """Send a line; take the answer's outputs, and what is told before it."""
        process = self._process
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        for answer in process.stdout:
            if not answer.startswith("at "):
                pairs = (word.split("=") for word in answer.split())
                self._outputs = {name: int(value) for name, value in pairs}
                return
            if self._progress is not None:
                self._progress(*map(int, answer.split()[1:]))
        raise self._ended()

    def _ended(self) -> SimulationError:
        code = self._process.wait()
        log = (self._folder / "simulation.log").read_text()
        return SimulationError(f"the simulator process ended with {code}: {log.strip()[-200:] or 'nothing told'}")

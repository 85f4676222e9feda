"""One simulation in its own process and folder: builds what it needs, runs a case, reads its result."""

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from compiler.config import EngineConfig
from golden.errors import WesnpuError
from sim.build import ROOT, Build, build_bench, random_values
from sim.cases import Orders

RUNS = ROOT / "build" / "sim" / "runs"


def ordered() -> tuple[Orders, EngineConfig]:
    """Inside a simulator process: what `run_case` has ordered it to do."""
    return Orders(**json.loads(os.environ["SIM_ORDERS"])), EngineConfig(**json.loads(os.environ["SIM_CONFIG"]))


@dataclass(frozen=True)
class Result:
    """What a run compared; failure is empty when everything was equal. folder holds its files.

    cycles_per_second: simulated cycles per second of waiting for programs; per second of processor time beside it.
    """

    programs: int
    tensors: int
    values: int
    memory_bytes: int
    cycles: int
    notes: list[str]
    failure: str
    seconds: float
    cycles_per_second: float
    cycles_per_cpu_second: float
    folder: Path


def run_case(
    orders: Orders, config: EngineConfig, *, build: Build | None = None, waves: bool = False,
    module: str = "sim.entry", environment: dict[str, str] | None = None, arguments: tuple[str, ...] = (),
) -> Result:
    """Run a case in a new simulator process. arguments: plusargs for its Verilog.

    WesnpuError when the simulator did not get as far as a result; a failed comparison is in Result.failure.
    """
    build = build or build_bench(config, waves=waves)
    RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{orders.case}_{config.name}_", dir=RUNS))
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    orders_text, config_text = json.dumps(asdict(orders)), json.dumps(config.to_json())
    results = folder / "results.xml"
    runner = get_runner("verilator")
    runner.log.setLevel(logging.ERROR)
    tests, failed, reason = 0, 0, ""
    try:
        runner.test(
            test_module=module, hdl_toplevel=build.toplevel, hdl_toplevel_lang="verilog", build_dir=build.folder,
            test_dir=folder, results_xml=str(results), seed=orders.seed,
            plusargs=[*random_values(orders.initial), *arguments],
            waves=waves, log_file=folder / "simulation.log",
            extra_env={"SIM_ORDERS": orders_text, "SIM_CONFIG": config_text, "PYTHONPATH": paths} | (environment or {}),
        )
    except (SystemExit, RuntimeError, Exception) as error:  # a failing simulator process
        reason = str(error)
    if results.exists():
        tests, failed = get_results(results)
    if not (folder / "result.json").exists() or tests == 0:
        raise WesnpuError(f"the simulation ended without a result ({reason}): see {folder / 'simulation.log'}")
    record = json.loads((folder / "result.json").read_text())
    if failed and not record["failure"]:
        record["failure"] = f"{failed} tests failed: see {folder / 'simulation.log'}"
    if not record["failure"]:
        for large in folder.glob("job_*"):
            large.unlink()
    return Result(**record, folder=folder)

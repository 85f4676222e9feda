"""Judges mutants in a few simulator processes; one that stops the simulator is killed, the rest go on in a new one."""

import json
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from compiler.config import EngineConfig
from golden.errors import WesnpuError
from sim.build import Build
from sim.cases import Orders
from sim.runner import RUNS, run_case


@dataclass(frozen=True)
class Verdict:
    """killed_by: the test that failed, empty for a survivor; failure: how."""

    killed_by: str
    failure: str

    @property
    def killed(self) -> bool:
        """Whether a test failed."""
        return bool(self.killed_by)

    @property
    def record(self) -> dict:
        """As JSON."""
        return asdict(self)


def _read(path: Path) -> tuple[dict[int, Verdict], int | None]:
    """(verdicts, the mutant begun and not decided)."""
    verdicts, begun = {}, None
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        selector = record.pop("selector")
        if record.pop("begun", False):
            begun = selector
        else:
            verdicts[selector], begun = Verdict(**record), None
    return verdicts, begun


def judge(build: Build, config: EngineConfig, selectors: list[int], results: Path) -> dict[int, Verdict]:
    """Judge these mutants one after the other; `results` grows by a line per verdict."""
    left = selectors
    while left:
        environment = {"MUTATE_RESULTS": str(results), "MUTATE_SELECTORS": json.dumps(left)}
        reason = ""
        try:
            reason = run_case(
                Orders("mutate"), config, build=build, module="sim.mutate.entry", environment=environment
            ).failure
        except WesnpuError as error:
            reason = str(error)
        verdicts, begun = _read(results)
        if begun is not None:
            verdicts[begun] = Verdict("simulator", f"it stopped: {reason}"[:300])
            with results.open("a") as file:
                file.write(json.dumps({"selector": begun} | verdicts[begun].record) + "\n")
        elif reason:
            raise WesnpuError(f"the engine without a mutant failed: {reason}")
        left = [one for one in selectors if one not in verdicts]
    return {one: verdicts[one] for one in selectors}


def judge_all(
    build: Build, config: EngineConfig, selectors: list[int], processes: int,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[int, Verdict]:
    """The verdict of every mutant; `progress` is told how many are decided."""
    RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mutate_", dir=RUNS))
    parts = [selectors[start::processes] for start in range(min(processes, len(selectors)))]
    files = [folder / f"{number}.jsonl" for number in range(len(parts))]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            progress(sum(len(_read(path)[0]) for path in files))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            verdicts = list(pool.map(lambda part: judge(build, config, *part), zip(parts, files, strict=True)))
    finally:
        stop.set()
        watcher.join()
    progress(len(selectors))
    return {selector: verdict for part in verdicts for selector, verdict in sorted(part.items())}

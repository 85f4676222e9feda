"""The cocotb test module of a mutation run: the mutants of MUTATE_SELECTORS, one after the other, until each is killed.

Appends to MUTATE_RESULTS one JSON line when a mutant begins and one when it is decided.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import cocotb
import numpy as np

from golden.errors import WesnpuError
from rtl.interfaces import Cause
from sim.cases import CASES, Orders, prepared_network
from sim.driver import FAULT_FILE, LOAD, Driver, SimulationError
from sim.expected import expected_of
from sim.job import Job, Outcome
from sim.mutate.trials import WHOLE_CASES, networks
from sim.runner import ordered
from sim.session import Prepared, Session

SELECTOR_FILE = Path("mutsel.txt")
WHOLE_CASE_CYCLES = 60_000
NETWORK_CYCLES = 2_000_000  # of a network without a mutant
WHOLE_CASE_COUNT = 6


def with_stages(prepared: Prepared) -> Prepared:
    """The same run, every stage of every result compared."""
    expected = expected_of(prepared.network, prepared.image, stages=True)
    return replace(prepared, job=prepared.job.with_(record=2), expected=expected)


class LimitedDriver(Driver):
    """A Driver with a limit of cycles for every program, and the last outcome kept."""

    limit = NETWORK_CYCLES
    outcome: Outcome | None = None

    async def prepare(self, job: Job) -> None:
        """As Driver's, under the limit."""
        FAULT_FILE.unlink(missing_ok=True)
        await super().prepare(job.with_(cycle_limit=min(job.cycle_limit, self.limit)))

    async def collect(self) -> Outcome:
        """As Driver's."""
        self.outcome = await super().collect()
        return self.outcome

    async def restore(self) -> None:
        """Back to the engine without a mutant, reset."""
        SELECTOR_FILE.write_text("0\n")
        await self._operate(LOAD)
        await self.reset_engine()


def _compare_timing(outcome: Outcome, cycles: int, causes: np.ndarray) -> None:
    """A program takes the same cycles as without a mutant, for the same causes, layer by layer."""
    if outcome.cycles != cycles:
        raise SimulationError(f"{outcome.cycles} cycles, not {cycles}")
    wrong = np.argwhere(outcome.causes != causes)
    if wrong.size:
        layer, cause = wrong[0]
        found = f"{outcome.causes[layer, cause]} cycles, not {causes[layer, cause]}"
        raise SimulationError(f"layer {layer} cause {Cause(cause).name}: {found}")


class Judge:
    """Runs the tests on one mutant after the other. The first run, of no mutant, tells each test's own cycles."""

    def __init__(self, session: Session):
        self.session = session
        self.driver: LimitedDriver = session.driver
        self._tests: list[tuple[str, Prepared]] = []
        self._reference: list[tuple[int, np.ndarray]] = []

    async def start(self) -> None:
        """Every test must pass without a mutant."""
        SELECTOR_FILE.write_text("0\n")
        for kind, seed in networks():
            try:
                prepared = prepared_network(self.session, kind, seed)
            except WesnpuError:
                continue  # larger than this engine's memories
            prepared = with_stages(prepared)
            outcome = await self.session.check(prepared)
            self._tests.append((f"{kind} {seed}", prepared))
            self._reference.append((outcome.cycles, outcome.causes))
        self.driver.limit = WHOLE_CASE_CYCLES
        for name in WHOLE_CASES:
            await CASES[name].run(self.session, Orders(name, count=WHOLE_CASE_COUNT))

    async def judge(self, selector: int) -> dict:
        """Test and failure that killed the mutant; empty ones for a survivor."""
        await self.driver.restore()
        SELECTOR_FILE.write_text(f"{selector}\n")
        for (name, prepared), (cycles, causes) in zip(self._tests, self._reference, strict=True):
            self.driver.limit = 2 * cycles + 1000
            try:
                outcome = await self.session.check(prepared)
                _compare_timing(outcome, cycles, causes)
            except Exception as error:  # whatever breaks, breaks because of the mutant
                return {"killed_by": name, "failure": str(error)[:300]}
        self.driver.limit = WHOLE_CASE_CYCLES
        for name in WHOLE_CASES:
            try:
                await CASES[name].run(self.session, Orders(name, count=WHOLE_CASE_COUNT))
            except Exception as error:
                return {"killed_by": name, "failure": str(error)[:300]}
        return {"killed_by": "", "failure": ""}

    async def check_none(self) -> None:
        """The engine without a mutant must still pass: no mutant left anything behind."""
        await self.driver.restore()
        self.driver.limit = WHOLE_CASE_CYCLES
        await self.session.check(self._tests[0][1])


@cocotb.test()
async def mutants(dut):
    """Judge every mutant."""
    cocotb.log.setLevel("ERROR")
    results = Path(os.environ["MUTATE_RESULTS"])

    def tell(**record) -> None:
        with results.open("a") as file:
            file.write(json.dumps(record) + "\n")

    start, failure = time.monotonic(), ""
    _, config = ordered()
    session = Session(LimitedDriver(dut, config.bus_bytes), config)
    judge = Judge(session)
    try:
        SELECTOR_FILE.write_text("0\n")
        await session.driver.reset()
        await judge.start()
        for selector in json.loads(os.environ["MUTATE_SELECTORS"]):
            tell(selector=selector, begun=True)
            tell(selector=selector, **await judge.judge(selector))
            await judge.check_none()
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        raise
    finally:
        session.write_result(Path("result.json"), failure, time.monotonic() - start)

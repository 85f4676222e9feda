"""The cocotb test module of every bench run: runs the case ordered, writes what it found as JSON."""

import time
import traceback
from pathlib import Path

import cocotb

from sim.cases import CASES
from sim.driver import Driver
from sim.runner import ordered
from sim.session import Session

RESULT_FILE = Path("result.json")


@cocotb.test()
async def bench(dut):
    """Run the case that was ordered."""
    cocotb.log.setLevel("WARNING")
    orders, config = ordered()
    session = Session(Driver(dut, config.bus_bytes), config, orders.initial)
    start, failure = time.monotonic(), ""
    try:
        await session.driver.reset()
        await CASES[orders.case].run(session, orders)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        Path("failure.txt").write_text(traceback.format_exc())
        raise
    finally:
        session.write_result(RESULT_FILE, failure, time.monotonic() - start)

"""The cocotb test module of every bench run: reads its orders from the environment, writes what it found as JSON."""

import json
import os
import time
import traceback
from pathlib import Path

import cocotb

from compiler.config import EngineConfig
from sim.cases import CASES, Orders
from sim.driver import Driver
from sim.session import Session

RESULT_FILE = Path("result.json")


@cocotb.test()
async def bench(dut):
    """Run the case named in SIM_ORDERS."""
    cocotb.log.setLevel("WARNING")
    orders = Orders(**json.loads(os.environ["SIM_ORDERS"]))
    config = EngineConfig(**json.loads(os.environ["SIM_CONFIG"]))
    session = Session(Driver(dut, config.bus_bytes), config)
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

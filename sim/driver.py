"""Drives the bench from cocotb: a handful of operations per program, no Python in any cycle."""

import time
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import Timer, ValueChange

from compiler import registers
from rtl.interfaces import Cause, Error
from sim.job import CAUSES_PER_LAYER, Job, Outcome

LOAD, DUMP, WRITE, READ, RUN, WAIT = 1, 2, 3, 4, 5, 6
PERIOD_NS = 2
FAULT_FILE = Path("fault.txt")
TRACE_FILE = Path("job_0.trace")
COUNTERS = ("CYCLES", "READ_BEATS", "WRITE_BEATS", *(cause.name for cause in Cause))
START = registers.pack("CONTROL", start=1)
INTERRUPTS = registers.pack("INTERRUPT_STATUS", done=1, error=1)


class SimulationError(AssertionError):
    """A run that broke a rule, never ended, or left other values than golden's; the message says which and where."""


class Driver:
    """The bench `dut` with its clock running; `folder` is the working directory of its simulator.

    cycles and seconds add up over all programs (seconds, cpu_seconds: inside RUN only).
    """

    def __init__(self, dut, bus_bytes: int, folder: Path = Path()):
        self._dut = dut
        self._bus_bytes = bus_bytes
        self._folder = folder
        self.trace_path = folder / TRACE_FILE
        self.cycles = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.programs = 0

    async def reset(self) -> None:
        """Start the clock, put every knob in its place and reset the engine."""
        dut = self._dut
        self.set_ports(dict.fromkeys(KNOBS, 0))
        (self._folder / FAULT_FILE).unlink(missing_ok=True)
        dut.request.value = 0
        Clock(dut.clk, PERIOD_NS, "ns").start()
        await self.reset_engine()

    async def reset_engine(self) -> None:
        """Hold aresetn low for some cycles."""
        self._dut.aresetn.value = 0
        await Timer(20 * PERIOD_NS, "ns")
        self._dut.aresetn.value = 1
        await Timer(20 * PERIOD_NS, "ns")

    def set_ports(self, values: dict[str, int]) -> None:
        """Set ports of the bench by name."""
        for name, value in values.items():
            getattr(self._dut, name).value = value

    def output(self, name: str) -> int:
        """Value of an output of the bench."""
        return int(getattr(self._dut, name).value)

    def _cpu(self) -> float:
        """Processor seconds of the simulator so far."""
        return time.process_time()

    async def _operate(self, operation: int, address: int = 0, data: int = 0) -> None:
        dut = self._dut
        self.set_ports({"operation": operation, "operand_address": address, "operand_data": data})
        dut.request.value = 1 - int(dut.reply.value)
        await ValueChange(dut.reply)

    async def write(self, name: str, value: int) -> int:
        """Write the register called `name`; the AXI-Lite response."""
        await self._operate(WRITE, registers.register(name).offset, value)
        return self.output("response")

    async def read(self, name: str) -> int:
        """Value of the register called `name`."""
        await self._operate(READ, registers.register(name).offset)
        return self.output("answer")

    async def fill(self, job: Job) -> None:
        """Fill memory with the job's bytes and give it the job's manners."""
        words = job.memory.reshape(-1, self._bus_bytes)
        words[:, ::-1].tofile(self._folder / "job_0.memory")
        ports = {"base": job.base, "size": job.memory.size, "layers": job.layers, "record": job.record,
                 "image_base": job.image[0], "image_size": job.image[1], "data_base": job.data[0],
                 "data_size": job.data[1], "cycle_limit": job.cycle_limit, "drain": job.drain}
        late = job.late or (0, 0, 0)
        ports |= dict(zip(("late_cycle", "late_address", "late_data"), late, strict=True))
        self.set_ports(ports | job.manners.ports())
        await self._operate(LOAD)

    async def prepare(self, job: Job) -> None:
        """Fill memory with the job's bytes and set every register but the start."""
        await self.fill(job)
        settings = {"IMAGE_BASE": job.image[0], "IMAGE_SIZE": job.image[1], "DATA_BASE": job.data[0],
                    "DATA_SIZE": job.data[1], "PROGRAM_OFFSET": job.program_offset, "TIMEOUT": job.timeout,
                    "INTERRUPT_ENABLE": INTERRUPTS}
        for name, value in settings.items():
            await self.write(name, value)

    async def start(self, job: Job) -> None:
        """Start the prepared program and wait for its interrupt or the job's limit."""
        await self._until_interrupt(RUN)

    async def wait(self) -> bool:
        """Wait for the interrupt of a program that a register write has started; False when the limit came first."""
        await self._until_interrupt(WAIT)
        return bool(self.output("finished"))

    async def _until_interrupt(self, operation: int) -> None:
        before, cpu = time.monotonic(), self._cpu()
        await self._operate(operation, registers.register("CONTROL").offset, START)
        self.seconds += time.monotonic() - before
        self.cpu_seconds += self._cpu() - cpu
        self.cycles += self.output("cycles")
        self.programs += 1

    async def collect(self) -> Outcome:
        """Registers and files of the program that has ended; clears the interrupt."""
        finished, cycles = bool(self.output("finished")), self.output("cycles")
        beats = self.output("read_beats"), self.output("write_beats")
        status = registers.unpack("STATUS", await self.read("STATUS"))
        counters = {name.lower(): await self.read(f"COUNT_{name}") for name in COUNTERS}
        await self.clear_interrupt()
        memory, faults = await self.dump()
        return Outcome(
            memory=memory, trace=self.trace_path,
            causes=np.fromfile(self._folder / "job_0.causes", "<u4").reshape(-1, CAUSES_PER_LAYER), cycles=cycles,
            beats=beats, finished=finished, error=status["error"], error_command=status["error_command"],
            counters=counters, faults=faults,
        )

    async def dump(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """What memory holds, uint8 as Job.memory, and the broken rules, one line each; the trace files are closed."""
        await self._operate(DUMP)
        fault_file = self._folder / FAULT_FILE
        faults = tuple(fault_file.read_text().splitlines()) if fault_file.exists() else ()
        return np.fromfile(self._folder / "job_0.dump", np.uint8), faults

    async def clear_interrupt(self) -> None:
        """Write-one-to-clear the interrupt."""
        await self.write("INTERRUPT_STATUS", INTERRUPTS)

    async def run(self, job: Job) -> Outcome:
        """prepare, start, collect; a broken rule is a SimulationError."""
        await self.prepare(job)
        await self.start(job)
        outcome = await self.collect()
        if outcome.faults:
            raise SimulationError("; ".join(outcome.faults[:3]))
        return outcome

    async def run_to_end(self, job: Job) -> Outcome:
        """`run` for a program that must end without error; a SimulationError tells how it ended otherwise."""
        outcome = await self.run(job)
        if not outcome.finished:
            raise SimulationError(f"no interrupt after {outcome.cycles} cycles")
        if outcome.error:
            raise SimulationError(f"error {Error(outcome.error).name} at command {outcome.error_command}")
        return outcome


KNOBS = (
    "operation", "operand_address", "operand_data", "late_cycle", "late_address", "late_data", "cycle_limit", "drain",
    "job", "record", "layers", "base", "size", "image_base", "image_size", "data_base", "data_size", "read_latency",
    "write_latency", "stalls", "seed", "order", "fail_read", "fail_write", "fail_response",
    "stop_channel", "stop_after",
)


def driver_of(dut, bus_bytes: int) -> Driver:
    """A Driver that logs only warnings."""
    cocotb.log.setLevel("WARNING")
    return Driver(dut, bus_bytes)

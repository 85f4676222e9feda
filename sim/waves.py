"""python -m sim.waves: the timing diagrams of docs/integration.md, from the simulated engine, as WaveDrom JSON and SVG.

A one-layer network runs on the engine `small`, started and watched by the C driver; the bench samples its bus signals
in every cycle (sim/verilog/wave_sampler.sv), and each diagram shows cycles of that run.
"""

import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import wavedrom

from compiler.config import preset
from compiler.documents import DOCS, write_documents
from compiler.program import compile_network
from compiler.registers import Offset
from sim.build import build_bench
from sim.c_driver import CDriver, CProgram, c_program, completed
from sim.diagram import Diagram, Trace
from sim.job import Job, Manners
from sim.layers import Builder, Shape
from sim.process import ProcessDriver

CONFIG = preset("small")
SEED = 9
LATENCY = 4  # cycles of the memory, few so that a diagram holds a burst
IMAGE, DATA, SIZE = 0x1000_0000, 0x1000_8000, 0x1_0000  # regions, and the memory that holds both

AXIL_WRITE = ("awaddr", "awvalid", "awready", "wdata", "wvalid", "wready", "bresp", "bvalid", "bready")
AXIL_READ = ("araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready")
READ = ("araddr", "arlen", "arvalid", "arready", "rdata", "rresp", "rlast", "rvalid", "rready")
WRITE = ("awaddr", "awlen", "awvalid", "awready", "wdata", "wlast", "wvalid", "wready", "bresp", "bvalid", "bready")
RUN = (
    "s_axil_awaddr", "s_axil_awvalid", "s_axil_wdata", "s_axil_bvalid", "m_axi_arvalid", "m_axi_rvalid",
    "m_axi_awvalid", "m_axi_wvalid", "m_axi_bvalid", "irq",
)


def _job() -> tuple[Job, CProgram]:
    """A small layer's program in a memory whose addresses are easy to read."""
    rng = np.random.default_rng(SEED)
    builder = Builder(rng, CONFIG.guard_bits, 16, 1, 2)
    builder.add(Shape(kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, channels=16))
    compiled = compile_network(builder.network("waves"), CONFIG)
    memory = np.zeros(SIZE, np.uint8)
    memory[: len(compiled.image)] = np.frombuffer(compiled.image, np.uint8)
    start = DATA - IMAGE + compiled.placements[compiled.network.input].offset
    given = compiled.pack_input(rng.integers(-128, 128, (16, 1, 2)).astype(np.int8))
    memory[start : start + len(given)] = np.frombuffer(given, np.uint8)
    behaviour = Manners(read_latency=LATENCY, write_latency=LATENCY)
    job = Job(memory=memory, base=IMAGE, image=(IMAGE, len(compiled.image)), data=(DATA, compiled.data_size),
              program_offset=compiled.program_offset, layers=1, manners=behaviour)
    return job, c_program(compiled)


def simulate(folder: Path) -> Trace:
    """The bus signals of every cycle in which the C driver opens the engine, loads a program and runs it once."""
    job, program = _job()
    file = folder / "waves.txt"
    with ProcessDriver(build_bench(CONFIG), CONFIG, folder, arguments=[f"+waves={file}"]) as driver:
        completed(driver.reset())
        completed(driver.fill(job))
        engine = CDriver(driver, sleep=True)
        results = [engine.open(), engine.load(program, job), engine.call("start", 1)]
        results += engine.wait("wait_interrupt", 1)
        completed(driver.dump())
    if any(results):
        raise RuntimeError(f"the program of the diagrams ended with {results}")
    return Trace.read(file)


def diagrams(trace: Trace) -> dict[str, Diagram]:
    """The diagrams by name."""
    write = trace.first("s_axil_awvalid", s_axil_awaddr=Offset.PROGRAM_OFFSET)
    read = trace.first("s_axil_arvalid", s_axil_araddr=Offset.ARRAY)
    burst = trace.first("m_axi_arvalid")
    last = trace.first("m_axi_rlast", after=trace.first("m_axi_rvalid", after=burst))
    stored = trace.first("m_axi_awvalid")
    start = trace.first("s_axil_awvalid", s_axil_awaddr=Offset.CONTROL)
    clear = trace.first("s_axil_awvalid", after=start, s_axil_awaddr=Offset.INTERRUPT_STATUS)
    raised = trace.first("irq")
    fetch, end = trace.first("m_axi_arvalid", after=start), trace.first("m_axi_bvalid", after=stored)
    return {
        "registers": Diagram("AXI4-Lite: write PROGRAM_OFFSET, read ARRAY", "s_axil_", (*AXIL_WRITE, *AXIL_READ), (
            (write - 1, write + 5), (read - 1, read + 5))),
        "read": Diagram("AXI4: a read burst", "m_axi_", READ, (
            (burst - 1, burst + 9), (last - 1, last + 2))),
        "write": Diagram("AXI4: a write burst", "m_axi_", WRITE, ((stored - 2, end + 2),)),
        "run": Diagram("From start to interrupt", "", RUN, (
            (start - 1, start + 4), (fetch - 1, fetch + 8), (stored - 2, end + 1), (raised - 2, raised + 2),
            (clear - 1, trace.last("irq") + 3)), scale=1),
    }


def documents() -> dict[Path, str]:
    """File -> what it must hold."""
    with tempfile.TemporaryDirectory() as folder:
        trace = simulate(Path(folder))
    made = {}
    for name, diagram in diagrams(trace).items():
        wave = diagram.wavedrom(trace)
        made[DOCS / f"integration_{name}.json"] = json.dumps(wave, indent=1) + "\n"
        made[DOCS / f"integration_{name}.svg"] = svg(wave)
    return made


def svg(wave: dict) -> str:
    """A WaveDrom diagram drawn."""
    text = io.StringIO()
    wavedrom.render(json.dumps(wave)).write(text, pretty=False)
    return text.getvalue() + "\n"


if __name__ == "__main__":
    write_documents(documents())
    sys.exit(0)

"""The C driver runs the simulated engine through its registers: results, errors, interrupts, reset."""

import ctypes
import subprocess

import numpy as np
import pytest

from compiler.config import preset
from compiler.encoding import Unit
from compiler.export import c_identifier, c_program
from compiler.layout import Placement
from compiler.program import CompiledNetwork, compile_network
from compiler.registers import ERRORS, MAGIC, REGISTERS, VERSION_MAJOR, Offset
from golden.errors import WesnpuError
from golden.file import save_network
from rtl.interfaces import Error
from sim import c_driver
from sim.build import build_bench
from sim.c_driver import CDriver, CTensor, compile_c, completed, driver_library, read_output, write_input
from sim.compiled import prepare_compiled
from sim.job import Channel, Manners
from sim.layers import random_network
from sim.plain_program import plain_program
from sim.process import ProcessDriver
from sim.programs import changed
from sim.session import Prepared, prepare_plain
from tests.cli import run

CONFIG = preset("small")
OK, BUSY, NO_ENGINE, WRONG_VERSION, WRONG_ENGINE, BAD_ADDRESS, NOT_STARTED = 0, -1, -2, -3, -4, -5, -6
LOOKS = 100_000


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c_driver")
    with ProcessDriver(build_bench(CONFIG), CONFIG, folder) as driver:
        yield driver


@pytest.fixture
def bench(simulator) -> ProcessDriver:
    completed(simulator.reset())
    return simulator


def network_of(seed: int) -> tuple[CompiledNetwork, np.ndarray, Prepared]:
    network, image = random_network("chain", seed, CONFIG.guard_bits)
    compiled = compile_network(network, CONFIG)
    return compiled, image, prepare_compiled(compiled, image, Manners(), seed)


def memory_after(bench: ProcessDriver) -> np.ndarray:
    memory, faults = completed(bench.dump())
    assert not faults
    return memory


def start_and_wait(engine: CDriver, sleep: bool) -> tuple[int, int]:
    assert engine.call("start", int(sleep)) == OK
    return engine.wait("wait_interrupt", 1) if sleep else engine.wait("wait", LOOKS)


@pytest.mark.parametrize("sleep", [False, True], ids=["polling", "interrupt"])
@pytest.mark.parametrize("seed", [2, 5])
def test_a_network_runs_through_the_driver(bench, sleep, seed):
    compiled, image, prepared = network_of(seed)
    program, job = c_driver.c_program(compiled), prepared.job
    given = prepared.placement.data_view(job.memory)
    mine = np.random.default_rng(seed).integers(0, 256, given.size, dtype=np.uint8)
    write_input(program.input, image, mine)
    size = compiled.placements[compiled.network.input].size
    cut = slice(program.input.offset, program.input.offset + size)
    assert np.array_equal(mine[cut], given[cut])
    completed(bench.fill(job))
    engine = CDriver(bench, sleep=sleep)
    assert engine.open() == OK and engine.load(program, job) == OK
    assert start_and_wait(engine, sleep) == (OK, 0)
    assert engine.handled == int(sleep) and engine.accesses > 20 and not engine.responses
    counters = engine.counters()
    causes = {name: count for name, count in counters.items() if name not in ("cycles", "read_beats", "write_beats")}
    assert sum(causes.values()) == counters["cycles"] > 0 and counters["read_beats"] > 0 < counters["write_beats"]
    memory = memory_after(bench)
    assert np.array_equal(memory, prepared.final) and not np.array_equal(memory, job.memory)
    data = prepared.placement.data_view(memory)
    for index, name in enumerate(compiled.network.outputs):
        expected = prepared.expected.tensors[name][: compiled.network.tensors[name].channels]
        assert np.array_equal(read_output(program.outputs[index], data), expected)


def broken(field: str, value: int) -> tuple[Prepared, object, int]:
    """(the correct program, the job with a field of its COMPUTE command replaced, that command's number)."""
    network, image = random_network("depthwise", 3, CONFIG.guard_bits)
    prepared = prepare_plain(network, image, CONFIG, Manners(), 3)
    job, number = changed(prepared, plain_program(network, CONFIG), Unit.COMPUTE, **{field: value})
    return prepared, job, number


def plain_c_program(prepared: Prepared) -> c_driver.CProgram:
    """A program at offset 0 for this engine; its tensors are not used."""
    compiled, _, _ = network_of(2)
    program = c_driver.c_program(compiled)
    program.image_size, program.data_size = prepared.job.image[1], prepared.job.data[1]
    program.program_offset = prepared.job.program_offset
    return program


ILLEGAL = [("stride_y", 3, Error.FIELD), ("output_base", 65535, Error.SCRATCHPAD)]


@pytest.mark.parametrize("sleep", [False, True], ids=["polling", "interrupt"])
@pytest.mark.parametrize("field, value, error", ILLEGAL)
def test_an_illegal_command_is_told_by_code_and_number(bench, field, value, error, sleep):
    prepared, job, number = broken(field, value)
    completed(bench.fill(job))
    engine = CDriver(bench, sleep=sleep)
    assert engine.open() == OK and engine.load(plain_c_program(prepared), job) == OK
    assert number > 0 and start_and_wait(engine, sleep) == (error, number)
    memory_after(bench)
    completed(bench.fill(prepared.job))
    assert start_and_wait(engine, sleep) == (OK, 0)
    assert np.array_equal(memory_after(bench), prepared.final)


def test_reset_in_the_middle_then_run_again(bench):
    compiled, _, prepared = network_of(5)
    completed(bench.fill(prepared.job))
    engine = CDriver(bench)
    program = c_driver.c_program(compiled)
    assert engine.open() == OK and engine.load(program, prepared.job) == OK
    assert engine.call("start", 0) == OK
    assert engine.wait("wait", 3)[0] == BUSY and engine.call("start", 0) == BUSY
    assert engine.load(program, prepared.job) == BUSY and engine.call("set_timeout", ctypes.c_uint32(9)) == BUSY
    assert engine.call("soft_reset", ctypes.c_uint32(LOOKS)) == OK
    assert engine.wait("wait", 1) == (Error.ABORTED, 0)
    memory_after(bench)
    completed(bench.fill(prepared.job))
    assert start_and_wait(engine, sleep=False) == (OK, 0) and not engine.responses
    assert engine.call("soft_reset", ctypes.c_uint32(1)) == OK
    assert np.array_equal(memory_after(bench), prepared.final)


def test_a_silent_memory_ends_by_time_out(bench):
    compiled, _, prepared = network_of(5)
    job = prepared.job.with_(manners=Manners(stop_channel=Channel.R, stop_after=20))
    completed(bench.fill(job))
    engine = CDriver(bench)
    assert engine.open() == OK and engine.load(c_driver.c_program(compiled), job) == OK
    assert engine.call("set_timeout", ctypes.c_uint32(300)) == OK
    assert engine.call("start", 0) == OK and engine.wait("wait", LOOKS) == (Error.TIMEOUT, 0)


def test_calls_that_cannot_succeed_change_nothing(bench):
    compiled, _, prepared = network_of(2)
    engine, program, job = CDriver(bench), c_driver.c_program(compiled), prepared.job
    assert engine.open() == OK and engine.wait("wait", 1)[0] == NOT_STARTED
    assert engine.wait("wait", 0)[0] == engine.wait("wait_interrupt", 3)[0] == BUSY
    assert engine.call("on_interrupt") == 0
    for image, data in ((job.image[0] + 32, job.data[0]), (job.image[0], job.data[0] + 1), (0xFFFFFFC0, job.data[0])):
        assert engine.load(program, job.with_(image=(image, 0), data=(data, 0))) == BAD_ADDRESS
    for index in range(len(program.engine)):
        program.engine[index] += 1
        assert engine.load(program, job) == WRONG_ENGINE
        program.engine[index] -= 1
    assert completed(bench.read("IMAGE_BASE")) == completed(bench.read("DATA_SIZE")) == 0
    top = (1 << 32) - program.image_size
    assert engine.load(program, job.with_(image=(top, 0))) == OK and completed(bench.read("IMAGE_BASE")) == top


def test_memory_mapped_registers_and_another_device_behind_them():
    library = driver_library()
    library.wesnpu_memory_mapped.restype = c_driver.CBus
    registers = (ctypes.c_uint32 * 1024)()
    bus = library.wesnpu_memory_mapped(registers, c_driver.Idle())
    engine = c_driver.CEngine()
    for magic, version, result in ((0, 0, NO_ENGINE), (MAGIC, (VERSION_MAJOR + 1) << 16, WRONG_VERSION),
                                   (MAGIC, VERSION_MAJOR << 16 | 7, OK)):
        registers[Offset.MAGIC // 4], registers[Offset.VERSION // 4] = magic, version
        assert library.wesnpu_open(ctypes.byref(engine), ctypes.byref(bus)) == result
    assert registers[Offset.INTERRUPT_STATUS // 4] == 3 and registers[Offset.INTERRUPT_ENABLE // 4] == 0
    assert not any(registers[one.offset // 4] for one in REGISTERS if one.offset > Offset.INTERRUPT_STATUS)


SHAPES = [((3, 5, 6), True), ((1, 4, 4), True), ((17, 3, 5), False), ((16, 1, 1), False)]


@pytest.mark.parametrize("shape, packed", SHAPES)
def test_tensors_lie_as_the_compiler_places_them(shape, packed):
    rng = np.random.default_rng(4)
    where = Placement(64, *shape, packed)
    values = rng.integers(-128, 128, shape).astype(np.int8)
    data = np.zeros(64 + where.size + 64, np.uint8)
    tensor = CTensor(where.offset, *shape, int(packed), -7)
    write_input(tensor, values, data)
    assert data.tobytes() == bytes(64) + where.pack(values, -7) + bytes(64)
    assert np.array_equal(read_output(tensor, data), values)


def test_results_of_the_header_are_the_documented_errors():
    header = (c_driver.FOLDER / "wesnpu.h").read_text()
    for error in Error:
        if error:
            assert f"WESNPU_ERROR_{error.name} = {int(error)}," in header
            assert ERRORS[error].split(" (")[0] in header
    for name, value in {"BUSY": BUSY, "NO_ENGINE": NO_ENGINE, "WRONG_VERSION": WRONG_VERSION, "WRONG_ENGINE":
                        WRONG_ENGINE, "BAD_ADDRESS": BAD_ADDRESS, "NOT_STARTED": NOT_STARTED}.items():
        assert f"WESNPU_{name} = {value}" in header


def test_the_library_needs_no_c_library_and_warnings_are_errors(tmp_path):
    undefined = subprocess.run(["nm", "-D", "--undefined-only", driver_library()._name], capture_output=True, text=True)
    assert undefined.returncode == 0 and "mem" not in undefined.stdout and " U " not in undefined.stdout
    source = tmp_path / "unused.c"
    source.write_text("static int unused(void) { return 0; }\n")
    with pytest.raises(WesnpuError, match="gcc refuses unused.c"):
        compile_c([source], tmp_path / "unused.o", "-c")


MAIN = """#include <stdio.h>
#include "{name}.h"
int main(void)
{{
    const struct wesnpu_program *p = &{name};
    printf("%u %u %u %u", p->image_size, p->program_offset, p->data_size, p->output_count);
    for (unsigned i = 0; i < 7; i++)
        printf(" %u", p->engine[i]);
    printf(" %u %u %d", p->input.width, p->outputs[p->output_count - 1].offset, p->input.zero_point);
    return 0;
}}
"""


def test_compile_writes_what_the_driver_takes(tmp_path):
    compiled, _, _ = network_of(5)
    save_network(compiled.network, tmp_path / "net.npz")
    shown = run("compile", tmp_path / "net.npz", "-o", tmp_path / "out", "--config", "small", "--listing")
    name = c_identifier(compiled.network.name)
    assert shown.exit_code == 0 and name in shown.output
    assert (tmp_path / "out" / f"{name}.bin").read_bytes() == compiled.image
    assert (tmp_path / "out" / f"{name}.txt").read_text() == compiled.listing()
    assert (tmp_path / "out" / f"{name}.h").read_text() == c_program(compiled)
    main = tmp_path / "main.c"
    main.write_text(MAIN.format(name=name))
    printed = subprocess.run([compile_c([main], tmp_path / "main", f"-I{tmp_path / 'out'}")], capture_output=True)
    mine = c_driver.c_program(compiled)
    sizes = [mine.image_size, mine.program_offset, mine.data_size, mine.output_count, *mine.engine]
    last = mine.outputs[mine.output_count - 1]
    assert [int(word) for word in printed.stdout.split()] == [*sizes, mine.input.width, last.offset,
                                                             mine.input.zero_point]


def test_names_become_identifiers_and_comments_stay_closed():
    assert [c_identifier(name) for name in ("net", "2 nets", "a-b.c", "")] == ["net", "_2_nets", "a_b_c", "_"]


def test_an_unknown_engine_is_one_line(tmp_path):
    compiled, _, _ = network_of(2)
    save_network(compiled.network, tmp_path / "net.npz")
    shown = run("compile", tmp_path / "net.npz", "-o", tmp_path, "--config", "huge")
    assert shown.exit_code == 2 and "--config is 'huge'" in shown.output

"""Every register by cocotbext-axi: values, access rules, strobes, responses, under stalls on every channel."""

import time

import cocotb
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp

from compiler.config import EngineConfig
from compiler.registers import ADDRESS_BITS, REGISTERS, Access, Register, identification, pack, register
from sim.block_cases import write_block_result
from sim.blocks.manager import alternating_pause, manager, pause_channels, random_pause, reset, start_clock
from sim.runner import ordered

PATTERNS = {
    "none": lambda seed: {},
    "W before AW": lambda seed: {"aw": alternating_pause()},
    "AW before W": lambda seed: {"w": alternating_pause()},
    "random": lambda seed: {name: random_pause(seed + i) for i, name in enumerate(("aw", "w", "b", "ar", "r"))},
    "alternating": lambda seed: {name: alternating_pause() for name in ("aw", "w", "b", "ar", "r")},
}
OF_MEMORY = ("PROGRAM_OFFSET", "IMAGE_BASE", "IMAGE_SIZE", "DATA_BASE", "DATA_SIZE")  # 0x30 .. 0x40
VALUES = (0xFFFFFFFF, 0x12345678, 0)


class Comparisons:
    """Counts comparisons; the first difference is the run's failure."""

    def __init__(self):
        self.count = 0

    def equal(self, what: str, actual: object, expected: object) -> None:
        """AssertionError that names the place unless both are equal."""
        self.count += 1
        assert actual == expected, f"{what}: expected {expected}, got {actual}"


async def _read(master, check: Comparisons, offset: int, response=AxiResp.OKAY) -> int:
    answer = await master.read(offset, 4)
    check.equal(f"response to a read of {offset:#x}", answer.resp, response)
    return int.from_bytes(answer.data, "little")


async def _fixed(master, check: Comparisons, config: EngineConfig) -> None:
    """Identification reads as documented, before and after a write."""
    for name, value in identification(config).items():
        offset = next(one.offset for one in REGISTERS if one.name == name)
        for _ in range(2):
            check.equal(name, await _read(master, check, offset), value)
            await master.write(offset, b"\xff\xff\xff\xff")


def _held(word: Register, config: EngineConfig) -> int:
    """The bits that a register of this engine holds: LIMITS tells what it leaves out."""
    if word.name == "TIMEOUT" and config.without_timeout:
        return 0
    return word.mask & ((1 << config.address_bits) - 1 if word.name in OF_MEMORY else ~0)


async def _writable(master, check: Comparisons, config: EngineConfig) -> None:
    """READ_WRITE registers hold every bit of their fields that the engine has, byte by byte, and no other bit."""
    for word in (one for one in REGISTERS if one.access == Access.READ_WRITE):
        held = _held(word, config)
        for value in VALUES:
            await master.write(word.offset, value.to_bytes(4, "little"))
            check.equal(word.name, await _read(master, check, word.offset), value & held)
        for byte in range(4):
            await master.write(word.offset + byte, b"\xa5")
            want = int.from_bytes(b"\xa5" * (byte + 1) + bytes(3 - byte), "little")
            check.equal(f"{word.name} byte {byte}", await _read(master, check, word.offset), want & held)
        await master.write(word.offset, bytes(4))


async def _read_only(master, check: Comparisons) -> None:
    """Read-only registers of an idle engine refuse to be written and do not change."""
    for word in (one for one in REGISTERS if one.access == Access.READ_ONLY):
        before = await _read(master, check, word.offset)
        answer = await master.write(word.offset, b"\xff\xff\xff\xff")
        check.equal(f"write to read-only {word.name} is an error", answer.resp != AxiResp.OKAY, True)
        check.equal(f"{word.name} after a write", await _read(master, check, word.offset), before)


async def _unmapped(master, check: Comparisons) -> None:
    """Addresses without a register are answered with an error, both ways."""
    used = {one.offset for one in REGISTERS}
    for offset in (*sorted(set(range(0, 0x100, 4)) - used), 0x200, (1 << ADDRESS_BITS) - 4):
        answer = await master.read(offset, 4)
        check.equal(f"read of unmapped {offset:#x} is an error", answer.resp != AxiResp.OKAY, True)
        answer = await master.write(offset, b"\xff\xff\xff\xff")
        check.equal(f"write to unmapped {offset:#x} is an error", answer.resp != AxiResp.OKAY, True)


async def _locked(dut, master, check: Comparisons) -> None:
    """While a program waits for a memory that never answers, locked registers refuse writes and do not change."""
    for name in ("arready", "rvalid", "awready", "wready", "bvalid"):
        getattr(dut, f"m_axi_{name}").value = 0
    await master.write_dword(register("IMAGE_SIZE").offset, 4096)
    await master.write_dword(register("CONTROL").offset, pack("CONTROL", start=1))
    for one in (one for one in REGISTERS if one.locked):
        before = await _read(master, check, one.offset)
        answer = await master.write(one.offset, b"\xff\xff\xff\xff")
        check.equal(f"write to locked {one.name} is an error", answer.resp != AxiResp.OKAY, True)
        check.equal(f"{one.name} after a write while busy", await _read(master, check, one.offset), before)
    check.equal("STATUS of a busy engine", await _read(master, check, register("STATUS").offset), 1)
    await reset(dut)


@cocotb.test()
async def registers(dut):
    """Every rule under every stall pattern."""
    start, check, failure = time.monotonic(), Comparisons(), ""
    orders, config = ordered()
    try:
        await start_clock(dut)
        master = manager(dut)
        for name, pattern in PATTERNS.items():
            failure = f"stalls {name}"
            pause_channels(master, pattern(orders.seed))
            await _fixed(master, check, config)
            await _writable(master, check, config)
            await _read_only(master, check)
            await _unmapped(master, check)
            await _locked(dut, master, check)
        await ClockCycles(dut.clk, 20)
        check.equal("interrupt of an idle engine", int(dut.irq.value), 0)
        failure = ""
    except AssertionError as error:
        failure = f"{error} ({failure})"
        raise
    finally:
        write_block_result(check.count, time.monotonic() - start, failure)

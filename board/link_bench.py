"""The link alone, for tests: a small memory, and registers that tell how often they were written."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from board.access import BEAT_BYTES, BoardAccess, ByteSwitch, RegisterAccess, board_bytes
from board.link import Link
from board.memory import BoardMemory
from compiler.registers import ADDRESS_BITS
from rtl.axi4_lite import DATA_BITS, Axi4LiteSubordinate, axi4_lite_signature

MEMORY_BYTES = 4096
CLOCK_HZ = 50_000_000
TALLIES = 4  # registers; the last one is read-only


class Tallies(wiring.Component):
    """AXI4-Lite registers that add what is written to what they hold: a write that is executed twice is seen.

    The last one cannot be written (SLVERR) and reads 1; beyond it there is none (SLVERR).
    """

    def __init__(self):
        super().__init__({"axi": In(axi4_lite_signature(ADDRESS_BITS))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bus = bus = Axi4LiteSubordinate(address_bits=ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.axi), bus.axi)
        written = Signal(DATA_BITS)
        m.d.comb += [
            written.eq(bus.write_data & Cat(*(strobe.replicate(8) for strobe in bus.write_strobe))),
            bus.write_error.eq(bus.write_address >= TALLIES - 1), bus.read_error.eq(bus.read_address >= TALLIES),
        ]
        with m.If(bus.read_address == TALLIES - 1):
            m.d.comb += bus.read_data.eq(1)
        for number in range(TALLIES - 1):
            total = Signal(DATA_BITS, name=f"total_{number}")
            with m.If(bus.write & (bus.write_address == number)):
                m.d.sync += total.eq(total + written)
            with m.If(bus.read_address == number):
                m.d.comb += bus.read_data.eq(total)
        return m


class LinkBench(wiring.Component):
    """Link, memory and tallies; the engine's side of the memory rests.

    Members: `rx`, `tx`. Writing an odd number to tally 2 makes the memory busy, another odd number frees it again.
    """

    def __init__(self, *, divisor: int):
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(divisor=self._divisor, memory_bytes=MEMORY_BYTES)
        m.submodules.switch = switch = ByteSwitch()
        m.submodules.memory = memory = BoardMemory(words=MEMORY_BYTES // BEAT_BYTES)
        m.submodules.register_access = register_access = RegisterAccess()
        m.submodules.tallies = tallies = Tallies()
        description = board_bytes(memory_bytes=MEMORY_BYTES, clock_hz=CLOCK_HZ, name="bench")
        m.submodules.board_access = board_access = BoardAccess(description)
        wiring.connect(m, link.bus, switch.bus)
        wiring.connect(m, switch.memory, memory.bus)
        wiring.connect(m, switch.register, register_access.bus)
        wiring.connect(m, switch.board, board_access.bus)
        wiring.connect(m, register_access.axi, tallies.axi)
        axi = register_access.axi
        with m.If(axi.wvalid & axi.wready & axi.wstrb[0] & axi.wdata[0] & (axi.awaddr == 8)):
            m.d.sync += link.busy.eq(~link.busy)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m

"""A complete design for any board: engine, memory and UART link in one clock domain."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from board.access import BEAT_BYTES, BoardAccess, ByteSwitch, RegisterAccess, board_bytes
from board.link import Link
from board.memory import BoardMemory
from compiler.config import EngineConfig
from rtl.engine import Engine
from rtl.interfaces import BEAT_BITS, Error
from rtl.one_beat_adaptor import OneBeatAdaptor
from rtl.ram_adaptor import RamAdaptor
from rtl.registers import Registers

TOP = "wesnpu_board"  # of its Verilog


class Soc(wiring.Component):
    """The link is the master of the registers, and of the memory while no program runs; then it is the engine's.

    Parameters: config.  memory_words: 16-byte words of the memory, a power of two in 16..2^20.  memory_width: bits of
    its rows, 128 or 64.  divisor: clock cycles per bit of the UART.  clock_hz, name: told to the host (docs/link.md).

    Members: `rx`, `tx`: the UART's lines; `busy`: a program runs; `failed`: the last program ended with an error.
    """

    def __init__(
        self, config: EngineConfig, *, memory_words: int, divisor: int, clock_hz: int, name: str,
        memory_width: int = BEAT_BITS,
    ):
        self._config, self._words, self._divisor, self._width = config, memory_words, divisor, memory_width
        self._description = board_bytes(memory_bytes=memory_words * BEAT_BYTES, clock_hz=clock_hz, name=name)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1), "failed": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(divisor=self._divisor, memory_bytes=self._words * BEAT_BYTES)
        m.submodules.switch = switch = ByteSwitch()
        m.submodules.memory = memory = BoardMemory(words=self._words, width=self._width)
        m.submodules.register_access = register_access = RegisterAccess()
        m.submodules.board_access = board_access = BoardAccess(self._description)
        adaptor_of = OneBeatAdaptor if self._config.in_order else RamAdaptor
        m.submodules.adaptor = adaptor = adaptor_of(words=self._words, width=self._width)
        m.submodules.registers = registers = Registers(self._config)
        m.submodules.engine = engine = Engine(self._config)

        wiring.connect(m, link.bus, switch.bus)
        wiring.connect(m, switch.memory, memory.bus)
        wiring.connect(m, switch.register, register_access.bus)
        wiring.connect(m, switch.board, board_access.bus)
        wiring.connect(m, register_access.axi, registers.axi)
        wiring.connect(m, registers.control, engine.control)
        wiring.connect(m, registers.counters, engine.counters)
        wiring.connect(m, engine.memory, adaptor.memory)
        m.d.comb += [
            link.rx.eq(self.rx), self.tx.eq(link.tx),
            memory.address.eq(adaptor.address), memory.write_data.eq(adaptor.write_data),
            memory.write_enable.eq(adaptor.write_enable), adaptor.read_data.eq(memory.read_data),
            memory.engine_owns.eq(engine.control.busy), link.busy.eq(engine.control.busy),
            self.busy.eq(engine.control.busy), self.failed.eq(engine.control.error != Error.NONE),
        ]
        return m

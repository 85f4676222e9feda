"""One bank of the scratchpad: a memory with one read and one write port, each granted by fixed priority."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig

WORD_BITS = WORD_BYTES * 8
#: A word is never read in the cycle that writes it (docs/engine.md, "Tokens"): synthesis need not order the two.
UNORDERED = {"no_rw_check": True}


class Bank(wiring.Component):
    """`scratchpad_words / banks` words of 16 bytes.

    Members: `array[j]`, `array_index[j]`: row j of the array reads here (at most one does, docs/engine.md); `residual`,
    `residual_index`: read where the array does not; `store_index`: read where neither does; `read_data`: the word,
    `latency` cycles later. `result`, `result_index`, `result_sub`, `result_data`: `lanes` bytes written from byte
    sub * lanes on; `load`, `load_index`, `load_data`: a word written where no result is.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._lanes, self._depth = config.lanes, config.scratchpad_words // config.banks
        index = In(range(self._depth))
        super().__init__(
            {
                "array": In(config.row_ports),
                "array_index": In(data.ArrayLayout((self._depth - 1).bit_length(), config.row_ports)),
                "residual": In(1),
                "residual_index": index,
                "store_index": index,
                "read_data": Out(WORD_BITS),
                "result": In(1),
                "result_index": index,
                "result_sub": In(3),
                "result_data": In(config.lanes * 8),
                "load": In(1),
                "load_index": index,
                "load_data": In(WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=WORD_BITS, depth=self._depth, init=[], attrs=UNORDERED)
        self._read(m, memory.read_port())
        self._write(m, memory.write_port(granularity=self._lanes * 8))
        return m

    def _read(self, m, port) -> None:
        registered = Signal(WORD_BITS, reset_less=True)
        m.d.comb += [port.en.eq(1), self.read_data.eq(registered)]
        m.d.sync += registered.eq(port.data)
        with m.If(self.array.any()):
            index = 0
            for j, reads in enumerate(self.array):
                index = index | Mux(reads, self.array_index[j], 0)
            m.d.comb += port.addr.eq(index)
        with m.Elif(self.residual):
            m.d.comb += port.addr.eq(self.residual_index)
        with m.Else():
            m.d.comb += port.addr.eq(self.store_index)

    def _write(self, m, port) -> None:
        parts = WORD_BYTES // self._lanes
        with m.If(self.result):
            m.d.comb += [
                port.addr.eq(self.result_index),
                port.data.eq(Cat(*[self.result_data] * parts)),
                port.en.eq(1 << self.result_sub),
            ]
        with m.Else():
            m.d.comb += [
                port.addr.eq(self.load_index),
                port.data.eq(self.load_data),
                port.en.eq(Mux(self.load, (1 << parts) - 1, 0)),
            ]

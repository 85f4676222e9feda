"""One bank of the scratchpad: a memory with one read and one write port; who reads is decided by fixed priority."""

from functools import reduce
from itertools import repeat
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from rtl.delay import delayed

WORD_BITS = WORD_BYTES * 8
SUB_BITS = 3  # lane group within a word
#: A word is never read in the cycle that writes it (docs/engine.md, "Tokens"): synthesis need not order the two.
UNORDERED = {"no_rw_check": True}


def lane_bytes(word, group_sub, lanes: int):
    """The bytes of a lane group in a word."""
    return word.word_select(group_sub[: (WORD_BYTES // lanes - 1).bit_length()], lanes * 8)


class Bank(wiring.Component):
    """`scratchpad_words / banks` words of 16 bytes.

    Members: `array[j]`, `array_index[j]`: row j of the array reads here in the next cycle (at most one does,
    docs/engine.md); `array_sub`: the lane group that it wants; `busy`: the array reads in this cycle; `residual`,
    `residual_index`, `residual_sub`: read where it does not; `store_index`: read where neither does; `read_data`: the
    word, `read_part`: the bytes of the lane group in it, `latency` cycles after what decides, for the array one more.
    `write`: which of the word's groups of `lanes` bytes are written, from `write_data` at `write_index`.
    """

    latency = 3

    def __init__(self, config: EngineConfig):
        self._lanes, self._depth = config.lanes, config.scratchpad_words // config.banks
        index = In(range(self._depth))
        super().__init__(
            {
                "array": In(config.row_ports),
                "array_index": In(data.ArrayLayout((self._depth - 1).bit_length(), config.row_ports)),
                "array_sub": In(SUB_BITS),
                "busy": Out(1),
                "residual": In(1),
                "residual_index": index,
                "residual_sub": In(SUB_BITS),
                "store_index": index,
                "read_data": Out(WORD_BITS),
                "read_part": Out(config.lanes * 8),
                "write": In(WORD_BYTES // config.lanes),
                "write_index": index,
                "write_data": In(WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=WORD_BITS, depth=self._depth, init=[], attrs=UNORDERED)
        self._read(m, memory.read_port())
        write = memory.write_port(granularity=self._lanes * 8)
        m.d.comb += [write.addr.eq(self.write_index), write.data.eq(self.write_data), write.en.eq(self.write)]
        return m

    def _read(self, m, port) -> None:
        index = Signal.like(port.addr, name="index", reset_less=True)
        array_index, array_sub = Signal.like(port.addr, reset_less=True), Signal(SUB_BITS, reset_less=True)
        m.d.sync += [
            self.busy.eq(self.array.any()),
            array_index.eq(reduce(or_, map(Mux, self.array, self.array_index, repeat(0)))),
            array_sub.eq(self.array_sub),
        ]
        with m.If(self.busy):
            m.d.sync += index.eq(array_index)
        with m.Elif(self.residual):
            m.d.sync += index.eq(self.residual_index)
        with m.Else():
            m.d.sync += index.eq(self.store_index)
        sub = delayed(
            m, Mux(self.busy, array_sub, self.residual_sub), self.latency, name="sub", reset_less=True
        )
        word = Signal(WORD_BITS, name="word", reset_less=True)
        m.d.sync += word.eq(port.data)
        m.d.comb += [
            port.addr.eq(index), port.en.eq(1), self.read_data.eq(word),
            self.read_part.eq(lane_bytes(word, sub, self._lanes)),
        ]

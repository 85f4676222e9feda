"""The scratchpad of an engine without queues: one memory of 16-byte words, read and written by one client a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from rtl.bank import UNORDERED, WORD_BITS
from rtl.scratchpad import ADDRESS_BITS, LoadWrite, results_layout


class InOrderScratchpad(wiring.Component):
    """COMPUTE reads and writes always at once; STORE reads and LOAD writes where it does not.

    Members (latencies in cycles): `row_address`, `row_enable`: COMPUTE's read; `word`: what was read, by whomever,
    `read_latency` later; `store`: stream of addresses, its word likewise; `result`, `result_valid`: results written at
    once; `load`: stream of LoadWrite. Addresses beyond the memory wrap.
    """

    read_latency = 1

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "row_address": In(config.size_bits),
                "row_enable": In(1),
                "word": Out(WORD_BITS),
                "store": In(stream.Signature(ADDRESS_BITS)),
                "result": In(results_layout(config)),
                "result_valid": In(1),
                "load": In(stream.Signature(LoadWrite)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        words, lanes = self._config.scratchpad_words, self._config.lanes
        m.submodules.memory = memory = Memory(shape=WORD_BITS, depth=words, init=[], attrs=UNORDERED)
        read, write = memory.read_port(), memory.write_port(granularity=lanes * 8)
        parts = WORD_BYTES // lanes
        load, result, pieces = self.load, self.result, Signal(parts)
        m.d.comb += [
            read.addr.eq(Mux(self.row_enable, self.row_address, self.store.payload)),
            read.en.eq(1),
            self.word.eq(read.data),
            self.store.ready.eq(~self.row_enable),
            load.ready.eq(~self.result_valid),
            pieces.eq(1 << result.sub),
            write.addr.eq(Mux(self.result_valid, result.address, load.payload.address)),
            write.data.eq(Mux(self.result_valid, Cat(*[result.data[0]] * parts), load.payload.data)),
            write.en.eq(Mux(self.result_valid, pieces, load.valid.replicate(parts))),
        ]
        return m

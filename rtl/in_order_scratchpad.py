"""The scratchpad of an engine without queues: read and written by one client a cycle, a part of a word each."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import EngineConfig
from rtl.bank import UNORDERED
from rtl.scratchpad import results_layout


def step_bits(config: EngineConfig) -> int:
    """Bits of the number of a part of `port_bytes` bytes within a word."""
    return (config.port_steps - 1).bit_length()


def part_address_bits(config: EngineConfig) -> int:
    """Bits of a part's address: the number of the part within its word, above it the word's address."""
    return config.size_bits + step_bits(config)


def load_layout(config: EngineConfig) -> data.StructLayout:
    """A part written by the mover, to part address `address`."""
    return data.StructLayout({"address": part_address_bits(config), "data": config.port_bytes * 8})


class InOrderScratchpad(wiring.Component):
    """COMPUTE reads and writes always at once; STORE reads and LOAD writes where it does not.

    A word is read and written in parts of `port_bytes` bytes, which have addresses of their own (`part_address_bits`).

    Members (latencies in cycles): `row_address`, `row_enable`: COMPUTE's read; `part`: what was read, by whomever,
    `read_latency` later; `store`: stream of part addresses, answered likewise; `result`, `result_valid`: results
    written at once; `load`: stream of `load_layout`. Addresses beyond the memory wrap.
    """

    read_latency = 1

    def __init__(self, config: EngineConfig):
        self._config = config
        address = part_address_bits(config)
        super().__init__(
            {
                "row_address": In(address),
                "row_enable": In(1),
                "part": Out(config.port_bytes * 8),
                "store": In(stream.Signature(address)),
                "result": In(results_layout(config)),
                "result_valid": In(1),
                "load": In(stream.Signature(load_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, load, result = self._config, self.load, self.result
        groups = config.port_bytes // config.lanes  # lane groups of a part, a memory each
        fine, bits = (groups - 1).bit_length(), config.lanes * 8
        place, read_data = Cat(result.sub[fine : fine + step_bits(config)], result.address), []
        for group in range(groups):
            m.submodules[f"memory_{group}"] = memory = Memory(
                shape=bits, depth=config.scratchpad_words * config.port_steps, init=[], attrs=UNORDERED
            )
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                read.addr.eq(Mux(self.row_enable, self.row_address, self.store.payload)),
                read.en.eq(1),
                write.addr.eq(Mux(self.result_valid, place, load.payload.address)),
                write.data.eq(Mux(self.result_valid, result.data[0], load.payload.data.word_select(group, bits))),
                write.en.eq(Mux(self.result_valid, result.sub[:fine] == group, load.valid)),
            ]
            read_data.append(read.data)
        m.d.comb += [
            self.part.eq(Cat(*read_data)), self.store.ready.eq(~self.row_enable), load.ready.eq(~self.result_valid),
        ]
        return m

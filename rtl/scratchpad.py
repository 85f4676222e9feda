"""The scratchpad: one flat memory of 16-byte words in 8 * pixels banks, read by columns, written by pixel pairs.

A word's bank is its address mod (8 * pixels). Consecutive words lie in consecutive banks, so the `pixels` words from
any address on never collide, and the rows of a window do not when the compiler chose their pitch well
(docs/engine.md, "Memories").
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from compiler.config import ROW_BANKS, WORD_BYTES, EngineConfig

WORD_BITS = WORD_BYTES * 8
ADDRESS_BITS = 16


def results_layout(config: EngineConfig) -> data.StructLayout:
    """A result write: `lanes` bytes of each of `pixels` consecutive words from `address` on, at byte sub * lanes."""
    return data.StructLayout(
        {
            "address": ADDRESS_BITS,
            "sub": 3,
            "pixel_valid": config.pixels,
            "data": data.ArrayLayout(config.lanes * 8, config.pixels),
        }
    )


class LoadWrite(data.Struct):
    """One whole word written by the loader."""

    address: unsigned(ADDRESS_BITS)
    data: unsigned(WORD_BITS)


class Scratchpad(wiring.Component):
    """Activation memory with four clients; the array and the requantizer always win, the others wait for a free bank.

    Members (latencies in cycles):
      row_address[j], row_enable[j]: the array's read of `pixels` words from row_address[j] on, every cycle, no waiting;
      word[i]: row 0's word of pixel i, `row[j][i]`: every row's word, `read_latency` cycles later;
      residual, residual_word[i]: stream of addresses, answered `read_latency` cycles after acceptance;
      store, store_word: likewise, one word;
      result, result_valid: results written at once; load: stream of LoadWrite.
    """

    read_latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        rows, pixels = config.window_kernel, config.pixels
        word = data.ArrayLayout(WORD_BITS, pixels)
        super().__init__(
            {
                "row_address": In(data.ArrayLayout(ADDRESS_BITS, rows)),
                "row_enable": In(rows),
                "row": Out(data.ArrayLayout(word, rows)),
                "residual": In(stream.Signature(ADDRESS_BITS)),
                "residual_word": Out(word),
                "store": In(stream.Signature(ADDRESS_BITS)),
                "store_word": Out(WORD_BITS),
                "result": In(results_layout(config)),
                "result_valid": In(1),
                "load": In(stream.Signature(LoadWrite)),
            }
        )

    def _row_of(self, address, parity: int):
        """Bank row and index of the word of this parity among the `pixels` words from `address` on."""
        if self._config.pixels == 1:
            index = address
        else:
            index = ((address + (1 - parity)) >> 1)[: ADDRESS_BITS - 1]
        return index[: ROW_BANKS.bit_length() - 1], index[ROW_BANKS.bit_length() - 1 :]

    def elaborate(self, platform):
        m = Module()
        self._outputs = {}
        granted = {"residual": [], "store": [], "load": []}
        banks = []
        for parity in range(self._config.pixels):
            banks.append(self._column_banks(m, parity, granted))
        for client in granted:
            free = Signal(name=f"{client}_free")
            m.d.comb += [free.eq(Cat(*granted[client]).all()), getattr(self, client).ready.eq(free)]
        self._read_out(m, banks)
        return m

    def _column_banks(self, m, parity: int, granted) -> list:
        """The eight banks of one column parity: request muxes, arbitration, memories; returns the registered data."""
        config, name = self._config, f"p{parity}"
        depth = config.scratchpad_words // config.banks
        rows = [self._row_of(self.row_address[j], parity) for j in range(config.window_kernel)]
        residual_bank, residual_index = self._row_of(self.residual.payload, parity)
        store_bank, store_index = self._row_of(self.store.payload, parity)
        store_here = self.store.payload[0] == parity if config.pixels == 2 else 1
        if config.pixels == 2:
            store_bank, store_index = self.store.payload[1:4], self.store.payload[4:]
            load_bank, load_index = self.load.payload.address[1:4], self.load.payload.address[4:]
            load_here = self.load.payload.address[0] == parity
            pixel = Mux(self.result.address[0], 1 - parity, parity)
        else:
            load_bank, load_index = self.load.payload.address[:3], self.load.payload.address[3:]
            load_here, pixel = 1, 0
        result_bank, result_index = self._row_of(self.result.address, parity)
        result_here = self.result_valid & Array(self.result.pixel_valid[i] for i in range(config.pixels))[pixel]
        lanes_per_word = WORD_BYTES // config.lanes
        result_data = Signal(config.lanes * 8, name=f"result_data_{name}")
        m.d.comb += result_data.eq(Array(self.result.data[i] for i in range(config.pixels))[pixel])

        residual_blocked = Signal(ROW_BANKS, name=f"residual_blocked_{name}")
        store_blocked = Signal(ROW_BANKS, name=f"store_blocked_{name}")
        load_blocked = Signal(ROW_BANKS, name=f"load_blocked_{name}")
        outputs = []
        for r in range(ROW_BANKS):
            memory = Memory(shape=WORD_BITS, depth=depth, init=[])
            m.submodules[f"bank_{name}_{r}"] = memory
            read, write = memory.read_port(), memory.write_port(granularity=config.lanes * 8)
            by_array = [self.row_enable[j] & (rows[j][0] == r) for j in range(config.window_kernel)]
            array_hit = Signal(name=f"array_hit_{name}_{r}")
            residual_hit = Signal(name=f"residual_hit_{name}_{r}")
            result_hit = Signal(name=f"result_hit_{name}_{r}")
            m.d.comb += [
                array_hit.eq(Cat(*by_array).any()),
                residual_hit.eq(self.residual.valid & (residual_bank == r)),
                result_hit.eq(result_here & (result_bank == r)),
                residual_blocked[r].eq((residual_bank == r) & array_hit),
                store_blocked[r].eq(store_here & (store_bank == r) & (array_hit | residual_hit)),
                load_blocked[r].eq(load_here & (load_bank == r) & result_hit),
                read.en.eq(1),
            ]
            with m.If(array_hit):
                index = 0
                for j in range(config.window_kernel):
                    index = index | Mux(by_array[j], rows[j][1], 0)
                m.d.comb += read.addr.eq(index)
            with m.Elif(residual_hit):
                m.d.comb += read.addr.eq(residual_index)
            with m.Else():
                m.d.comb += read.addr.eq(store_index)
            with m.If(result_hit):
                m.d.comb += [
                    write.addr.eq(result_index),
                    write.data.eq(Cat(*[result_data] * lanes_per_word)),
                    write.en.eq(1 << self.result.sub),
                ]
            with m.Else():
                m.d.comb += [
                    write.addr.eq(load_index),
                    write.data.eq(self.load.payload.data),
                    write.en.eq(
                        Mux(
                            self.load.valid & self.load.ready & load_here & (load_bank == r),
                            (1 << lanes_per_word) - 1,
                            0,
                        )
                    ),
                ]
            registered = Signal(WORD_BITS, name=f"bank_data_{name}_{r}", reset_less=True)
            m.d.sync += registered.eq(read.data)
            outputs.append(registered)
        granted["residual"].append(~residual_blocked.any())
        granted["store"].append(~store_blocked.any())
        granted["load"].append(~load_blocked.any())
        return outputs

    def _read_out(self, m, banks) -> None:
        """The crossbar behind the bank registers: which bank holds which requested word."""
        config = self._config

        def delayed(value, name):
            for stage in range(self.read_latency):
                register = Signal.like(value, name=f"{name}_s{stage}", reset_less=True)
                m.d.sync += register.eq(value)
                value = register
            return value

        def words(address, name):
            by_parity = []
            for parity in range(config.pixels):
                bank = delayed(self._row_of(address, parity)[0], f"{name}_bank_p{parity}")
                word = Signal(WORD_BITS, name=f"{name}_word_p{parity}")
                with m.Switch(bank):
                    for r in range(ROW_BANKS):
                        with m.Case(r):
                            m.d.comb += word.eq(banks[parity][r])
                by_parity.append(word)
            if config.pixels == 1:
                return by_parity
            odd = delayed(address[0], f"{name}_odd")
            return [Mux(odd, by_parity[1], by_parity[0]), Mux(odd, by_parity[0], by_parity[1])]

        for j in range(config.window_kernel):
            for i, word in enumerate(words(self.row_address[j], f"row{j}")):
                m.d.comb += self.row[j][i].eq(word)
        for i, word in enumerate(words(self.residual.payload, "residual")):
            m.d.comb += self.residual_word[i].eq(word)
        m.d.comb += self.store_word.eq(words(self.store.payload, "store")[0])

"""The scratchpad: one flat memory of 16-byte words in banks, read by columns, written by `pixels`.

A word's bank is its address mod `config.banks`. Consecutive words lie in consecutive banks, so the `pixels` words from
any address on never collide, and the rows of a window do not when the compiler chose their pitch well
(docs/engine.md, "Memories").
"""

from amaranth.hdl import Array, Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from rtl.bank import WORD_BITS, Bank
from rtl.delay import delayed

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


def lane_bytes(word, group_sub, lanes: int):
    """The bytes of a lane group in a word."""
    return word.word_select(group_sub[: (WORD_BYTES // lanes - 1).bit_length()], lanes * 8)


def row_parts(config: EngineConfig, flow) -> dict:
    """Member `part` of what gives or takes the lanes' bytes of rows beyond the `word_ports`; none without them."""
    further = config.row_ports - config.word_ports
    part = data.ArrayLayout(config.lanes * 8, config.pixels)
    return {"part": flow(data.ArrayLayout(part, further))} if further else {}


class LoadWrite(data.Struct):
    """One whole word written by the loader."""

    address: unsigned(ADDRESS_BITS)
    data: unsigned(WORD_BITS)


class Scratchpad(wiring.Component):
    """Activation memory with four clients; the array and the requantizer always win, the others wait for a free bank.

    Members (latencies in cycles):
      row_address[j], row_enable[j]: the array's read of `pixels` words from row_address[j] on, every cycle, no waiting;
      row[j][i]: the word of pixel i, `read_latency` cycles later, of the first `word_ports` rows;
      part[j][i]: of the rows behind them its `lanes` bytes from byte group_sub * lanes on, `group_sub` given with it;
      residual, residual_word[i]: stream of addresses, answered `read_latency` cycles after acceptance;
      store, store_word: likewise, one word;
      result, result_valid: results written at once; load: stream of LoadWrite.
    """

    read_latency = Bank.latency

    def __init__(self, config: EngineConfig):
        self._config = config
        self._parity_bits = (config.pixels - 1).bit_length()  # a word's parity: its address mod pixels
        self._bank_bits = (config.row_banks - 1).bit_length()
        rows, pixels = config.row_ports, config.pixels
        word = data.ArrayLayout(WORD_BITS, pixels)
        super().__init__(
            {
                **({"group_sub": In(3)} if config.double_feeds else {}),
                "row_address": In(data.ArrayLayout(ADDRESS_BITS, rows)),
                "row_enable": In(rows),
                "row": Out(data.ArrayLayout(word, config.word_ports)),
                **row_parts(config, Out),
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
        index = address
        if self._config.pixels > 1:
            index = (address + (self._config.pixels - 1 - parity))[self._parity_bits : ADDRESS_BITS]
        return index[: self._bank_bits], index[self._bank_bits :]

    def elaborate(self, platform):
        m = Module()
        granted = {"residual": [], "store": [], "load": []}
        banks = [self._column(m, parity, granted) for parity in range(self._config.pixels)]
        for client, conditions in granted.items():
            free = Signal(name=f"{client}_free")
            m.d.comb += [free.eq(Cat(*conditions).all()), getattr(self, client).ready.eq(free)]
        self._read_out(m, banks)
        return m

    def _column(self, m, parity: int, granted) -> list:
        """The banks of one column parity; their read data, `Bank.latency` cycles after the address.

        Appends to `granted` for every client that may wait: no bank of this parity keeps it waiting.
        """
        config = self._config
        rows = [self._row_of(self.row_address[j], parity) for j in range(config.row_ports)]
        residual, store = self._row_of(self.residual.payload, parity), self._one(self.store.payload)
        load, result = self._one(self.load.payload.address), self._row_of(self.result.address, parity)
        store_here, load_here = self._here(self.store.payload, parity), self._here(self.load.payload.address, parity)
        result_valid, result_data = self._result_of(m, parity)
        blocked = {name: Signal(config.row_banks, name=f"{name}_blocked_p{parity}") for name in granted}
        outputs = []
        for r in range(config.row_banks):
            bank = Bank(config)
            m.submodules[f"bank_p{parity}_{r}"] = bank
            array_hit = bank.array.any()
            m.d.comb += [
                bank.array.eq(Cat(self.row_enable[j] & self._is(row, r) for j, row in enumerate(rows))),
                *(bank.array_index[j].eq(row[1]) for j, row in enumerate(rows)),
                bank.residual.eq(self.residual.valid & self._is(residual, r)),
                bank.residual_index.eq(residual[1]),
                bank.store_index.eq(store[1]),
                bank.result.eq(result_valid & self._is(result, r)),
                bank.result_index.eq(result[1]),
                bank.result_sub.eq(self.result.sub),
                bank.result_data.eq(result_data),
                bank.load.eq(self.load.valid & self.load.ready & load_here & self._is(load, r)),
                bank.load_index.eq(load[1]),
                bank.load_data.eq(self.load.payload.data),
                blocked["residual"][r].eq(self._is(residual, r) & array_hit),
                blocked["store"][r].eq(store_here & self._is(store, r) & (array_hit | bank.residual)),
                blocked["load"][r].eq(load_here & self._is(load, r) & bank.result),
            ]
            outputs.append(bank.read_data)
        for name, conditions in granted.items():
            conditions.append(~blocked[name].any())
        return outputs

    def _one(self, address):
        """Bank row and index of a single word."""
        index = address[self._parity_bits :]
        return index[: self._bank_bits], index[self._bank_bits :]

    def _is(self, place, r: int):
        """Whether (bank row, index) `place` lies in bank row r."""
        return place[0] == r if self._bank_bits else 1

    def _here(self, address, parity: int):
        """Whether a single word lies in the banks of this parity."""
        return address[: self._parity_bits] == parity if self._config.pixels > 1 else 1

    def _result_of(self, m, parity: int):
        """(valid, data) of the pixel of the result write that goes to this parity."""
        pixels = range(self._config.pixels)
        pixel = (parity - self.result.address)[: self._parity_bits] if self._config.pixels > 1 else 0
        valid, chosen = Signal(name=f"result_valid_p{parity}"), Signal(self._config.lanes * 8, name=f"result_p{parity}")
        m.d.comb += [
            valid.eq(self.result_valid & Array(self.result.pixel_valid[i] for i in pixels)[pixel]),
            chosen.eq(Array(self.result.data[i] for i in pixels)[pixel]),
        ]
        return valid, chosen

    def _read_out(self, m, banks) -> None:
        """The crossbar behind the bank registers: which bank holds which requested word."""
        config = self._config

        def beside(value, name):
            return delayed(m, value, self.read_latency, name=name, reset_less=True)

        def words(address, name, banks=banks, bits=WORD_BITS):
            by_parity = []
            for parity in range(config.pixels):
                if not self._bank_bits:
                    by_parity.append(banks[parity][0])
                    continue
                bank = beside(self._row_of(address, parity)[0], f"{name}_bank_p{parity}")
                word = Signal(bits, name=f"{name}_word_p{parity}")
                with m.Switch(bank):
                    for r in range(config.row_banks):
                        with m.Case(r):
                            m.d.comb += word.eq(banks[parity][r])
                by_parity.append(word)
            if config.pixels == 1:
                return by_parity
            first = beside(address[: self._parity_bits], f"{name}_first")
            return [Array(by_parity)[(first + i)[: self._parity_bits]] for i in range(config.pixels)]

        for j in range(config.word_ports):
            for i, word in enumerate(words(self.row_address[j], f"row{j}")):
                m.d.comb += self.row[j][i].eq(word)
        parts, bits = self._parts(m, banks), config.lanes * 8
        for j in range(config.word_ports, config.row_ports):
            for i, part in enumerate(words(self.row_address[j], f"row{j}", parts, bits)):
                m.d.comb += self.part[j - config.word_ports][i].eq(part)
        for i, word in enumerate(words(self.residual.payload, "residual")):
            m.d.comb += self.residual_word[i].eq(word)
        m.d.comb += self.store_word.eq(words(self.store.payload, "store")[0])

    def _parts(self, m, banks) -> list:
        """[parity][bank]: the lanes' bytes of what each bank gives, chosen once before the crossbars of all rows."""
        config, parts = self._config, []
        if not config.double_feeds:
            return parts
        for parity, words in enumerate(banks):
            parts.append([Signal(config.lanes * 8, name=f"part_p{parity}_{r}") for r in range(len(words))])
            for part, word in zip(parts[parity], words, strict=True):
                m.d.comb += part.eq(lane_bytes(word, self.group_sub, config.lanes))
        return parts

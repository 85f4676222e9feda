"""The scratchpad: one flat memory of 16-byte words in banks, read by columns, written by `pixels`.

A word's bank is its address mod `config.banks`. Consecutive words lie in consecutive banks, so the `pixels` words from
any address on never collide, and the rows of a window do not when the compiler chose their pitch well
(docs/engine.md, "Memories").
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import WORD_BYTES, EngineConfig
from rtl.bank import SUB_BITS, WORD_BITS, Bank
from rtl.delay import delayed

ADDRESS_BITS = 16


def results_layout(config: EngineConfig) -> data.StructLayout:
    """A result write: `lanes` bytes of each of `pixels` consecutive words from `address` on, at byte sub * lanes."""
    return data.StructLayout(
        {
            "address": ADDRESS_BITS,
            "sub": SUB_BITS,
            "pixel_valid": config.pixels,
            "data": data.ArrayLayout(config.lanes * 8, config.pixels),
        }
    )


def parts_layout(config: EngineConfig) -> data.ArrayLayout:
    """The bytes of a lane group in each of `pixels` consecutive words."""
    return data.ArrayLayout(config.lanes * 8, config.pixels)


def row_members(config: EngineConfig, flow) -> dict:
    """What the array reads: `word[i]` of the first row, `part[j][i]` of the rows behind it, if there are any."""
    further = config.row_ports - 1
    parts = {"part": flow(data.ArrayLayout(parts_layout(config), further))} if further else {}
    return {"word": flow(data.ArrayLayout(WORD_BITS, config.pixels)), **parts}


class ResidualRead(data.Struct):
    """The lane group `sub` of `pixels` consecutive words from `address` on."""

    address: unsigned(ADDRESS_BITS)
    sub: unsigned(SUB_BITS)


class LoadWrite(data.Struct):
    """One whole word written by the loader."""

    address: unsigned(ADDRESS_BITS)
    data: unsigned(WORD_BITS)


class Scratchpad(wiring.Component):
    """Activation memory with four clients; the array and the requantizer always win, the others wait for a free bank.

    Members (latencies in cycles):
      row_address[j], row_enable[j], group_sub: the array's read of `pixels` words from row_address[j] on, every cycle,
      no waiting; `read_latency` cycles later word[i]: row 0's word of pixel i; part[j][i]: of row j + 1 the `lanes`
      bytes from byte group_sub * lanes on;
      residual, residual_part[i]: stream of ResidualRead, answered `answer_latency` cycles after acceptance;
      store, store_word: stream of addresses, likewise, one word;
      result, result_valid: results written; load: stream of LoadWrite. It waits while a result is written to the same
      one of `config.write_sets` sets of banks: consecutive words of a parity lie in the sets in turn. What is written
      in one cycle can be asked for in the next.
    """

    read_latency = Bank.latency + 1
    answer_latency = Bank.latency + 1

    def __init__(self, config: EngineConfig):
        self._config = config
        self._parity_bits = (config.pixels - 1).bit_length()  # a word's parity: its address mod pixels
        self._bank_bits = (config.row_banks - 1).bit_length()
        super().__init__(
            {
                "group_sub": In(SUB_BITS),
                "row_address": In(data.ArrayLayout(ADDRESS_BITS, config.row_ports)),
                "row_enable": In(config.row_ports),
                **row_members(config, Out),
                "residual": In(stream.Signature(ResidualRead)),
                "residual_part": Out(parts_layout(config)),
                "store": In(stream.Signature(ADDRESS_BITS)),
                "store_word": Out(WORD_BITS),
                "result": In(results_layout(config)),
                "result_valid": In(1),
                "load": In(stream.Signature(LoadWrite)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        granted = {"residual": [], "store": [], "load": []}
        words, parts = [], []  # [parity][bank], `Bank.latency` cycles after the address
        for parity in range(self._config.pixels):
            banks = [Bank(self._config) for _ in range(self._config.row_banks)]
            for r, bank in enumerate(banks):
                m.submodules[f"bank_p{parity}_{r}"] = bank
            self._read(m, parity, banks, granted)
            self._write(m, parity, banks, granted)
            words.append([bank.read_data for bank in banks])
            parts.append([bank.read_part for bank in banks])
        for client, conditions in granted.items():
            free = Signal(name=f"{client}_free")
            m.d.comb += [free.eq(Cat(*conditions).all()), getattr(self, client).ready.eq(free)]
        self._read_out(m, words, parts)
        return m

    def _row_of(self, address, parity: int):
        """Bank row and index of the word of this parity among the `pixels` words from `address` on."""
        index = address
        if self._config.pixels > 1:
            index = (address + (self._config.pixels - 1 - parity))[self._parity_bits : ADDRESS_BITS]
        return index[: self._bank_bits], index[self._bank_bits :]

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

    def _read(self, m, parity: int, banks, granted) -> None:
        """Who reads from each bank of this parity; appends to `granted` whether none keeps a client waiting."""
        config = self._config
        rows = [self._row_of(self.row_address[j], parity) for j in range(config.row_ports)]
        residual = self._row_of(self.residual.payload.address, parity)
        store, store_here = self._one(self.store.payload), self._here(self.store.payload, parity)
        blocked = {name: Signal(config.row_banks, name=f"{name}_blocked_p{parity}") for name in ("residual", "store")}
        for r, bank in enumerate(banks):
            m.d.comb += [
                bank.array.eq(Cat(self.row_enable[j] & self._is(row, r) for j, row in enumerate(rows))),
                *(bank.array_index[j].eq(row[1]) for j, row in enumerate(rows)),
                bank.array_sub.eq(self.group_sub),
                bank.residual.eq(self.residual.valid & self._is(residual, r)),
                bank.residual_index.eq(residual[1]),
                bank.residual_sub.eq(self.residual.payload.sub),
                bank.store_index.eq(store[1]),
                blocked["residual"][r].eq(self._is(residual, r) & bank.busy),
                blocked["store"][r].eq(store_here & self._is(store, r) & (bank.busy | bank.residual)),
            ]
        for name, conditions in blocked.items():
            granted[name].append(~conditions.any())

    def _write(self, m, parity: int, banks, granted) -> None:
        """What is written to each bank of this parity, a cycle later; the banks of a set have one way in."""
        config, sets = self._config, self._config.write_sets
        valid, chosen = self._result_of(m, parity)
        load, result = self._one(self.load.payload.address), self._row_of(self.result.address, parity)
        whole = (1 << WORD_BYTES // config.lanes) - 1
        loads = self.load.valid & self.load.ready & self._here(self.load.payload.address, parity)
        for one in range(sets):
            name = f"p{parity}_{one}"
            written, word = Signal(name=f"result_{name}"), Signal(WORD_BITS, name=f"write_{name}", reset_less=True)
            index = Signal.like(banks[one].write_index, name=f"write_index_{name}", reset_less=True)
            m.d.comb += written.eq(valid & self._in_set(result, one))
            m.d.sync += [
                word.eq(Mux(written, Cat(*[chosen] * (WORD_BYTES // config.lanes)), self.load.payload.data)),
                index.eq(Mux(written, result[1], load[1])),
            ]
            for r in range(one, config.row_banks, sets):
                parts = Mux(self._is(result, r), 1 << self.result.sub, 0)
                write = Signal.like(banks[r].write, name=f"write_{parity}_{r}")
                m.d.sync += write.eq(Mux(written, parts, Mux(loads & self._is(load, r), whole, 0)))
                m.d.comb += [
                    banks[r].write.eq(write), banks[r].write_index.eq(index), banks[r].write_data.eq(word),
                ]
            waits = written & self._in_set(load, one) & self._here(self.load.payload.address, parity)
            granted["load"].append(~waits)

    def _in_set(self, place, one: int):
        """Whether (bank row, index) `place` lies in that set of banks."""
        return place[0][: (self._config.write_sets - 1).bit_length()] == one

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

    def _read_out(self, m, words, parts) -> None:
        """The crossbars behind the banks: row 0 and STORE take words, the others the bytes of their lane group."""
        array, others = self.read_latency, Bank.latency
        m.d.comb += self.word.eq(Cat(self._chosen(m, self.row_address[0], array, words, "row0")))
        m.d.sync += [
            self.residual_part.eq(Cat(self._chosen(m, self.residual.payload.address, others, parts, "residual"))),
            self.store_word.eq(self._chosen(m, self.store.payload, others, words, "store")[0]),
        ]
        for j in range(1, self._config.row_ports):
            m.d.comb += self.part[j - 1].eq(Cat(self._chosen(m, self.row_address[j], array, parts, f"row{j}")))

    def _chosen(self, m, address, latency: int, banks, name: str) -> list:
        """What the banks give of the `pixels` words from `address` on, which was given `latency` cycles before."""

        def beside(value, name):
            return delayed(m, value, latency, name=name, reset_less=True)

        by_parity = []
        for parity, outputs in enumerate(banks):
            if not self._bank_bits:
                by_parity.append(outputs[0])
                continue
            bank = beside(self._row_of(address, parity)[0], f"{name}_bank_p{parity}")
            by_parity.append(Signal.like(outputs[0], name=f"{name}_p{parity}"))
            with m.Switch(bank):
                for r, output in enumerate(outputs):
                    with m.Case(r):
                        m.d.comb += by_parity[parity].eq(output)
        if self._config.pixels == 1:
            return by_parity
        first = beside(address[: self._parity_bits], f"{name}_first")
        return [Array(by_parity)[(first + i)[: self._parity_bits]] for i in range(self._config.pixels)]

"""The scratchpad: one flat memory of 16-byte words in banks, read by columns, written by `pixels`.

A word's bank is its address mod `config.banks`. Consecutive words lie in consecutive banks, so the `pixels` words from
any address on never collide, and the rows of a window do not when the compiler chose their pitch well
(docs/engine.md, "Memories").
"""

from types import SimpleNamespace

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
    """What the array reads: `word[p]` of the first row, `part[j][p]` of the rows behind it, if there are any.

    p: a word's parity, its address mod `pixels`.
    """
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
      no waiting; `read_latency` cycles later, by parity, word[p]: row 0's words; part[j][p]: of row j + 1 the `lanes`
      bytes from byte group_sub * lanes on;
      residual, residual_part[i]: stream of ResidualRead. One that is taken is read in the first cycle behind it in
      which the stream is `ready` again, and answered `answer_latency` cycles after that;
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
        residual, store = self._residual(m), self._store(m)
        waits = {"residual": [], "store": [], "load": []}
        words, parts = [], []  # [parity][bank], `Bank.latency` cycles after the address
        for parity in range(self._config.pixels):
            banks = [Bank(self._config) for _ in range(self._config.row_banks)]
            for r, bank in enumerate(banks):
                m.submodules[f"bank_p{parity}_{r}"] = bank
            self._read(m, parity, banks, residual, store, waits)
            self._write(m, parity, banks, waits)
            words.append([bank.read_data for bank in banks])
            parts.append([bank.read_part for bank in banks])
        for client, conditions in waits.items():
            m.d.comb += getattr(self, client).ready.eq(~Cat(*conditions).any())
        self._read_out(m, words, parts, residual, store)
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

    def _residual(self, m) -> SimpleNamespace:
        wanted, parities = self.residual.payload, range(self._config.pixels)
        places = [self._row_of(wanted.address, parity) for parity in parities]
        held = self._held(m, self.residual, "residual", wanted.address, places, [1 for _ in parities])
        held.sub = Signal(SUB_BITS, name="residual_sub", reset_less=True)
        with m.If(self.residual.ready):
            m.d.sync += held.sub.eq(wanted.sub)
        return held

    def _store(self, m) -> SimpleNamespace:
        address, parities = self.store.payload, range(self._config.pixels)
        here = [self._here(address, parity) for parity in parities]
        return self._held(m, self.store, "store", address, [self._one(address)] * len(parities), here)

    def _held(self, m, client, name: str, address, places, here) -> SimpleNamespace:
        """The request that was taken last, in registers until it is read.

        places, here: (bank row, index) of its word in each parity, and whether there is one. Returns `place` likewise,
        `claims[parity]`: the banks that it has to read, one bit each, `first`: the parity of its first word.
        """
        held = SimpleNamespace(claims=[], place=[])
        taken = []
        if self._parity_bits:
            held.first = Signal(self._parity_bits, name=f"{name}_first", reset_less=True)
            taken.append(held.first.eq(address[: self._parity_bits]))
        for parity, (place, one_here) in enumerate(zip(places, here, strict=True)):
            claims = Signal(self._config.row_banks, name=f"{name}_claims_p{parity}")
            row, index = (
                Signal(len(value), name=f"{name}_{part}_p{parity}", reset_less=True)
                for part, value in zip(("row", "index"), place, strict=True)
            )
            banks = Cat(self._is(place, r) & one_here & client.valid for r in range(self._config.row_banks))
            taken += [claims.eq(banks), row.eq(place[0]), index.eq(place[1])]
            held.claims.append(claims)
            held.place.append((row, index))
        with m.If(client.ready):
            m.d.sync += taken
        return held

    def _read(self, m, parity: int, banks, residual, store, waits) -> None:
        """Who reads from each bank of this parity; appends to `waits` what keeps a client waiting."""
        config = self._config
        rows = [self._row_of(self.row_address[j], parity) for j in range(config.row_ports)]
        wanted, stored = residual.claims[parity], store.claims[parity]
        busy = Cat(bank.busy for bank in banks)
        for r, bank in enumerate(banks):
            m.d.comb += [
                bank.array.eq(Cat(self.row_enable[j] & self._is(row, r) for j, row in enumerate(rows))),
                *(bank.array_index[j].eq(row[1]) for j, row in enumerate(rows)),
                bank.array_sub.eq(self.group_sub),
                bank.residual.eq(wanted[r]),
                bank.residual_index.eq(residual.place[parity][1]),
                bank.residual_sub.eq(residual.sub),
                bank.store_index.eq(store.place[parity][1]),
            ]
        waits["residual"].append(wanted & busy)
        waits["store"].append(stored & (busy | wanted))

    def _write(self, m, parity: int, banks, waits) -> None:
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
            waits["load"].append(written & self._in_set(load, one) & self._here(self.load.payload.address, parity))

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

    def _read_out(self, m, words, parts, residual, store) -> None:
        """The crossbars behind the banks: row 0 and STORE take words, the others the bytes of their lane group."""
        for j, address in enumerate(self.row_address):
            rows = [self._row_of(address, parity)[0] for parity in range(self._config.pixels)]
            found = self._chosen(m, rows, self.read_latency, parts if j else words, f"row{j}")
            m.d.comb += (self.part[j - 1] if j else self.word).eq(Cat(*found))
        for name, held, banks, out in (
            ("residual", residual, parts, self.residual_part), ("store", store, words, self.store_word)
        ):
            rows = [row for row, _ in held.place]
            found = self._chosen(m, rows, Bank.latency, banks, name)
            if self._config.pixels > 1:
                first = delayed(m, held.first, Bank.latency, name=f"{name}_first", reset_less=True)
                found = in_order_of_address(found, first)
            m.d.sync += out.eq(Cat(*found))  # of STORE the first word

    def _chosen(self, m, rows, latency: int, banks, name: str) -> list:
        """By parity, the word of `pixels` consecutive ones that were asked for `latency` cycles before.

        rows[parity]: the bank of the word of that parity.
        """
        by_parity = []
        for parity, outputs in enumerate(banks):
            if not self._bank_bits:
                by_parity.append(outputs[0])
                continue
            bank = delayed(m, rows[parity], latency, name=f"{name}_bank_p{parity}", reset_less=True)
            by_parity.append(Signal.like(outputs[0], name=f"{name}_p{parity}"))
            with m.Switch(bank):
                for r, output in enumerate(outputs):
                    with m.Case(r):
                        m.d.comb += by_parity[parity].eq(output)
        return by_parity


def in_order_of_address(by_parity, first) -> list:
    """Values of consecutive words, given by parity, from the one of parity `first` on."""
    return [Array(by_parity)[(first + i)[: len(first)]] for i in range(len(by_parity))]

"""Registers that many cells read are doubled, so that each copy can lie beside those that read it.

A net with hundreds of readers is a tree of wires all over the device, and the router makes its tree short, not its
ways: 14 ns from a register to the last of 640 readers. yosys would make one register of copies in the source.
"""

import re

from fpga.flat_module import REGISTER, FlatModule, Reader
from fpga.memory_registers import MEMORY

#: Readers of one register, and copies of it: what drives a register has to reach all copies.
MOST_READERS, MOST_COPIES = 24, 40
#: As how many a pin of a block RAM counts: they lie far apart.
MEMORY_PIN = 6


def split(module: FlatModule) -> dict[str, dict]:
    """The cells with copies of such registers."""
    cells = dict(module.cells)
    free = module.free_bit()
    for register in module.named(REGISTER):
        readers = module.readers[cells[register]["connections"]["Q"][0]]
        for number, share in enumerate(_shares(module, [reader for reader in readers if reader[0]])):
            if number:  # the first stays where it is
                cells[f"{register}$copy_{number}"] = _connected(cells[register], "Q", free)
                for cell, port in share:
                    cells[cell] = _connected(cells[cell], port, free)
                free += 1
    return cells


def _shares(module: FlatModule, readers: list[Reader]) -> list[list[Reader]]:
    """Readers in the order of their names, numbers as numbers: bits of one value, words of one memory lie close."""
    counts = [MEMORY_PIN if module.cells[cell]["type"] == MEMORY else 1 for cell, _ in readers]
    most = max(MOST_READERS, -(-sum(counts) // MOST_COPIES))
    shares: list[list[Reader]] = [[]]
    room = most
    for reader, count in sorted(zip(readers, counts, strict=True), key=lambda one: _place(one[0])):
        if count > room:
            shares.append([])
            room = most
        shares[-1].append(reader)
        room -= count
    return shares


def _connected(cell: dict, port: str, bit: int) -> dict:
    return cell | {"connections": cell["connections"] | {port: [bit]}}


def _place(reader: Reader) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", reader[0])]

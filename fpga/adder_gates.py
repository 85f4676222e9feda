"""Look-up tables in front of an ECP5's adder move into it, where a gate or a choice adds no cell and no delay.

Each half of a CCU2C has a table of four inputs (yosys' cells_sim.v):

    S = table(A, B, C, D) ^ carry        carry out = carry if table(A, B, C, D) else table(A, B, 0, 0)

yosys gives it the two addends. A look-up table moves when nothing else reads it and at most four inputs come together;
which of them is A, B, C and D is chosen so that sum and carry of every input stay what they were.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations, product

from fpga.flat_module import FlatModule

ADDER, TABLE = "CCU2C", "LUT4"
INPUTS = "ABCD"
HALVES = "01"
Bit = int | str


@dataclass(frozen=True)
class _Table:
    """A function of four bits: entry i is its value where they are i, the first one lowest."""

    entries: int
    inputs: tuple[Bit, ...]

    def __call__(self, known: dict[Bit, bool]) -> bool:
        return bool(self.entries >> self._entry(known) & 1)

    def generate(self, known: dict[Bit, bool]) -> bool:
        """The carry of a half that does not pass one on."""
        return bool(self.entries >> (self._entry(known) & 3) & 1)

    def _entry(self, known: dict[Bit, bool]) -> int:
        return sum((known[bit] if isinstance(bit, int) else bit == "1") << i for i, bit in enumerate(self.inputs))


def move_inside(module: FlatModule) -> dict[str, dict]:
    """The cells with such tables inside the adders that read them."""
    cells = dict(module.cells)
    tables = {cells[name]["connections"]["Z"][0]: name for name in module.named(TABLE)}
    for name, half in product(module.named(ADDER), HALVES):
        adder = cells[name]
        if adder["parameters"].get(f"INJECT1_{half}") != "NO":
            continue
        was = _Table(*_function(adder, f"INIT{half}", half))
        alone = {bit: tables[bit] for bit in was.inputs if bit in tables and len(module.readers[bit]) == 1}
        for moved in _subsets(alone):
            inside = {bit: _Table(*_function(cells[alone[bit]], "INIT", "")) for bit in moved}
            if new := _joined(was, inside):
                ports = {f"{port}{half}": [bit] for port, bit in zip(INPUTS, new.inputs, strict=True)}
                cells[name] = adder | {
                    "parameters": adder["parameters"] | {f"INIT{half}": f"{new.entries:016b}"},
                    "connections": adder["connections"] | ports,
                }
                for bit in moved:
                    del cells[alone[bit]]
                break
    return cells


def _function(cell: dict, entries: str, half: str) -> tuple[int, tuple[Bit, ...]]:
    return int(cell["parameters"][entries], 2), tuple(cell["connections"][f"{port}{half}"][0] for port in INPUTS)


def _subsets(bits: dict) -> Iterator[tuple[int, ...]]:
    """All but the empty one, the largest first."""
    for size in range(len(bits), 0, -1):
        yield from combinations(bits, size)


def _joined(adder: _Table, inside: dict[int, _Table]) -> _Table | None:
    """The adder's function with these inputs made inside, if there is one."""
    read = (bit for outer in adder.inputs for bit in (inside[outer].inputs if outer in inside else (outer,)))
    inputs = sorted({bit for bit in read if isinstance(bit, int)})
    if len(inputs) > len(INPUTS):
        return None
    cases = []
    for values in product((False, True), repeat=len(inputs)):
        known = dict(zip(inputs, values, strict=True))
        outer = known | {bit: table(known) for bit, table in inside.items()}
        cases.append((known, adder(outer), adder.generate(outer)))
    arranged = (_arranged(order, cases) for order in permutations(inputs))
    return next((table for table in arranged if table), None)


def _arranged(order: tuple[int, ...], cases: list[tuple[dict[int, bool], bool, bool]]) -> _Table | None:
    """The table of (known bits, passes a carry on, its carry if not) with the inputs in this order, if it can be.

    An input that is not needed is 1, so entries 0 to 3, which are also the carry, stand for a case only with four.
    """
    table = _Table(0, (*order, *"1111"[len(order) :]))
    entries: dict[int, bool] = {}
    for known, passes, carry in cases:
        entry = table._entry(known)
        if entries.setdefault(entry, passes) != passes or not passes and entries.setdefault(entry & 3, carry) != carry:
            return None
    return _Table(sum(value << entry for entry, value in entries.items()), table.inputs)

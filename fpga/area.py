"""What a netlist takes of an FPGA, counted in the cells of its family."""

from collections import Counter
from dataclasses import dataclass

DISTRIBUTED_RAM_COMB = 6  # TRELLIS_DPR16X4: four LUTs that hold bits and two that decode the write address


@dataclass(frozen=True)
class Area:
    """comb: LUT4 + 2 CCU2C (ECP5) or SB_LUT4 + carry cells that no LUT shares (iCE40, an upper bound of logic cells).

    memory_comb: LUTs that hold distributed RAM, not in `comb`.  dsp, block_ram, large_ram (UP5K's SPRAM) and ff are
    numbers of cells.
    """

    comb: int
    memory_comb: int
    dsp: int
    block_ram: int
    large_ram: int
    ff: int

    def per(self, macs: int) -> float:
        """COMB of logic and distributed RAM for one multiply-accumulate."""
        return (self.comb + self.memory_comb) / macs


def _total(cells: Counter, *prefixes: str) -> int:
    return sum(count for name, count in cells.items() if name.startswith(prefixes))


def area(netlist: dict, top: str) -> Area:
    """The area of the flat module `top` in the JSON netlist that yosys writes."""
    cells = Counter(cell["type"] for cell in netlist["modules"][top]["cells"].values())
    return Area(
        comb=cells["LUT4"] + 2 * cells["CCU2C"] + cells["SB_LUT4"],
        memory_comb=DISTRIBUTED_RAM_COMB * cells["TRELLIS_DPR16X4"],
        dsp=_total(cells, "MULT18X18D", "SB_MAC16"),
        block_ram=_total(cells, "DP16KD", "PDPW16KD", "SB_RAM40_4K"),
        large_ram=_total(cells, "SB_SPRAM256KA"),
        ff=_total(cells, "TRELLIS_FF", "SB_DFF"),
    )

# amaranth: UnusedElaboratable=no
"""The product by adders: every pair of operands, in compiled Verilog."""

from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.compiled_check import compiled_check
from rtl.schemes.shift_add import DIFFERENCE_BITS, MULTIPLIER_BITS, STAGES, shift_add

CHECK = f"""
#include <cstdio>
#include <cstdlib>
#include "Vshift_add.h"
int main(int count, char **arguments) {{
    long least = std::atol(arguments[1]), wrong = 0, seen = 0;  // of the differences
    Vshift_add top;
    auto operands = [](long number, long &a, long &b) {{
        a = (number >> {MULTIPLIER_BITS}) - 256;
        b = number & 65535;
    }};
    long first = (least + 256) << {MULTIPLIER_BITS}, end = 1l << {DIFFERENCE_BITS + MULTIPLIER_BITS};
    for (long number = first; number < end + {STAGES - 1}; number++) {{
        long a, b;
        operands(number, a, b);
        top.difference = a & 511; top.multiplier = b;
        top.clk = 0; top.eval(); top.clk = 1; top.eval();
        if (number - first < {STAGES - 1}) continue;
        operands(number - {STAGES - 1}, a, b);
        wrong += (int(top.product << 7) >> 7) != a * b;
        seen++;
    }}
    std::printf("%ld wrong of %ld\\n", wrong, seen);
}}
"""


class Product(wiring.Component):
    """The parts added up."""

    def __init__(self):
        super().__init__(
            {"difference": In(signed(DIFFERENCE_BITS)), "multiplier": In(MULTIPLIER_BITS), "product": Out(signed(25))}
        )

    def elaborate(self, platform):
        m = Module()
        lower, upper = shift_add(m, self.difference, self.multiplier)
        m.d.comb += self.product.eq(lower + upper)
        return m


def checked(text: str, folder: Path, least: int) -> str:
    """What CHECK prints about this Verilog of the module `shift_add`, from the difference `least` on."""
    return compiled_check(text, "shift_add", CHECK, least, folder)


def test_every_pair_of_operands(tmp_path: Path) -> None:
    text = verilog.convert(Product(), name="shift_add", emit_src=False)
    assert checked(text, tmp_path, -256) == f"0 wrong of {2**25}\n"
    bug = text.replace("residual_middle_1, 4'h0 }", "residual_middle_1, 4'h1 }")
    assert bug != text
    assert not checked(bug, tmp_path, 255).startswith("0 wrong")

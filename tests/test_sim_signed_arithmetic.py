"""sim/verilog/signed_arithmetic.h computes what Verilator's own functions compute, width by width."""

import subprocess
from pathlib import Path

import pytest

from rtl.verilator_environment import verilator_environment
from sim.build import ARITHMETIC

#: Functions of (bits, value), of (bits, a, b) and of (result bits, bits, amount bits, value, amount), by operand width.
EXTENSIONS = {32: ("VL_EXTENDS_II",), 64: ("VL_EXTENDS_QI", "VL_EXTENDS_QQ")}
PAIRS = {
    32: ("VL_MULS_III", "VL_LTS_III", "VL_LTES_III", "VL_GTS_III", "VL_GTES_III"),
    64: ("VL_MULS_QQQ", "VL_LTS_IQQ", "VL_LTES_IQQ", "VL_GTS_IQQ", "VL_GTES_IQQ"),
}
SHIFTS = {32: "VL_SHIFTRS_III", 64: "VL_SHIFTRS_QQI"}

CASES = """
template <typename Value, typename Check> void each(int most, Check check) {
    for (int bits = 1; bits <= most; ++bits) {
        const uint64_t mask = ~uint64_t{0} >> (64 - bits), top = uint64_t{1} << (bits - 1);
        for (uint64_t value : std::vector<uint64_t>{0, 1, top - 1, top, top + 1, mask - 1, mask, 0x5a5a96c33c6996a5})
            check(bits, static_cast<Value>(value & mask));
    }
}
"""


def functions(prefix: str) -> str:
    """The functions by name, with `prefix`, as what the names mean where this text stands."""
    text = ""
    for width, names in EXTENSIONS.items():
        for name in names:
            text += f"uint64_t {prefix}{name}(int bits, uint64_t a) {{ return {name}({width}, bits, a); }}\n"
    for names in PAIRS.values():
        for name in names:
            text += f"uint64_t {prefix}{name}(int bits, uint64_t a, uint64_t b) {{ return {name}(bits, a, b); }}\n"
    for name in SHIFTS.values():
        text += (
            f"uint64_t {prefix}{name}(int result, int bits, uint64_t a, uint32_t amount) "
            f"{{ return {name}(result, bits, 32, a, amount); }}\n"
        )
    return text


def program() -> str:
    """Compares both; prints the comparisons made, or the first difference."""
    checks = ""
    for width, names in EXTENSIONS.items():
        for name in names:
            checks += f"each<uint{width}_t>({width}, [](int n, uint64_t a) {{ same(\"{name}\", n, ours_{name}(n, a), "
            checks += f"theirs_{name}(n, a)); }});\n"
    for width, names in PAIRS.items():
        for name in names:
            checks += f"each<uint{width}_t>({width}, [](int n, uint64_t a) {{ each<uint{width}_t>({width}, "
            checks += f"[=](int m, uint64_t b) {{ if (m == n) same(\"{name}\", n, ours_{name}(n, a, b), "
            checks += f"theirs_{name}(n, a, b)); }}); }});\n"
    for width, name in SHIFTS.items():
        checks += f"each<uint{width}_t>({width}, [](int n, uint64_t a) {{ for (int r : {{n, {width}}}) "
        checks += "for (uint32_t by : {0u, 1u, n - 1u, unsigned(n), 31u, 32u, 63u, 64u, ~0u}) "
        checks += f"same(\"{name}\", n, ours_{name}(r, n, a, by), theirs_{name}(r, n, a, by)); }});\n"
    same = """
int made = 0;
void same(const char* name, int bits, uint64_t ours, uint64_t theirs) {
    ++made;
    if (ours == theirs) return;
    std::printf("%s of %d bits: %llx, Verilator's %llx\\n", name, bits, (unsigned long long)ours,
                (unsigned long long)theirs);
    std::exit(1);
}
"""
    return (
        f'#include <cstdio>\n#include <cstdlib>\n#include <vector>\n#include "verilated.h"\n{functions("theirs_")}'
        f'#include "{ARITHMETIC}"\n{functions("ours_")}{same}{CASES}'
        f'int main() {{\n{checks}std::printf("%d\\n", made);\n}}\n'
    )


def test_it_computes_what_verilator_computes(tmp_path: Path) -> None:
    environment = verilator_environment()
    root = environment.get("VERILATOR_ROOT")
    if root is None:
        pytest.skip("a Verilator on PATH does not tell where its headers are")
    source, include = tmp_path / "compare.cpp", Path(root) / "include"
    source.write_text(program())
    subprocess.run(
        ["g++", "-std=gnu++17", f"-I{include}", f"-I{include / 'vltstd'}", "-DVM_TRACE=0", source, "-o",
         tmp_path / "compare"], check=True,
    )
    found = subprocess.run([tmp_path / "compare"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    assert int(found.stdout) > 10_000

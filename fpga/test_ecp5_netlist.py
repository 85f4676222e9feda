"""Which registers move into an ECP5's cells. What the netlist computes is compared by test_netlist_cases.py."""

import json
from pathlib import Path

import pytest

from fpga.device import device
from fpga.flat_module import REGISTER
from fpga.memory_registers import MEMORY
from fpga.multiplier_registers import CLOCKED, MULTIPLIER
from fpga.netlist import NETLIST, synthesize

BEFORE, BEHIND = {"A", "B"}, {"P"}
#: name -> (statements of a module of two products, groups of each that have their register inside, registers outside)
DESIGNS = {
    "none": ("assign y = a * b; assign z = c * d;", [set(), set()], 0),
    "before": (
        "reg signed [7:0] e, f, g, h; always @(posedge clk) begin e <= a; f <= b; g <= c; h <= d; end "
        "assign y = e * f; assign z = g * h;",
        [BEFORE, BEFORE], 0,
    ),
    "behind": (
        "reg signed [15:0] e, f; always @(posedge clk) begin e <= a * b; f <= c * d; end assign y = e; assign z = f;",
        [BEHIND, BEHIND], 0,
    ),
    "shared operand": (
        "reg signed [7:0] e; always @(posedge clk) e <= a; assign y = e * b; assign z = e * c;", [{"A"}, {"A"}], 0,
    ),
    "operand that other logic reads": (
        "reg signed [7:0] e; always @(posedge clk) e <= a; assign y = e * b; assign z = (e * c) ^ e;",
        [set(), set()], 8,
    ),
    "product that other logic reads": (
        "wire signed [15:0] p = a * b; reg signed [15:0] e; always @(posedge clk) e <= p; assign y = e ^ p; "
        "assign z = c * d;",
        [set(), set()], 16,
    ),
    "reset": (
        "reg signed [15:0] e; always @(posedge clk) if (d[0]) e <= 0; else e <= a * b; assign y = e; assign z = c * d;",
        [set(), set()], 16,
    ),
    "enable": (
        "reg signed [7:0] e; always @(posedge clk) if (d[0]) e <= a; assign y = e * b; assign z = c * d;",
        [set(), set()], 8,
    ),
    "between products": (
        "reg signed [15:0] e; always @(posedge clk) e <= a * b; assign y = e * c; assign z = 0;", [{"A"}, set()], 0,
    ),
}


def made_of(statements: str) -> str:
    """Verilog of the module `products`."""
    ports = "input clk, input signed [7:0] a, b, c, d, output signed [15:0] y, z"
    return f"module products({ports}); {statements} endmodule"


def cells_of(verilog: str, top: str) -> list[dict]:
    """Cells of a module's netlist."""
    folder = synthesize(verilog, top, device("85f")).folder
    return list(json.loads((folder / NETLIST).read_text())["modules"][top]["cells"].values())


@pytest.mark.parametrize("name", DESIGNS)
def test_registers_of_multipliers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statements, inside, outside = DESIGNS[name]
    cells = cells_of(made_of(statements), "products")
    found = [
        {group for group, parameter in CLOCKED.items() if cell["parameters"].get(parameter) == "CLK0"}
        for cell in cells
        if cell["type"] == MULTIPLIER
    ]
    # Synthesis names an operand A or B as it likes.
    assert sorted(map(len, found)) == sorted(map(len, inside))
    assert sorted("P" in one for one in found) == sorted("P" in one for one in inside)
    assert sum(cell["type"] == REGISTER for cell in cells) == outside


#: name -> (statements behind the word that a memory gives, bits of it, is there a register inside, registers outside)
READS = {
    "none": ("assign y = word;", 36, False, 0),
    "plain": ("reg [35:0] e; always @(posedge clk) e <= word; assign y = e;", 36, True, 0),
    "enabled": ("reg [35:0] e; always @(posedge clk) if (go) e <= word; assign y = e;", 36, True, 0),
    "one side": ("reg [8:0] e; always @(posedge clk) e <= word; assign y = e;", 9, True, 0),
    "reset": ("reg [8:0] e; always @(posedge clk) if (go) e <= 0; else e <= word; assign y = e;", 9, False, 9),
    "starts at 1": ("reg [8:0] e = 1; always @(posedge clk) e <= word; assign y = e;", 9, False, 9),
    "another reader": ("reg [8:0] e; always @(posedge clk) e <= word; assign y = e ^ word;", 9, False, 9),
    "bits not registered": ("reg [7:0] e; always @(posedge clk) e <= word[7:0]; assign y = {word[8], e};", 9, False, 8),
    "two enables": (
        "reg [8:0] e; always @(posedge clk) begin e[8:1] <= word[8:1]; if (go) e[0] <= word[0]; end assign y = e;",
        9, False, 9,
    ),
    "another clock": ("reg [8:0] e; always @(posedge go) e <= word; assign y = e;", 9, False, 9),
}


@pytest.mark.parametrize("name", READS)
def test_registers_of_memories(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statements, bits, inside, outside = READS[name]
    ports = f"input clk, go, write, input [8:0] to, from, input [{bits - 1}:0] data, output [{bits - 1}:0] y"
    memory = f"(* ram_style = \"block\", no_rw_check *) reg [{bits - 1}:0] memory [0:511]; reg [{bits - 1}:0] word;"
    access = "always @(posedge clk) begin if (write) memory[to] <= data; word <= memory[from]; end"
    cells = cells_of(f"module reads({ports}); {memory} {access} {statements} endmodule", "reads")
    (found,) = [cell["parameters"] for cell in cells if cell["type"] == MEMORY]
    assert ("OUTREG" in {found.get("REGMODE_A"), found.get("REGMODE_B")}) == inside
    assert sum(cell["type"] == REGISTER for cell in cells) == outside


def test_a_memory_in_tables_is_no_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have a port DI."""
    monkeypatch.chdir(tmp_path)
    large = '(* ram_style = "block", no_rw_check *) reg [3:0] large [0:4095]; reg [3:0] word;'
    small = '(* ram_style = "distributed" *) reg [3:0] small [0:15]; assign y = small[from[3:0]];'
    goes = "word <= large[from]; small[to[3:0]] <= word;"
    access = f"always @(posedge clk) begin if (write) large[to] <= data; {goes} end"
    ports = "input clk, write, input [11:0] to, from, input [3:0] data, output [3:0] y"
    cells = cells_of(f"module both({ports}); {large} {small} {access} endmodule", "both")
    assert {"DP16KD", "TRELLIS_DPR16X4"} <= {cell["type"] for cell in cells}
    assert "OUTREG" not in {cell["parameters"].get("REGMODE_B") for cell in cells}

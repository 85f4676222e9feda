"""Which registers move into an ECP5's multiplier. What the netlist computes is compared by test_netlist_cases.py."""

import json
from pathlib import Path

import pytest

from fpga.device import device
from fpga.netlist import NETLIST, synthesize
from fpga.registers_inside import CLOCKED, MULTIPLIER, REGISTER

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


@pytest.mark.parametrize("name", DESIGNS)
def test_registers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statements, inside, outside = DESIGNS[name]
    folder = synthesize(made_of(statements), "products", device("85f")).folder
    cells = json.loads((folder / NETLIST).read_text())["modules"]["products"]["cells"].values()
    found = [
        {group for group, parameter in CLOCKED.items() if cell["parameters"].get(parameter) == "CLK0"}
        for cell in cells
        if cell["type"] == MULTIPLIER
    ]
    # Synthesis names an operand A or B as it likes.
    assert sorted(map(len, found)) == sorted(map(len, inside))
    assert sorted("P" in one for one in found) == sorted("P" in one for one in inside)
    assert sum(cell["type"] == REGISTER for cell in cells) == outside

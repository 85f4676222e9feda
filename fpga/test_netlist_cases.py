"""What synthesis makes of the design computes what the design computes; the models of cells are tested."""

import re

import pytest

from compiler.config import preset
from compiler.engines import engine
from fpga.blocks import TOP
from fpga.device import device
from fpga.netlist_cases import (
    ENGINE_CASES,
    SOURCE,
    WRONG_TABLES,
    cells_case,
    changed,
    dual_case,
    engine_case,
    engine_netlist,
    requantizer_case,
)
from fpga.post_synthesis import OWN_FOLDER, cell_models, netlist_verilog, without_module, yosys_models
from fpga.tools import run_tool
from fpga.wrong_tables import TABLES, with_wrong_tables
from golden.errors import WesnpuError

CELLS = {"CCU2C", "DP16KD", "L6MUX21", "LUT4", "MULT18X18D", "PFUMX", "TRELLIS_DPR16X4", "TRELLIS_FF"}
#: Single changes of the models, each of which the comparison with the source must see.
BUGS = {
    "byte enables swapped": {"18: enabled = {2{{9{address[1]}}, {9{address[0]}}}};":
                             "18: enabled = {2{{9{address[0]}}, {9{address[1]}}}};"},
    "nibble": {"4: place = 9 * address[4:3] + 4 * address[2];": "4: place = 9 * address[4:3];"},
    "read enable": {"wire chosen_b = CEB & ": "wire chosen_b = "},
    "reset": {"if (RSTB) out_b <= 0;": "if (1'b0) out_b <= 0;"},
    "register behind a memory": {"given_out_a = registered_a ? held_a : out_a": "given_out_a = out_a"},
    "enable of a register behind a memory": {"if (OCEB) held_b <= out_b;": "held_b <= out_b;"},
    "sign": {"a = {SIGNEDA & A17,": "a = {A17,"},
    "register before a product": {"made = used_a * used_b": "made = a * used_b"},
    "register behind a product": {"= product[35:0];": "= made[35:0];"},
    "address of distributed memory": {"assign DO = mem[RAD];": "assign DO = mem[RAD ^ 8];"},
    "carry out": {"(~LUT4_1 & gated_lut2_1) | (LUT4_1 & cout_0)": "(~LUT4_1 & gated_lut2_1) | cout_0"},
    "multiplexer of tables": {"assign Z = C0 ? ALUT : BLUT;": "assign Z = C0 ? BLUT : ALUT;"},
    "multiplexer of multiplexers": {"assign Z = SD ? D1 : D0;": "assign Z = SD ? D0 : D1;"},
    "clock enable": {"\t\t\tdefault: assign muxce = CE;": "\t\t\tdefault: assign muxce = 1'b1;"},
    "inverted clock enable": {'"INV": assign muxce = ~CE;': '"INV": assign muxce = CE;'},
    "value of set": {'assign srval = (REGSET == "SET") ? 1\'b1 : 1\'b0;': "assign srval = 1'b0;"},
    "asynchronous set": {"always @(posedge muxclk, posedge muxlsr)": "always @(posedge muxclk)"},
    "inverted clock": {'wire muxclk = (CLKMUX == "INV") ? ~CLK : CLK;': "wire muxclk = CLK;"},
}


@pytest.mark.long
def test_cells_of_ecp5():
    """Every cell of an engine's netlist is in the tested one."""
    netlist = netlist_verilog(SOURCE.read_text(), TOP, device("85f")).read_text()
    assert set(re.findall(r"^  ([A-Z]\w+) ", netlist, re.M)) == CELLS
    result = cells_case()
    assert not result.failure, result.failure
    assert result.values > 10**6


@pytest.mark.long
@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_wrong_cell_is_found(bug):
    assert "differences" in cells_case(BUGS[bug]).failure


def test_all_operands_of_the_dual_multiplier():
    result = dual_case()
    assert not result.failure, result.failure
    assert result.values == 2 * 16 << 16
    assert "differences" in dual_case({".A_SIGNED(1'h1)": ".A_SIGNED(1'h0)"}).failure


def test_requantizer_on_ice40():
    result = requantizer_case(preset("nano"), device("up5k"))
    assert not result.failure, result.failure
    assert result.values > 10_000


@pytest.mark.long
def test_requantizer_on_ecp5():
    result = requantizer_case(preset("small"), device("85f"))
    assert not result.failure, result.failure
    assert result.values > 10_000


IN_ORDER = (("nano", "up5k"), ("nano", "85f"))
ENGINES = (*IN_ORDER, ("micro", "85f"))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", ENGINE_CASES)
@pytest.mark.parametrize("config, name", ENGINES)
def test_engine(config, name, case):
    if name == "85f":
        netlist = engine_netlist(engine(config), device(name)).read_text()
        assert set(re.findall(r"^  ([A-Z]\w+) ", netlist, re.M)) <= CELLS
    result = engine_case(engine(config), device(name), case)
    assert not result.failure, result.failure
    assert result.programs >= ENGINE_CASES[case] and result.values > 1000 and result.memory_bytes > result.values


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("config, name", IN_ORDER)
def test_wrong_tables_of_an_engine_are_found(config, name):
    """Most of them: a table may be one that these networks do not need, or that another test is for."""
    failures = [
        engine_case(engine(config), device(name), "mixed", table=table).failure
        for table in range(1, WRONG_TABLES + 1)
    ]
    assert sum(map(bool, failures)) > WRONG_TABLES / 2, failures


PAIRS = """
module pairs (input [3:0] i, output [15:0] differ);
  for (genvar k = 0; k < 16; k++) begin : entry
    wire own, yosys;
    OWN #(.CONTENTS(16'b1 << k)) one (WIRED, .OUTPUT(own));
    CELL #(.CONTENTS(16'b1 << k)) other (WIRED, .OUTPUT(yosys));
    assign differ[k] = own ^ yosys;
  end
endmodule
"""


@pytest.mark.parametrize("family", TABLES)
def test_tables_are_those_of_yosys(family, tmp_path):
    """Each of the 16 entries stands where yosys has it, so any contents do."""
    table = TABLES[family]
    own = (OWN_FOLDER / f"{table.cell.lower()}.v").read_text().replace(f"module {table.cell} ", "module OWN ")
    wired = ", ".join(f".{name}(i[{bit}])" for bit, name in enumerate(table.inputs))
    words = {"CONTENTS": table.contents, "WIRED": wired, "OUTPUT": table.output, "CELL": table.cell}
    text = own + re.sub("|".join(words), lambda found: words[found[0]], PAIRS)
    theirs = re.search(rf"^module\s+{table.cell}\b.*?^endmodule\b", yosys_models(family), re.M | re.S)
    text += re.sub(r"`ICE40_DEFAULT_ASSIGNMENT_0", "", theirs[0])
    (tmp_path / "pairs.v").write_text(text)
    script = "read_verilog -sv pairs.v; hierarchy -top pairs; proc; flatten; opt; sat -verify -prove differ 0 pairs"
    run_tool("yosys", ["-p", script], tmp_path)
    (tmp_path / "pairs.v").write_text(text.replace("16'b1 << k)) one", "16'b1 << (k ^ 5))) one"))
    with pytest.raises(WesnpuError, match="yosys failed"):
        run_tool("yosys", ["-p", script], tmp_path)


LUT = """module SB_LUT4 (...); endmodule
  SB_LUT4 #(
    .LUT_INIT(16'h8000)
  ) first (
    .O(y)
  );
  SB_LUT4 #(
    .LUT_INIT(16'h0001)
  ) second (
    .O(z)
  );
"""


def test_wrong_tables_are_drawn_and_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    netlist = tmp_path / "netlist.v"
    netlist.write_text(LUT)
    one = {with_wrong_tables(netlist, "ice40", 1, seed).read_text() for seed in range(8)}
    assert len(one) == 2  # the first or the second
    both = with_wrong_tables(netlist, "ice40", 2, 1).read_text()
    assert both.index(".NUMBER(1)") < both.index(".NUMBER(2)") < both.index("module WRONG_SB_LUT4")
    assert both.count("  WRONG_SB_LUT4 #(") == 2 and both.count("16'h8000") == 1
    with pytest.raises(WesnpuError, match="has 2 tables: 3 of them"):
        with_wrong_tables(netlist, "ice40", 3, 1)


def test_models_stand_alone_and_own_cells_take_the_place_of_empty_ones():
    for family in ("ecp5", "ice40"):
        text = cell_models(family)
        assert "`include" not in text and "endspecify" not in text and text.count("module ") > 20
    assert cell_models("ecp5").count("module DP16KD") == 1
    assert without_module("module A(x);\nendmodule\nmodule AB(x);\nendmodule\n", "A") == "\nmodule AB(x);\nendmodule\n"


def test_a_replacement_that_does_not_stand_there_is_told(tmp_path):
    (tmp_path / "netlist.v").write_text(LUT)
    with pytest.raises(WesnpuError, match="stands 0 times"):
        changed(tmp_path / "netlist.v", {"no such text": ""})

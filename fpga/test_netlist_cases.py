"""What synthesis makes of the design computes what the design computes; the models of cells are tested."""

import pytest

from compiler.config import preset
from fpga.device import device
from fpga.netlist_cases import cells_case, dual_case, requantizer_case
from fpga.post_synthesis import cell_models, without_module
from golden.errors import WesnpuError

#: Single changes of the models, each of which the comparison with the source must see.
BUGS = {
    "byte enables swapped": {"18: enabled = {2{{9{address[1]}}, {9{address[0]}}}};":
                             "18: enabled = {2{{9{address[0]}}, {9{address[1]}}}};"},
    "nibble": {"4: place = 9 * address[4:3] + 4 * address[2];": "4: place = 9 * address[4:3];"},
    "read enable": {"wire chosen_b = CEB & ": "wire chosen_b = "},
    "reset": {"if (RSTB) out_b <= 0;": "if (1'b0) out_b <= 0;"},
}


@pytest.mark.long
def test_cells_of_ecp5():
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


def test_models_stand_alone_and_own_cells_take_the_place_of_empty_ones():
    for family in ("ecp5", "ice40"):
        text = cell_models(family)
        assert "`include" not in text and "endspecify" not in text and text.count("module ") > 20
    assert cell_models("ecp5").count("module DP16KD") == 1
    assert without_module("module A(x);\nendmodule\nmodule AB(x);\nendmodule\n", "A") == "\nmodule AB(x);\nendmodule\n"


def test_a_replacement_that_does_not_stand_there_is_told():
    with pytest.raises(WesnpuError, match="stands 0 times"):
        cells_case({"no such text": ""})

"""Macro assignment: the shortest of all for macros that share no net, never longer, each place taken once."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga.macros import MACROS, assigned, with_macros
from golden.errors import WesnpuError

TILES = st.tuples(st.integers(2, 60), st.integers(2, 60))


def design(macros: list[tuple[int, int]], logic: list[tuple[int, int]], nets: list[list[int]], kind: str) -> dict:
    """As nextpnr writes it: macros, then look-up tables, in these tiles; nets join cells by number."""
    tiles = [f"X{x}/Y{y}/{'EBR' if n < len(macros) else 'SLICEA.K0'}" for n, (x, y) in enumerate([*macros, *logic])]
    cells = {
        f"cell_{n}": {
            "type": kind if n < len(macros) else "TRELLIS_COMB",
            "attributes": {"NEXTPNR_BEL": bel},
            "connections": {"P": [bit for bit, net in enumerate(nets) if n in net], "OPEN": ["0"]},
        }
        for n, bel in enumerate(tiles)
    }
    return {"modules": {"cell_library": {"cells": {}}, "top": {"cells": cells}}}


def length(design: dict, moved: dict[str, str]) -> int:
    """Half perimeters of all nets with these cells moved, counted anew from the definition."""
    joined: dict[int, list[tuple[int, int]]] = {}
    for name, cell in design["modules"]["top"]["cells"].items():
        x, y, _ = moved.get(name, cell["attributes"]["NEXTPNR_BEL"]).split("/")
        for bit in cell["connections"]["P"]:
            joined.setdefault(bit, []).append((int(x[1:]), int(y[1:])))
    return sum(int(np.ptp(tiles, axis=0).sum()) for tiles in joined.values())


@st.composite
def designs(draw, joins_macros: bool) -> dict:
    """Few macros and more logic; joins_macros: nets join any cells, else one macro and logic."""
    macros = draw(st.lists(TILES, min_size=1, max_size=5, unique=True))
    logic = draw(st.lists(TILES, min_size=2, max_size=8))
    of_logic = st.lists(st.integers(len(macros), len(macros) + len(logic) - 1), min_size=1, max_size=3)
    of_macros = st.lists(st.integers(0, len(macros) - 1), min_size=1, max_size=3 if joins_macros else 1)
    nets = draw(st.lists(st.builds(lambda a, b: a + b, of_macros, of_logic), min_size=1, max_size=10))
    return design(macros, logic, nets, draw(st.sampled_from(MACROS)))


def places(design: dict) -> dict[str, str]:
    """Of the macros."""
    cells = design["modules"]["top"]["cells"].items()
    return {name: cell["attributes"]["NEXTPNR_BEL"] for name, cell in cells if cell["type"] in MACROS}


@settings(deadline=None, print_blob=True)
@given(designs(joins_macros=False))
def test_macros_that_share_no_net_get_the_shortest_nets_of_all_orders(one: dict) -> None:
    before = places(one)
    least = min(length(one, dict(zip(before, order, strict=True))) for order in permutations(before.values()))
    assert length(one, assigned(one)) == least


@settings(deadline=None, print_blob=True)
@given(designs(joins_macros=True))
def test_each_place_is_taken_once_and_nets_are_never_longer(one: dict) -> None:
    before, after = places(one), assigned(one)
    assert after.keys() == before.keys() and sorted(after.values()) == sorted(before.values())
    assert length(one, after) <= length(one, before)


@pytest.mark.parametrize("kind", MACROS)
def test_a_swap_and_what_it_leaves_alone(kind: str) -> None:
    placed = design([(2, 10), (50, 10)], [(49, 11), (3, 11)], [[0, 2], [1, 3]], kind)
    bels = assigned(placed)
    assert bels == {"cell_0": "X50/Y10/EBR", "cell_1": "X2/Y10/EBR"}
    netlist = {"modules": {"top": {"cells": {
        "cell_0": {"type": kind, "attributes": {"keep": "1"}}, "cell_1": {"type": kind, "attributes": {}},
        "logic": {"type": "LUT4", "attributes": {}},
    }}}}
    cells = with_macros(netlist, "top", bels)["modules"]["top"]["cells"]
    assert cells["cell_0"] == {"type": kind, "attributes": {"keep": "1", "BEL": "X50/Y10/EBR"}}
    assert cells["logic"] == {"type": "LUT4", "attributes": {}}
    assert netlist["modules"]["top"]["cells"]["cell_0"]["attributes"] == {"keep": "1"}


def test_a_macro_that_the_netlist_lacks_is_told() -> None:
    netlist = {"modules": {"top": {"cells": {}}}}
    assert with_macros(netlist, "top", assigned({"modules": {"top": {"cells": {}}}})) == netlist
    with pytest.raises(WesnpuError, match="netlist of top does not have: ram_1$"):
        with_macros(netlist, "top", {"ram_1": "X2/Y10/EBR"})

"""The timing diagrams of docs/integration.md are those of the engine as it is."""

import json

import pytest

from sim import waves
from sim.diagram import Diagram, Trace

TRACE = Trace({
    "p_awvalid": [0, 1, 1, 0, 0, 1, 0], "p_awaddr": [9, 0x20, 0x24, 9, 9, 0x123456789A, 0],
    "irq": [0, 0, 0, 0, 1, 1, 1],
})


def test_diagrams_are_up_to_date():
    made = waves.documents()
    assert len(made) == 8
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
    assert not stale, "run python -m sim.waves"
    for path in made:
        assert path.suffix == ".json" or f"({path.name})" in (waves.DOCS / "integration.md").read_text()


def test_levels_values_and_gaps():
    wave = Diagram("title", "p_", ("awvalid", "awaddr"), ((0, 3), (4, 7))).wavedrom(TRACE)
    assert wave["signal"] == [
        {"name": "clk", "wave": "p..|p.."}, {"name": "p_awvalid", "wave": "01.|010"},
        {"name": "p_awaddr", "wave": "x==|x=x", "data": ["20", "24", "3456789a"]},
    ]
    assert json.loads(json.dumps(wave)) == wave


def test_a_level_that_holds_over_a_gap_is_drawn_through():
    wave = Diagram("title", "", ("irq", "p_awaddr"), ((4, 5), (6, 7))).wavedrom(TRACE)
    assert [row["wave"] for row in wave["signal"]] == ["p|p", "1|.", "x|."]


def test_cycles_are_found_by_value_and_a_missing_one_is_told():
    assert TRACE.first("p_awvalid", p_awaddr=0x24) == 2 and TRACE.first("p_awvalid", after=3) == 5
    assert TRACE.last("irq") == 6
    with pytest.raises(ValueError, match="p_awvalid is never high after cycle 6"):
        TRACE.first("p_awvalid", after=6)


def test_a_trace_file_that_was_cut_off_loses_only_its_last_line(tmp_path):
    path = tmp_path / "waves.txt"
    path.write_text("a b\n0 1f\n1 2\n0 1")
    assert Trace.read(path) == Trace({"a": [0, 1], "b": [0x1F, 2]})

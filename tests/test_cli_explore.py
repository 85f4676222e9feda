"""``wesnpu explore``: every engine of the grid is told, with the cycle model's figures or the reason against it."""

import csv
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import pytest

from compiler.config import EngineConfig, preset
from compiler.cycles import Memory
from compiler.cycles import estimate as predict
from compiler.design_space import Axes, Candidate, Point, explore, front, grid, of_preset
from compiler.program import compile_network
from golden.file import load_network
from tests.cli import float_model, pictures, run
from wesnpu.design_points import points
from wesnpu.plots_pareto import best_by_cost, pareto

MEMORY = Memory(read_bytes=8, write_bytes=8, read_latency=64, write_latency=64, outstanding=64)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explore")
    path, model, images = folder / "tiny.npz", float_model(folder / "tiny.onnx"), pictures(folder / "images")
    assert run("quantize", model, "--calib", images, "-o", path).exit_code == 0
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_engine_is_told_with_its_figures_or_its_reason(network: Path, tmp_path: Path) -> None:
    axes = ("--pixels", "1,3", "--lanes", "4,8", "--taps", 8, "--scratchpad", "16,100", "--weights", 32, "--bus", 16)
    files = ("--csv", tmp_path / "space.csv", "-o", tmp_path / "space.svg", "--processes", 1)
    shown = run("explore", network, "--configs", "small,nano", *axes, "--bandwidth", 8, "--mhz", 50, *files)
    assert shown.exit_code == 0, shown.stderr
    rows = {row["engine"]: row for row in read_csv(tmp_path / "space.csv")}
    assert len(rows) == 2 + 8 and "possible: 3 of 10" in shown.stdout
    assert {name for name, row in rows.items() if not row["impossible_because"]} == {
        "small", "1x4x8 s16 w32 b16", "1x8x8 s16 w32 b16"
    }
    assert "EngineConfig.pixels = 3 must be one of (1, 2, 4)" in rows["3x4x8 s16 w32 b16"]["impossible_because"]
    assert "scratchpad_words = 6400 must be a power of two" in rows["1x4x8 s100 w32 b16"]["impossible_because"]
    assert "G = 5" in rows["nano"]["impossible_because"] and "impossible: nano: " in shown.stdout
    found = predict(compile_network(load_network(network), preset("small")), MEMORY)
    assert int(rows["small"]["cycles"]) == found.cycles
    assert float(rows["small"]["images_per_second"]) == 50e6 / found.cycles
    assert int(rows["small"]["read_bytes"]) == found.read_bytes
    assert xml.dom.minidom.parse(str(tmp_path / "space.svg")).documentElement.tagName == "svg"


def test_no_possible_engine_is_an_error_with_the_reasons(network: Path, tmp_path: Path) -> None:
    table = tmp_path / "space.csv"
    shown = run("explore", network, "--pixels", "3", "--lanes", "4,5", "--taps", 8, "--csv", table, "--processes", 1)
    assert shown.exit_code == 2 and "possible: 0 of 4" in shown.stdout
    assert shown.stderr.startswith("error: none of 4 engines is possible; 3x4x8 s128 w128 b16: ")
    assert "EngineConfig.pixels = 3 must be one of (1, 2, 4)" in shown.stderr
    assert shown.stdout.count("impossible: 3x") == 4 == len(read_csv(table))


def test_costs_follow_their_rules() -> None:
    point = Point(of_preset("large"), MEMORY, macs=128 * 1000, cycles=1000)
    assert (point.macs_per_cycle, point.multipliers, point.dsps) == (256, 256 + 32, 128 + 32)
    assert point.memory_bytes == 256 * 1024 + 2048 * 128 + 512 * 8 * 36 // 8
    assert point.utilization == 0.5 and point.images_per_second(100) == 1e5
    assert EngineConfig(name="large", **of_preset("large").fields) == preset("large")


def test_every_engine_of_the_usual_grid_is_legal() -> None:
    made = [EngineConfig(name=one.name, **one.fields) for one in grid(Axes(), 7)]
    assert len({one.name for one in made}) == len(made) == 24


def points_of(*costs: tuple[int, int, int]) -> list[Point]:
    """Points of these (cycles, lanes, scratchpad words)."""
    fields = of_preset("small").fields
    return [
        Point(Candidate(f"{cost}", {**fields, "lanes": cost[1], "scratchpad_words": cost[2]}), MEMORY, cycles=cost[0])
        for cost in costs
    ]


def test_the_front_is_what_none_beats_with_the_same_memory() -> None:
    fast, small, worse, same = points_of((10, 8, 64), (20, 4, 64), (20, 8, 64), (10, 8, 64))
    assert front([fast, small, worse, same]) == [fast, small, same]
    elsewhere = replace(worse, memory=Memory())
    assert front([fast, elsewhere, Point(worse.candidate, MEMORY, refusal="no")]) == [fast, elsewhere]
    assert best_by_cost([worse, fast, small], lambda point: point.dsps) == [small, fast]


def test_processes_give_the_same_points_in_order(network: Path) -> None:
    loaded, told = load_network(network), []
    tried = [(one, MEMORY, True) for one in grid(Axes(lanes=(2, 4, 8), scratchpad=(64,)), 7)]
    found = points(loaded, tried, processes=2, progress=told.append)
    assert found == [explore(loaded, one) for one in tried]
    assert told == list(range(1, len(tried) + 1)) and [one.candidate for one in found] == [one[0] for one in tried]


@pytest.mark.filterwarnings("ignore")  # dask's own, of its event loop and its dashboard
def test_a_cluster_gives_the_same_points(network: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed], the extra 'cluster'")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(protocol="tcp://", **options) as local:
        loaded = load_network(network)
        tried = [(of_preset(name), MEMORY, True) for name in ("small", "large", "nano")]
        assert points(loaded, tried, scheduler=local.scheduler_address) == [explore(loaded, one) for one in tried]


def test_a_png_is_a_png() -> None:
    assert pareto(points_of((10, 8, 64), (20, 4, 64)), 100, "png").startswith(b"\x89PNG")
    assert pareto([], 100, "svg") == pareto([], 100, "svg")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--configs", "huge"), ("--lanes", "eight"), ("--lanes", "inf"), ("--lanes", "nan"), ("--taps", "0"),
        ("--pixels", "1.5"), ("--bandwidth", "0"),
        ("--mhz", 0), ("--latency", -1), ("--output", "plot.pdf"),
    ],
)
def test_refusals_name_the_option(network: Path, option: str, value: object) -> None:
    shown = run("explore", network, option, value)
    assert shown.exit_code == 2
    assert option in shown.stderr and len(shown.stderr.splitlines()) == 1

"""The report: data survive a file, the page holds what the data say, loads nothing and is the same on every run."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from golden.errors import WesnpuError
from wesnpu import plots, report, report_data
from wesnpu.report_data import Accuracy, Comparison, Engine, LayerRun, ReportData, Shifts

LAYERS = (
    LayerRun("first", 1000, 128_000, 4000, 800, {"active": 600, "waiting for weights": 400}),
    LayerRun("a < b", 500, 64_000, 3000, 9000, {"active": 500, "waiting for weights": 0}),
)
DATA = ReportData(
    network="tiny",
    command="make demo",
    accuracy=(Accuracy("float", 180, 200, 200), Accuracy("WES", 179, 198, 200)),
    shifts=(Shifts("first", (3, 1) + (0,) * 14),),
    engine=Engine("large", 256, 16.0),
    comparison=Comparison(2, 6, 12_345, (), 7, (1500, 1500), 650_000.5),
    layers=LAYERS,
)
MISMATCH = "layer first, channel 2, row 0, column 5, output: engine 4, golden 5"


class Page(HTMLParser):
    """Text of a page, its elements in order, and everything that it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.loads += [v for name, v in attrs if name in ("src", "href", "xlink:href") and v and not v.startswith("#")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_data_survive_a_file(tmp_path: Path) -> None:
    for data in (DATA, ReportData("only a name", "make demo")):
        report_data.save(data, tmp_path / "data.json")
        assert report_data.load(tmp_path / "data.json") == data


@pytest.mark.parametrize(
    ("change", "naming"),
    [
        (lambda fields: fields.pop("network"), "exactly the fields"),
        (lambda fields: fields.update(surplus=1), "exactly the fields"),
        (lambda fields: fields["layers"][1].update(cycles="many"), "layers[1]: cycles"),
        (lambda fields: fields["comparison"].update(images=True), "comparison: images"),
        (lambda fields: fields.update(format=99), "format 1"),
    ],
)
def test_data_that_do_not_fit_are_refused(change, naming: str, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    report_data.save(DATA, path)
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(WesnpuError, match=re.escape(naming)):
        report_data.load(path)


def test_utilization_is_macs_over_the_array() -> None:
    assert DATA.utilization == 100 * 192_000 / (1500 * 256)
    assert replace(DATA, engine=None).utilization is None


def test_the_roofline_counts_the_busier_way() -> None:
    assert [row.intensity for row in LAYERS] == [128_000 / 4000, 64_000 / 9000]
    assert "256 MAC, 16 byte" in plots.roofline(LAYERS, Engine("large", 256, 16.0))
    assert "256 MAC, 0.5 byte" in plots.roofline(LAYERS, Engine("large", 256, 0.5))


def test_page_holds_the_figures() -> None:
    page = Page(report.render(DATA))
    for text in ("89.5 %", "99.0 %", "12,345", "0 mismatches", "50.0 %", "650,00", "a < b", "waiting for weights"):
        assert text in page.text, text
    assert page.tags.count("svg") == 5


def test_page_loads_nothing_and_its_ids_differ() -> None:
    html = report.render(DATA)
    page = Page(html)
    assert not page.loads and "script" not in page.tags and "@import" not in html
    assert page.ids and len(page.ids) == len(set(page.ids))


def test_page_is_the_same_on_every_run() -> None:
    assert report.render(DATA) == report.render(DATA)


def test_mismatches_are_shown_and_escaped() -> None:
    bad = replace(DATA, comparison=replace(DATA.comparison, mismatches=(MISMATCH, "<script>")))
    page = Page(report.render(bad))
    assert MISMATCH in page.text and "0 mismatches." not in page.text and "script" not in page.tags


def test_what_was_not_measured_is_left_out() -> None:
    page = Page(report.render(ReportData("tiny", "make demo")))
    assert "svg" not in page.tags and "mismatch" not in page.text and "Accuracy" not in page.text


def test_the_command_draws_a_data_file(tmp_path: Path) -> None:
    report_data.save(DATA, tmp_path / "data.json")
    command = [sys.executable, "-m", "wesnpu.report", str(tmp_path / "data.json")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / "data.html").read_text() == report.render(DATA)
    (tmp_path / "data.json").write_text("{}")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1

"""The report: one self-contained HTML page from report data (``python -m wesnpu.report DATA.json [PAGE.html]``)."""

import sys
from pathlib import Path

import jinja2

from golden.errors import WesnpuError
from golden.files import write_whole
from wesnpu import plots
from wesnpu.report_data import ReportData, load, save

FOLDER = Path("build/report")


def drawn(data: ReportData) -> dict[str, str]:
    """SVG elements by name: a plot for everything that `data` holds."""
    pictures = {}
    if data.accuracy:
        pictures["accuracy"] = plots.accuracy(data.accuracy)
    if data.shifts:
        pictures["shifts"] = plots.shifts(data.shifts)
    if data.layers and data.engine:
        pictures["cycles"] = plots.cycles(data.layers)
        pictures["utilization"] = plots.utilization(data.layers, data.engine)
        pictures["roofline"] = plots.roofline(data.layers, data.engine)
    return pictures


def render(data: ReportData) -> str:
    """The page as HTML text; names from files are escaped, nothing is loaded from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(data=data, plots=drawn(data))


def write(data: ReportData, path: Path) -> None:
    """Write the page to `path`, whole or not at all."""
    write_whole(path, render(data).encode())


def write_folder(data: ReportData, folder: Path) -> Path:
    """Write data.json and index.html into `folder`; the page."""
    page = render(data).encode()
    save(data, folder / "data.json")
    write_whole(folder / "index.html", page)
    return folder / "index.html"


def main(arguments: list[str]) -> int:
    """Draw the page for one data file."""
    if len(arguments) not in (1, 2):
        print("usage: python -m wesnpu.report DATA.json [PAGE.html]", file=sys.stderr)
        return 2
    source = Path(arguments[0])
    page = Path(arguments[1]) if len(arguments) == 2 else source.with_suffix(".html")
    try:
        write(load(source), page)
    except WesnpuError as error:
        print(error, file=sys.stderr)
        return 2
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

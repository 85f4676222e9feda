"""Tables and progress bars of the command line, all in one look; progress goes to standard error."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from sim.cosim import Progress as Simulated

LONG = 1800.0  # seconds over which the speed of long work is judged
WIDEST = 1000  # a table is never cut; a narrow terminal wraps its lines

out = Console(soft_wrap=True, highlight=False)
wide = Console(width=WIDEST, highlight=False)
notes = Console(stderr=True, soft_wrap=True, highlight=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is left-aligned, the others right; nothing is cut when output is a file."""
    grid = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        grid.add_column(escape(column), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    wide.print(grid)


def say(text: str) -> None:
    """Print plain text to standard output."""
    out.print(text, markup=False)


def note(text: str) -> None:
    """Print plain text to standard error."""
    notes.print(text, markup=False)


@contextmanager
def progress(text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; the callable takes how much is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(escape(text), total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def long_progress(text: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar with the time left, for work of hours; the callable takes how much was done more, and what.

    Where standard error is no terminal, what was done is a line.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    shown = notes.is_terminal
    with Progress(*columns, console=notes, disable=not shown, speed_estimate_period=LONG) as bar:
        task = bar.add_task(escape(text), total=total)

        def advance(done: int, what: str) -> None:
            bar.update(task, advance=done, description=escape(what))
            if not shown:
                note(what)

        yield advance


@contextmanager
def passes() -> Iterator[Callable[[str, int], None]]:
    """A line on standard error that tells the pass at work; the callable takes its name and how much it has done."""
    column = TextColumn("{task.description}")
    with Progress(column, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task("quantize", total=None)
        yield lambda name, done: bar.update(task, description=f"{escape(name)}: {done}")


@contextmanager
def simulation() -> Iterator[Callable[["Simulated"], None]]:
    """A progress bar of a co-simulation on standard error: image, layer, cycles, the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task("simulating", total=1.0)

        def show(at: "Simulated") -> None:
            where = f"{at.done} of {at.images} images; layer {at.layer} of {at.layers}, {at.cycles:,} cycles"
            bar.update(task, description=where, completed=at.share)

        yield show

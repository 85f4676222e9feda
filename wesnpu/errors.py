"""How errors reach a user: one line on standard error and exit code 2, never a traceback."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from golden.errors import WesnpuError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
CODE = 2


def one_line(error: BaseException) -> str:
    """The error's text with all white space collapsed, so that it is one line."""
    return " ".join(str(error).split())


def one_line_errors(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The command; what a user can mend (WesnpuError) or the system refuses (OSError, memory) ends it with `CODE`."""

    @functools.wraps(command)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except WesnpuError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
        except BrokenPipeError:
            raise
        except OSError as error:
            print(f"error: {error.filename or 'system'}: {error.strerror or one_line(error)}", file=sys.stderr)
        except MemoryError as error:
            print(f"error: not enough memory: {one_line(error)}", file=sys.stderr)
        raise typer.Exit(CODE)

    return guarded

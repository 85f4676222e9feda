"""The command line as one typer application: a command is a function of a file in wesnpu/commands, listed here."""

from collections.abc import Callable

import typer

from wesnpu.commands import (
    compare,
    compile,
    cosim,
    estimate,
    evaluate,
    explore,
    export_qdq,
    import_network,
    inspect,
    quantize,
    run,
)
from wesnpu.errors import one_line_errors

COMMANDS: dict[str, Callable[..., None]] = {
    "import": import_network.import_network,
    "quantize": quantize.quantize,
    "eval": evaluate.evaluate,
    "compare": compare.compare,
    "inspect": inspect.inspect,
    "export-qdq": export_qdq.export,
    "compile": compile.compile_program,
    "cosim": cosim.cosim,
    "run": run.run,
    "estimate": estimate.estimate,
    "explore": explore.explore,
}

app = typer.Typer(
    help="From a float ONNX network to exact integers and the engine that runs them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _function in COMMANDS.items():
    app.command(_name)(one_line_errors(_function))

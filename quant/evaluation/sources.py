"""A digest of the code that a figure depends on, so that a figure kept in a file is not taken for another code's."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("golden", "quant", "compiler")


def digest(modules: Iterable[str], *, opaque: Collection[str] = ()) -> str:
    """Hexadecimal digest of the modules and of all they import from ROOMS, directly or not.

    Comments, docstrings and layout do not count. opaque: modules whose own text counts but not what they import.
    FileNotFoundError for a module that does not exist.
    """
    found = hashlib.sha256()
    for module in sorted(closure(modules, opaque=opaque)):
        found.update(f"{module} {_text_digest(path_of(module))}\n".encode())
    return found.hexdigest()


def closure(modules: Iterable[str], *, opaque: Collection[str] = ()) -> set[str]:
    """The modules and all modules of ROOMS that they import, directly or not."""
    known: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in known:
            known.add(module)
            waiting.extend(() if module in opaque else _imported(path_of(module)))
    return known


def path_of(module: str) -> Path:
    """The source file of a module or package of ROOMS; FileNotFoundError where there is none."""
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{module}: no source file below {ROOT}")


@cache
def _imported(path: Path) -> tuple[str, ...]:
    return tuple(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in ROOMS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOMS:
            assert node.module is not None
            yield node.module
            for alias in node.names:
                base = ROOT.joinpath(*node.module.split("."), alias.name)
                if base.with_suffix(".py").is_file() or (base / "__init__.py").is_file():
                    yield f"{node.module}.{alias.name}"


def function_digest(*functions: Callable[..., object]) -> str:
    """Digest of what these functions themselves do, where the rest of their modules does not matter."""
    texts = [_bare(ast.parse(textwrap.dedent(inspect.getsource(function)))) for function in functions]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@cache
def _text_digest(path: Path) -> str:
    return hashlib.sha256(_bare(ast.parse(path.read_text())).encode()).hexdigest()


def _bare(tree: ast.Module) -> str:
    """The tree without docstrings, as text."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)

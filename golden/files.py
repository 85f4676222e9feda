"""Output files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from golden.errors import WesnpuError

UNFINISHED = ".unfinished."  # begins the name of a file that is being written; a killed run may leave one


def check_output(path: Path, *sources: Path) -> None:
    """Refuse early, before any work, a path that no file can be put at or that is one of `sources`; WesnpuError."""
    if any(path.exists() and source.exists() and path.samefile(source) for source in sources):
        raise WesnpuError(f"{path} cannot be written: it is the input itself")
    if path.exists() and not path.is_file():
        raise WesnpuError(f"{path} cannot be written: it is a folder or a device")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WesnpuError(f"{path} cannot be written: {folder} is no folder that may be written to")


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, folders included; WesnpuError names the path where the system refuses."""
    make_whole(path, lambda temporary: temporary.write_bytes(data))


def make_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then rename it; a failure leaves what was at `path` before.

    WesnpuError names the path and the reason where the system refuses (read-only folder, full disk, ...).
    """
    check_output(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{UNFINISHED}{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise WesnpuError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

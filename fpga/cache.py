"""Results of long tool runs, kept in build/fpga by everything that they depend on."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path("build") / "fpga"


def kept(make: Callable[[Path], None], *parts: str) -> Path:
    """The folder that `make` filled for these parts, now or in an earlier run; appears whole or not at all."""
    folder = CACHE / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=CACHE))
    try:
        make(made)
        os.replace(made, folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder

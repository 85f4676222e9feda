"""Fashion-MNIST from its IDX files (Xiao, Rasul and Vollgraf 2017; images MIT, Zalando SE).

On Debian the files come with ``apt-get install dataset-fashion-mnist``.
"""

import gzip
import math
from pathlib import Path

import numpy as np

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
COUNTS = {"train": 60_000, "t10k": 10_000}
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load(part: str, folder: str | Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 28, 28, 1] and labels uint8 [N] (0..9) of one part of the data set.

    Args:
        part: "train" (N = 60,000) or "t10k" (the test set, N = 10,000).
        folder: where the IDX files lie, gzipped or not; None is where the Debian package puts them.

    Raises:
        ValueError: unknown part, or a file that is not the IDX file it should be.
        FileNotFoundError: no such file, with the command that provides it.
    """
    if part not in COUNTS:
        raise ValueError(f"part is {part!r}, must be one of {', '.join(COUNTS)}")
    folder = DEBIAN_FOLDER if folder is None else Path(folder)
    images = read_idx(find(folder, f"{part}-images-idx3-ubyte"))
    labels = read_idx(find(folder, f"{part}-labels-idx1-ubyte"))
    count = COUNTS[part]
    if images.shape != (count, 28, 28) or labels.shape != (count,) or labels.max() > 9:
        raise ValueError(f"{folder}: {part} has images {images.shape} and labels {labels.shape}, not Fashion-MNIST")
    return images[..., np.newaxis], labels


def find(folder: Path, name: str) -> Path:
    """The file `name` or `name`.gz in `folder`; FileNotFoundError where there is neither."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no {name} or {name}.gz in {folder}: on Debian run 'apt-get install dataset-fashion-mnist', "
        "elsewhere name the folder that holds the four IDX files"
    )


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of one IDX file: bytes 0 0 8 rank, then big-endian 32-bit sizes, then the values.

    Raises:
        ValueError: a truncated or foreign file.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes (it starts with {data[:4].hex(' ')})")
    start = 4 + 4 * data[3]
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], dtype=">u4"))
    if len(shape) != data[3] or len(data) - start != math.prod(shape):
        raise ValueError(f"{path} holds {len(data) - start} values, its header says {shape}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)

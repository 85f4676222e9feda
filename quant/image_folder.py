"""A folder of labelled pictures as uint8 images: the label is the number that a file name starts with, or its folder."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.preprocess import pixels

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """images: uint8 (N, C, H, W); labels: int64 (N,); names: relative paths; unreadable: "path: reason" of those left out."""

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


def read_folder(folder: str | Path, preprocessing: Preprocessing) -> LabelledImages:
    """All pictures below `folder` in the order of their paths; needs at least one that can be read.

    A label is the number at the start of the file name, or else the position of the picture's subfolder among the
    subfolders. An unreadable picture is listed, not skipped silently. WesnpuError for no folder, an empty one, a picture
    smaller than the crop and one without label.
    """
    root = Path(folder)
    if not root.is_dir():
        raise WesnpuError(f"{root}: is no folder of images")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    folders = sorted({path.parent for path in paths if path.parent != root})
    arrays, labels, names, unreadable = [], [], [], []
    for path in paths:
        name = str(path.relative_to(root))
        try:
            with Image.open(path) as image:
                arrays.append(pixels(image, preprocessing, name))
        except (OSError, SyntaxError) as error:
            unreadable.append(f"{name}: {error}")
            continue
        labels.append(_label(path, folders))
        names.append(name)
    if not arrays:
        raise WesnpuError(f"{root}: holds no readable image ({', '.join(SUFFIXES)}); {len(unreadable)} are unreadable")
    return LabelledImages(np.stack(arrays), np.array(labels), tuple(names), tuple(unreadable))


def _label(path: Path, folders: list[Path]) -> int:
    number = re.match(r"\d+", path.name)
    if path.parent in folders:
        return folders.index(path.parent)
    if number is None:
        raise WesnpuError(f"{path.name}: its name must start with the class number, or it must lie in a class folder")
    return int(number[0])

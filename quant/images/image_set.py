"""Sets of images with labels: a folder, one picture or an .npz file; what cannot be read is named and counted."""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.images.preprocess import pixels

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".gif", ".tif", ".tiff", ".webp"))

UNREADABLE = (
    OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError, struct.error,
)  # what Pillow raises for damaged files


@dataclass
class ImageSet:
    """Images in a fixed order; reading them fills `unreadable` with (name, reason), each image once.

    names: paths below the folder, or "FILE[index]". labels: class index of each image, None where unknown.
    ignored: files of a folder that are no pictures by their suffix.
    """

    names: list[str]
    labels: list[int | None]
    sources: Sequence[Path | np.ndarray]
    how: Preprocessing
    ignored: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return all(label is not None for label in self.labels)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """(index, uint8 (C, H, W)) of every readable image, resized, cropped and in channel order.

        WesnpuError when none can be read or one is too small.
        """
        self.unreadable, done = [], 0
        for index, (name, source) in enumerate(zip(self.names, self.sources, strict=True)):
            image = self._open(name, source)
            if image is not None:
                done += 1
                yield index, pixels(image, self.how, name)
        if not done:
            raise WesnpuError(f"none of {len(self)} images can be read; the first: {': '.join(self.unreadable[0])}")

    def read(self, progress: Callable[[int], None] | None = None) -> tuple[np.ndarray, list[int]]:
        """uint8 (N, C, H, W) of all readable images and their indices; progress is called with how many are done."""
        images: list[np.ndarray] = []
        indices: list[int] = []
        for index, image in self:
            images.append(image)
            indices.append(index)
            if progress is not None:
                progress(index + 1)
        return np.stack(images), indices

    def subset(self, indices: Sequence[int]) -> "ImageSet":
        """The images of the given indices, in that order."""
        names, labels = [self.names[i] for i in indices], [self.labels[i] for i in indices]
        return ImageSet(names, labels, [self.sources[i] for i in indices], self.how, self.ignored)

    def _open(self, name: str, source: Path | np.ndarray) -> Image.Image | None:
        try:
            if isinstance(source, np.ndarray):
                return Image.fromarray(source)
            with Image.open(source) as image:
                image.load()
                return _upright(image)
        except UNREADABLE as error:
            self.unreadable.append((name, " ".join(str(error).replace(f" {str(source)!r}", "").split())))
            return None


def _upright(image: Image.Image) -> Image.Image:
    """The picture as a viewer shows it, turned as its EXIF orientation says; ValueError where that is not defined."""
    if image.mode[0] in "IF":
        raise ValueError(f"mode {image.mode}, more than 8 bits per channel")
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise ValueError("some pixels are transparent, so their colour depends on a background")
    return ImageOps.exif_transpose(image)


def open_images(
    path: str | Path, how: Preprocessing, *, classes: Sequence[str] = (), array: str = "images"
) -> ImageSet:
    """The images at `path`: an .npz file, a folder, or one picture. WesnpuError when there are none.

    array: which array of an .npz file; only those of `images` have labels, its array `labels`.

    Labels in a folder: of `CLASS/picture` the leading integer of CLASS, else its index in `classes`, else its rank
    among the folder's sorted subfolders; of a picture right in the folder the leading integer of its file name.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path, how, classes)
    if path.suffix == ".npz":
        return _archive(path, how, array)
    if not path.is_file():
        raise WesnpuError(f"{path}: no such file or folder")
    return ImageSet([path.name], [_leading(path.name)], [path], how)


def _folder(path: Path, how: Preprocessing, classes: Sequence[str]) -> ImageSet:
    files = sorted(p for p in path.rglob("*") if p.is_file() or (p.is_symlink() and not p.exists()))
    pictures = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not pictures:
        raise WesnpuError(f"{path}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
    folders = sorted({p.parent.name for p in pictures if p.parent != path})
    labels = [_leading(p.name) if p.parent == path else _class(p.parent.name, folders, classes) for p in pictures]
    ignored = [str(p.relative_to(path)) for p in files if p.suffix.lower() not in SUFFIXES]
    return ImageSet([str(p.relative_to(path)) for p in pictures], labels, pictures, how, ignored)


def _class(folder: str, folders: list[str], classes: Sequence[str]) -> int:
    number = _leading(folder)
    if number is not None:
        return number
    return list(classes).index(folder) if folder in classes else folders.index(folder)


def _leading(name: str) -> int | None:
    digits = re.match(r"\d+", name)
    return int(digits.group()) if digits else None


def _archive(path: Path, how: Preprocessing, array: str) -> ImageSet:
    wanted = ("images", "labels") if array == "images" else (array,)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            known, arrays = ", ".join(data), {key: data[key] for key in wanted if key in data}
    except (OSError, TypeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WesnpuError(f"{path}: cannot be read as .npz ({error})") from error
    if array not in arrays:
        raise WesnpuError(f"{path}: has no array {array!r}; it has {known or 'none'}")
    images, labels = _uint8_images(path, array, arrays[array]), arrays.get("labels") if len(wanted) > 1 else None
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "ui"):
        raise WesnpuError(f"{path}: labels {labels.dtype}{labels.shape}; expected ({len(images)},) integers")
    name = path.name if array == "images" else f"{path.name}:{array}"
    names = [f"{name}[{i}]" for i in range(len(images))]
    return ImageSet(names, [None] * len(images) if labels is None else [int(v) for v in labels], list(images), how)


def _uint8_images(path: Path, name: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        expected = "uint8 (N, H, W), (N, H, W, 1) or (N, H, W, 3)"
        raise WesnpuError(f"{path}: {name} {images.dtype}{images.shape}; expected {expected}")
    if not images.size:
        raise WesnpuError(f"{path}: {name} is empty {images.shape}")
    return images

"""Image sets as the command line names them: a folder, a picture, or FILE.npz with an optional :ARRAY."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from golden.preprocessing import Preprocessing
from quant.image_set import ImageSet, open_images
from quant.images import Images
from wesnpu import console


@dataclass(frozen=True)
class Pictures:
    """Readable images, and the label of each, -1 where it has none."""

    images: Images
    labels: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which images have a label, bool (N,)."""
        return self.labels >= 0


def read_pictures(
    text: str, how: Preprocessing, *, limit: int | None = None, classes: tuple[str, ...] = ()
) -> Pictures:
    """Read the images that `text` names, the first `limit` of them; the unreadable ones are named and counted."""
    chosen = image_set(text, how, classes)
    if limit is not None:
        chosen = chosen.subset(range(min(limit, len(chosen))))
    with console.progress("reading images", len(chosen)) as update:
        pixels, indices = chosen.read(update)
    tell_unreadable(chosen)
    labels = [chosen.labels[index] for index in indices]
    return Pictures(
        Images(pixels, (how.channels, how.height, how.width), how),
        np.array([-1 if label is None else label for label in labels]),
    )


def image_set(text: str, how: Preprocessing, classes: tuple[str, ...] = ()) -> ImageSet:
    """The images that `text` names, not yet read; WesnpuError when there are none."""
    path, _, array = text.rpartition(":") if ".npz:" in text else (text, "", "")
    return _array(Path(path), array, how) if array else open_images(path, how, classes=classes)


def _array(path: Path, name: str, how: Preprocessing) -> ImageSet:
    """Images of one array of an .npz file, without labels."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            images = archive[name] if name in archive else None
            known = ", ".join(archive)
    except (OSError, ValueError, EOFError) as error:
        raise WesnpuError(f"{path}: cannot be read as .npz: {error}") from error
    if images is None:
        raise WesnpuError(f"{path}: has no array {name!r}; it has {known or 'none'}")
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise WesnpuError(f"{path}: {name} is {images.dtype} {images.shape}: must be uint8 (N, H, W) or (N, H, W, C)")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    names = [f"{path.name}:{name}[{index}]" for index in range(len(images))]
    return ImageSet(names, [None] * len(images), list(images), how)


def tell_unreadable(images: ImageSet) -> None:
    """Name and count on standard error the images that could not be read."""
    for name, reason in images.unreadable:
        console.note(f"unreadable: {name}: {reason}")
    if images.unreadable:
        console.note(f"{len(images.unreadable)} of {len(images)} images are unreadable and were left out")

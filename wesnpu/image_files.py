"""Image sets as the command line names them: a folder, a picture, or FILE.npz with an optional :ARRAY."""

from dataclasses import dataclass

import numpy as np

from golden.preprocessing import Preprocessing
from quant.images.batches import Images
from quant.images.image_set import ImageSet, open_images
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
    tell_left_out(chosen)
    labels = [chosen.labels[index] for index in indices]
    return Pictures(
        Images(pixels, (how.channels, how.height, how.width), how),
        np.array([-1 if label is None else label for label in labels]),
    )


def image_set(text: str, how: Preprocessing, classes: tuple[str, ...] = ()) -> ImageSet:
    """The images that `text` names, not yet read; WesnpuError when there are none."""
    path, _, array = text.rpartition(":") if ".npz:" in text else (text, "", "")
    return open_images(path, how, classes=classes, array=array or "images")


def tell_left_out(images: ImageSet) -> None:
    """Name and count on standard error the images that could not be read, and count the files that are no pictures."""
    if images.ignored:
        first = images.ignored[0]
        console.note(f"files that are no pictures by their names, left out: {len(images.ignored)}, the first {first}")
    for name, reason in images.unreadable:
        console.note(f"unreadable: {name}: {reason}")
    if images.unreadable:
        console.note(f"{len(images.unreadable)} of {len(images)} images are unreadable and were left out")

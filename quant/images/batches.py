"""Images for calibration and evaluation, in the forms that users have them, as batches of the float network's input."""

from collections.abc import Iterable, Iterator

import numpy as np

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.images.preprocess import normalise

Shape = tuple[int, int, int]


class Images:
    """A set of equally large images.

    data: uint8 pixels (N, H, W, C) as decoded (RGB or one channel), (N, H, W) for one channel, or (N, C, H, W) in the
    network's channel order; or floats (N, C, H, W), the real input itself. An iterable of single images or of batches
    in one of these forms is taken as well. shape: (C, H, W) of the input. Pixels need a preprocessing.
    """

    def __init__(
        self, data: np.ndarray | Iterable[np.ndarray], shape: Shape, preprocessing: Preprocessing | None
    ) -> None:
        """Raises WesnpuError for an empty set, another shape, or pixels without preprocessing."""
        self.shape, self.preprocessing = shape, preprocessing
        parts = [data] if isinstance(data, np.ndarray) else [np.asarray(part) for part in data]
        laid_out = [self._lay_out(part) for part in parts]
        if not sum(len(part) for part in laid_out):
            raise WesnpuError("images: there are 0, at least one is needed")
        self.array = np.concatenate(laid_out) if len(laid_out) > 1 else laid_out[0]
        if self.array.dtype == np.uint8 and preprocessing is None:
            raise WesnpuError("images are uint8 pixels: preprocessing (mean, std, value range) must say what they mean")

    def _lay_out(self, part: np.ndarray) -> np.ndarray:
        channels, height, width = self.shape
        if part.dtype != np.uint8 and not np.issubdtype(part.dtype, np.floating):
            raise WesnpuError(f"images are {part.dtype}: must be uint8 pixels or floats")
        if part.shape[-3:] == self.shape and part.ndim in (3, 4):
            return part.reshape(-1, *self.shape)
        if part.dtype == np.uint8 and part.shape[-3:] == (height, width, channels) and part.ndim in (3, 4):
            return self._ordered(np.moveaxis(part.reshape(-1, height, width, channels), -1, 1))
        if part.dtype == np.uint8 and channels == 1 and part.shape[-2:] == (height, width) and part.ndim in (2, 3):
            return part.reshape(-1, *self.shape)
        raise WesnpuError(
            f"images have shape {part.shape}: must be (N, {channels}, {height}, {width}), "
            f"or (N, {height}, {width}, {channels}) for uint8"
        )

    def _ordered(self, pixels: np.ndarray) -> np.ndarray:
        reverse = self.preprocessing is not None and self.preprocessing.channel_order == "BGR"
        return pixels[:, ::-1] if reverse else pixels

    def __len__(self) -> int:
        """Number of images."""
        return len(self.array)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """The float network's input, float32 (n, C, H, W) with n <= size, in order."""
        for start in range(0, len(self), size):
            part = self.array[start : start + size]
            if part.dtype == np.uint8:
                assert self.preprocessing is not None
                part = normalise(part, self.preprocessing)
            yield np.ascontiguousarray(part, np.float32)

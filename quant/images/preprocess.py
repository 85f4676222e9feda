"""From a picture to the float network's input, as `golden.network.Preprocessing` says."""

import numpy as np
from PIL import Image

from golden.errors import WesnpuError
from golden.network import Preprocessing


def preprocess(image: Image.Image, how: Preprocessing, name: str = "image") -> np.ndarray:
    """float32 (C, H, W): shorter side resized (bilinear), centre cropped, channels ordered, normalised.

    The crop starts at floor((size - crop) / 2). WesnpuError names an image that is smaller than the crop.
    """
    return normalise(pixels(image, how, name), how)


def pixels(image: Image.Image, how: Preprocessing, name: str = "image") -> np.ndarray:
    """uint8 (C, H, W) before normalisation."""
    image = image.convert("L" if how.channel_order == "L" else "RGB")
    image = _crop(_resized(image, how), how, name)
    array = np.asarray(image, dtype=np.uint8)
    if array.ndim == 2:
        return array[None]
    channels = array.transpose(2, 0, 1)
    return channels[::-1] if how.channel_order == "BGR" else channels


def normalise(array: np.ndarray, how: Preprocessing) -> np.ndarray:
    """(pixel / value_range - mean) / std per channel, in float64, then float32."""
    mean, std = (np.reshape(np.asarray(v, dtype=np.float64), (-1, 1, 1)) for v in (how.mean, how.std))
    with np.errstate(over="ignore"):  # infinite inputs are refused by calibration, which names the tensor
        return ((array / how.value_range - mean) / std).astype(np.float32)


def _resized(image: Image.Image, how: Preprocessing) -> Image.Image:
    if how.resize is None:
        return image
    width, height = image.size
    shorter = min(width, height)
    size = (how.resize * width // shorter, how.resize * height // shorter)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def _crop(image: Image.Image, how: Preprocessing, name: str) -> Image.Image:
    width, height = image.size
    if width < how.width or height < how.height:
        raise WesnpuError(
            f"{name}: {width}x{height} pixels after resizing, smaller than the crop of {how.width}x{how.height} "
            f"(width x height)"
        )
    left, top = (width - how.width) // 2, (height - how.height) // 2
    return image.crop((left, top, left + how.width, top + how.height))

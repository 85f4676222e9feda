"""EfficientNet-Lite0 and labelled crops of ImageNet, for the accuracy checks."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.images.image_set import open_images

NAME = "efficientnet_lite0"
PREPROCESSING = Preprocessing(224, 224, "RGB", mean=(127.0,), std=(128.0,))
MODEL = Path(os.environ.get("WESNPU_CACHE") or Path.home() / ".cache" / "wesnpu") / f"{NAME}.onnx"


@dataclass(frozen=True, eq=False)
class Crops:
    """Labelled pictures: images uint8 (N, C, H, W), labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


def read_crops(folder: str | Path) -> Crops:
    """All readable pictures of the folder; unreadable ones are named on standard error. WesnpuError without labels."""
    found = open_images(folder, PREPROCESSING)
    images, indices = found.read()
    for name, reason in found.unreadable:
        print(f"unreadable, left out: {name}: {reason}", file=sys.stderr)
    labels = [found.labels[index] for index in indices]
    if None in labels:
        raise WesnpuError(f"{folder}: {found.names[indices[labels.index(None)]]} has no label in its name or folder")
    return Crops(images, np.array(labels))

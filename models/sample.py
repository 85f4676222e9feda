"""Write ``models/fashion_mnist.npz``, the images that tests and demos use: ``python -m models.sample``.

uint8 arrays: `images` [1000, 28, 28, 1] and `labels` [1000] are the first thousand of the test set, `calibration`
[256, 28, 28, 1] a seeded draw from the training set, without labels.
"""

import argparse
from pathlib import Path

import numpy as np

from models import fashion_mnist

FILE = Path(__file__).resolve().parent / "fashion_mnist.npz"
SEED, IMAGES, CALIBRATION = 2017, 1000, 256


def sample(folder: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels and calibration images of the file; `folder` and the errors raised are those of `load`."""
    images, labels = fashion_mnist.load("t10k", folder)
    training, _ = fashion_mnist.load("train", folder)
    drawn = np.random.default_rng(SEED).choice(len(training), CALIBRATION, replace=False)
    return images[:IMAGES], labels[:IMAGES], training[np.sort(drawn)]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the IDX files (default: the Debian package's)")
    images, labels, calibration = sample(parser.parse_args().data)
    np.savez_compressed(FILE, images=images, labels=labels, calibration=calibration)


if __name__ == "__main__":
    main()

"""The networks of ``make accuracy``: Fashion-MNIST, the same under stress, EfficientNet-Lite0 on a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from golden.errors import WesnpuError
from models import fashion_mnist
from quant.accuracy.plan import FASHION, IMAGENET, STRESS
from quant.accuracy.subject import CALIBRATION_IMAGES, Subject, cross_fitted_draws, independent_draws
from quant.evaluation import efficientnet, fashion
from quant.evaluation.stress import inverse_cle, silent_outliers
from quant.onnx_import import import_onnx
from wesnpu import console

DRAWS = {FASHION: 1, STRESS: 3, IMAGENET: 3}  # calibration draws; no bar rests on Fashion
STRESSED = fashion.NETWORKS[0]  # ReLU: gains pass through it
STRENGTHS = (6, 12, 18)
SILENT = 6
STRESS_NAME = "stress k = "
NETWORKS: dict[str, Callable[[Path | None], list[Subject]]] = {
    "fashion": lambda images: [fashion_subject(name, DRAWS[FASHION]) for name in fashion.NETWORKS],
    "stress": lambda images: stress_subjects(),
    "efficientnet": lambda images: [efficientnet_subject(images)],
}


def subjects(names: list[str], images: Path | None) -> list[Subject]:
    """The networks asked for, those of one name together; EfficientNet only with a folder of images, which is told."""
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise WesnpuError(f"network {unknown[0]!r} is not one of {', '.join(NETWORKS)}")
    if "efficientnet" in names and images is None:
        console.note("efficientnet is left out: name a folder of labelled crops, IMAGES=DIR or WESNPU_IMAGENET")
        names = [name for name in names if name != "efficientnet"]
    return [subject for name in names for subject in NETWORKS[name](images)]


def fashion_subject(name: str, count: int) -> Subject:
    """A committed network on the 10,000 test images, with so many draws of training images for calibration; without the
    Debian package of the data set on the 1,000 committed ones, which is told.
    """
    try:
        (images, labels), (training, _) = fashion_mnist.load("t10k"), fashion_mnist.load("train")
    except FileNotFoundError as error:
        console.note(f"1,000 test images instead of 10,000: {error}")
        data = fashion.data()
        images, labels, training = data.images, data.labels, data.calibration
    images, training = (np.moveaxis(array, -1, 1) for array in (images, training))
    draws = independent_draws(training, len(images), count)
    each = f"{len(draws[0][0].calibration)} training images for {f'each of {count} draws' if count > 1 else 'one draw'}"
    note = f"{len(images):,} test images of Fashion-MNIST; {each}."
    return Subject(
        name, FASHION, fashion.imported(name), fashion.PREPROCESSING, images, labels.astype(np.int64), draws, note
    )


def stress_subjects() -> list[Subject]:
    """The ReLU network with channel gains, and with silent outlier channels: equal in function, hard to quantize."""
    plain = fashion_subject(STRESSED, DRAWS[STRESS])
    found = []
    for strength in STRENGTHS:
        note = f"`{STRESSED}` with gains 2^U(0, {strength}) on its channels; its function stays. {plain.note}"
        graph = inverse_cle(plain.graph, strength, seed=0)
        found.append(_changed(plain, f"{STRESS_NAME}{strength}", graph, note))
    note = f"`{STRESSED}` with one silent channel, 2^{SILENT} times larger, in every wide layer. {plain.note}"
    found.append(_changed(plain, f"silent outliers k = {SILENT}", silent_outliers(plain.graph, SILENT), note))
    return found


def _changed(plain: Subject, name: str, graph: object, note: str) -> Subject:
    return Subject(
        name, STRESS, graph, plain.preprocessing, plain.images, plain.labels, plain.draws, note  # type: ignore[arg-type]
    )


def efficientnet_subject(folder: Path | None) -> Subject:
    """EfficientNet-Lite0 on labelled crops, calibrated on the half that is not evaluated, both ways."""
    assert folder is not None
    if not efficientnet.MODEL.is_file():
        raise WesnpuError(f"{efficientnet.MODEL} is missing: make it by 'make models MODEL={efficientnet.NAME}'")
    crops = efficientnet.read_crops(folder)
    if len(crops.images) < 2 * CALIBRATION_IMAGES:
        raise WesnpuError(
            f"{folder} holds {len(crops.images)} crops: at least {2 * CALIBRATION_IMAGES} are needed, "
            f"{CALIBRATION_IMAGES} of each half to calibrate for the other"
        )
    imported = import_onnx(efficientnet.MODEL, preprocessing=efficientnet.PREPROCESSING)
    note = (
        f"{len(crops.images)} labelled 224x224 crops of ImageNet, input (pixel - 127) / 128. {CALIBRATION_IMAGES} "
        f"calibration images drawn from one half, evaluated on the other half, both ways, {DRAWS[IMAGENET]} draws. "
        "One standard error of a difference on 500 images is about 0.6 pp. Such crops are usually training images "
        "of the network, so only differences from float mean anything; do not set the top-1 column beside "
        "published figures."
    )
    draws = cross_fitted_draws(crops.images, DRAWS[IMAGENET])
    return Subject(
        "EfficientNet-Lite0", IMAGENET, imported, efficientnet.PREPROCESSING, crops.images, crops.labels, draws, note
    )

"""A network in the arithmetic of each requantizer that is compared, on the quantization that its parameters allow."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from golden.power_of_two import PowerOfTwo
from golden.requantize import MULTIPLIER_MIN, Requantizer, ShiftScaler
from quant.accuracy.subject import Subject
from quant.evaluation import fashion
from quant.evaluation.evaluate import compare_scores, scores
from quant.images.batches import Images
from quant.recipe import quantize

#: Requantizer -> how the network is quantized for it (quant/grammar.py).
RECIPES = {
    "shift-4": "wes", "shift-4-adders": "wes", "shift-3": "wes+shift3", "shift-2": "wes+shift2",
    "half-step": "wes+half", "power-of-two": "pow2-channel", "multiplier-16": "channelwise",
    "multiplier-32": "channelwise", "double-rounding": "channelwise",
}
DIGITS = 15  # bits that a 31-bit multiplier loses


def full_precision(requantizer: Requantizer) -> ChannelMultiplier:
    """A multiplier per channel, Eq. 9 with bits = 32; a layer with a shift scaler (pooling) gets its factors."""
    if isinstance(requantizer, ShiftScaler) and requantizer.half_step is None:
        multiplier = np.full(requantizer.channels, requantizer.multiplier << DIGITS, np.uint32)
        shift = (requantizer.total_shift + 31).astype(np.uint8)
        return ChannelMultiplier(multiplier, shift, 32, requantizer.guard_bits)
    if isinstance(requantizer, ChannelMultiplier) and requantizer.bits == 32:
        return requantizer
    raise WesnpuError(f"{type(requantizer).__name__}: a 32-bit multiplier per channel is needed")


def single_precision(requantizer: Requantizer) -> ChannelMultiplier:
    """A 32-bit multiplier with its 16 upper bits only, rounded half up: Eq. 9 with bits = 16."""
    full_bits = full_precision(requantizer)
    multiplier = (full_bits.multiplier.astype(np.int64) + (1 << DIGITS - 1)) >> DIGITS
    shift = full_bits.shift.astype(np.int64) - DIGITS
    over = multiplier >> 16 > 0  # rounded up to 2^16
    multiplier = np.where(over, np.where(shift > 16, 1 << 15, (1 << 16) - 1), multiplier)
    shift = np.where(over & (shift > 16), shift - 1, shift)
    return ChannelMultiplier(multiplier.astype(np.uint32), shift.astype(np.uint8), 16, requantizer.guard_bits)


def double_rounding(requantizer: Requantizer) -> DoubleRounding:
    """The same factors, rounded twice (Eq. 10 to 12): M_c 2^-k_c = M_c 2^-(31 + (k_c - 31))."""
    full_bits = full_precision(requantizer)
    return DoubleRounding(full_bits.multiplier, full_bits.shift - np.uint8(31), requantizer.guard_bits)


def power_of_two(requantizer: Requantizer) -> PowerOfTwo:
    """A shift scaler whose multiplier is 2^15, without it: 2^15 2^-(16 + s) = 2^-(s + 1)."""
    if not isinstance(requantizer, ShiftScaler) or requantizer.multiplier != MULTIPLIER_MIN:
        raise WesnpuError(f"{type(requantizer).__name__}: a shift scaler with the multiplier 2^15 is needed")
    return PowerOfTwo((requantizer.total_shift + 1).astype(np.uint8), requantizer.guard_bits)


CONVERSIONS: dict[str, Callable[[Requantizer], Requantizer]] = {
    "multiplier-16": single_precision, "multiplier-32": full_precision, "double-rounding": double_rounding,
    "power-of-two": power_of_two,
}


def in_scheme(network: Network, scheme: str) -> Network:
    """The network, quantized by RECIPES[scheme], in that arithmetic."""
    convert = CONVERSIONS.get(scheme)
    if convert is None:
        return network

    def changed(layer: ConvLayer) -> ConvLayer:
        return replace(layer, requantizer=convert(layer.requantizer))

    return replace(network, layers=tuple(changed(layer) for layer in network.layers))


def fashion_accuracy(scheme: str) -> dict[str, dict[str, int]]:
    """Of the committed images of both Fashion-MNIST networks: how many are right, agree with float, and are there."""
    found = {}
    for name in fashion.NETWORKS:
        network = in_scheme(fashion.network(name, RECIPES[scheme]), scheme)
        images = Images(fashion.data().images, fashion.SHAPE, fashion.PREPROCESSING)
        row = compare_scores(scores(network, images), fashion.data().labels, fashion.scores_of(name, None))
        found[name] = {"correct": row.correct or 0, "agree": row.agree or 0, "images": row.images}
    return found


def subject_accuracy(scheme: str, subject: Subject) -> dict[str, int]:
    """The same counts of a subject's images, calibrated as its first draw says."""
    reference = subject.reference()
    found = np.zeros(reference.shape)
    for fold in subject.draws[0]:
        quantized = quantize(
            subject.imported, fold.calibration, recipe=RECIPES[scheme], preprocessing=subject.preprocessing
        )
        found[fold.evaluated] = scores(in_scheme(quantized, scheme), subject.pictures(subject.images[fold.evaluated]))
    row = compare_scores(found, subject.labels, reference)
    return {"correct": row.correct or 0, "agree": row.agree or 0, "images": row.images}

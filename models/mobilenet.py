"""MobileNetV1 and MobileNetV2 at 224x224, width 1.0, with seeded random weights: for cycles, not for accuracy.

Input 'input' float [N, 3, 224, 224] of about unit variance, such as (pixel - 127) / 64; output 'logits' float
[N, 1000].
Weights are drawn as He et al. 2015 (1502.01852) do. Normalization keeps every layer sane: its mean and variance are
those the layer's output has when its inputs are independent with the moments of the layers before, so that channel c
leaves normalization as about N(beta_c, gamma_c^2). ReLU6 in both, as in their authors' TensorFlow code. Sources:
1704.04861 (569 MMAC), 1801.04381 (301 MMAC).
"""

from dataclasses import dataclass

import numpy as np
import onnx

from models.onnx_writer import Normalization, OnnxWriter

SEED, EPSILON = 224, 1e-5
V1_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
V2_STAGES = (  # MobileNetV2 1.0 (arXiv 1801.04381, table 2): expansion, output channels, repeats, first stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
GAUSS_POINTS, GAUSS_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


@dataclass(frozen=True)
class Signal:
    """A tensor: its name, and mean and variance float64 [C] of each of its channels."""

    name: str
    mean: np.ndarray
    variance: np.ndarray

    def clamped(self, name: str) -> "Signal":
        """Moments of N(mean, variance) clamped to 0..6, by Gauss-Hermite quadrature."""
        values = np.clip(self.mean[:, None] + np.sqrt(self.variance)[:, None] * GAUSS_POINTS, 0, 6)
        weights = GAUSS_WEIGHTS / GAUSS_WEIGHTS.sum()
        mean = values @ weights
        return Signal(name, mean, values**2 @ weights - mean**2)


class RandomNet:
    """Writes a network whose weights it draws."""

    def __init__(self, name: str) -> None:
        """Start a network called `name`."""
        self.writer = OnnxWriter(name, input_shape=(3, 224, 224), classes=1000)
        self.rng = np.random.default_rng(SEED)

    def input(self) -> Signal:
        """The image: three channels of zero mean and unit variance."""
        return Signal("input", np.zeros(3), np.ones(3))

    def conv(self, layer: str, x: Signal, outputs: int, kernel: int, *, stride: int = 1, act: bool = True) -> Signal:
        """Dense convolution, normalization, and ReLU6 if `act`."""
        weight = self.rng.normal(0, np.sqrt(2 / (len(x.mean) * kernel**2)), (outputs, len(x.mean), kernel, kernel))
        moments = weight.sum((2, 3)) @ x.mean, (weight**2).sum((2, 3)) @ x.variance
        y = self.writer.conv(layer, x.name, weight, stride=stride, pads=(kernel // 2, kernel // 2))
        return self.finish(layer, y, moments, act=act)

    def depthwise(self, layer: str, x: Signal, *, stride: int) -> Signal:
        """Depthwise 3x3 convolution, normalization, ReLU6."""
        weight = self.rng.normal(0, np.sqrt(2 / 9), (len(x.mean), 1, 3, 3))
        moments = weight.sum((1, 2, 3)) * x.mean, (weight**2).sum((1, 2, 3)) * x.variance
        y = self.writer.conv(layer, x.name, weight, stride=stride, pads=(1, 1), groups=len(weight))
        return self.finish(layer, y, moments, act=True)

    def finish(self, layer: str, y: str, moments: tuple[np.ndarray, np.ndarray], *, act: bool) -> Signal:
        """Normalize tensor `y` of known (mean, variance) to a drawn gamma and beta, and clamp if `act`."""
        mean, variance = moments
        gamma = self.rng.lognormal(0, 0.25, len(mean))
        beta = self.rng.normal(0, 0.5, len(mean))
        statistics = Normalization(scale=gamma, bias=beta, mean=mean, variance=variance, epsilon=EPSILON)
        y = self.writer.normalize(f"{layer}.norm", y, statistics)
        normalized = Signal(y, beta, gamma**2)
        return normalized.clamped(self.writer.relu6(f"{layer}.relu6", y)) if act else normalized

    def add(self, layer: str, x: Signal, y: Signal) -> Signal:
        """Sum of two tensors taken as independent."""
        return Signal(self.writer.add(layer, x.name, y.name), x.mean + y.mean, x.variance + y.variance)

    def classify(self, x: Signal) -> onnx.ModelProto:
        """Pool, write 1,000 logits, and finish."""
        channels = len(x.mean)
        weight = self.rng.normal(0, np.sqrt(1 / channels), (1000, channels))
        self.writer.classify(x.name, weight, -weight @ x.mean)
        return self.writer.model()


def mobilenet_v1_224() -> onnx.ModelProto:
    """MobileNetV1: a 3x3 stem, thirteen pairs of depthwise 3x3 and pointwise; float32, 17 MB."""
    net = RandomNet("mobilenet_v1_224")
    x = net.conv("stem", net.input(), 32, 3, stride=2)
    for index, (outputs, stride) in enumerate(V1_BLOCKS):
        x = net.depthwise(f"blocks.{index}.depthwise", x, stride=stride)
        x = net.conv(f"blocks.{index}.pointwise", x, outputs, 1)
    return net.classify(x)


def mobilenet_v2_224() -> onnx.ModelProto:
    """MobileNetV2: seventeen inverted residuals, ten of them with an addition; float32, 14 MB."""
    net = RandomNet("mobilenet_v2_224")
    x = net.conv("stem", net.input(), 32, 3, stride=2)
    blocks = [
        (expansion, outputs, stride)
        for expansion, outputs, repeats, first_stride in V2_STAGES
        for stride in (first_stride,) + (1,) * (repeats - 1)
    ]
    for index, (expansion, outputs, stride) in enumerate(blocks):
        start, name = x, f"blocks.{index}"
        if expansion > 1:
            x = net.conv(f"{name}.expand", x, expansion * len(x.mean), 1)
        x = net.depthwise(f"{name}.depthwise", x, stride=stride)
        x = net.conv(f"{name}.project", x, outputs, 1, act=False)
        if stride == 1 and outputs == len(start.mean):
            x = net.add(f"{name}.add", x, start)
    return net.classify(net.conv("head", x, 1280, 1))

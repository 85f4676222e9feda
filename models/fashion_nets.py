"""Three depthwise networks for 28x28x1 images, as torch modules.

Input float [N, 1, 28, 28] = (pixel - 128) / 128, a step of 2^-7, so that a uint8 pixel is an int8 code exactly.
Output float [N, 10], logits.
Sources: Howard et al. 2017 (1704.04861), Sandler et al. 2018 (1801.04381), with fewer and narrower layers.
"""

from torch import Tensor, nn

V1_STEM = 16
V1_BLOCKS = ((32, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1))
V2_STEM = 16
V2_STAGES = ((1, 24, 1, 2, 3), (3, 24, 1, 1, 3), (3, 32, 3, 2, 5), (4, 64, 3, 2, 3))
V2_HEAD = 256
NANO_STAGES = ((1, 32, 1, 2, 3), (2, 32, 1, 1, 3), (2, 48, 3, 1, 3))
NANO_HEAD = 64


def conv_bn(
    inputs: int, outputs: int, kernel: int, *, act: type[nn.Module] | None, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Convolution padded by kernel // 2, batch normalization, and the activation if there is one."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), *([act(inplace=True)] if act else [])]


def classifier(inputs: int) -> list[nn.Module]:
    """Global average pooling and ten logits."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10)]


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1 without activation; adds its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int, kernel: int) -> None:
        """Expansion 1 has no expanding convolution."""
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *(conv_bn(inputs, hidden, 1, act=nn.ReLU6) if expansion > 1 else []),
            *conv_bn(hidden, hidden, kernel, act=nn.ReLU6, stride=stride, groups=hidden),
            *conv_bn(hidden, outputs, 1, act=None),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape [N, inputs, H, W] to [N, outputs, ceil(H / stride), ceil(W / stride)]."""
        return x + self.body(x) if self.residual else self.body(x)


def fashion_mobilenet_v1() -> nn.Module:
    """MobileNetV1-like, ReLU: a 3x3 stem, eight pairs of depthwise 3x3 and pointwise."""
    layers, width = conv_bn(1, V1_STEM, 3, act=nn.ReLU), V1_STEM
    for outputs, stride in V1_BLOCKS:
        layers += conv_bn(width, width, 3, act=nn.ReLU, stride=stride, groups=width)
        layers += conv_bn(width, outputs, 1, act=nn.ReLU)
        width = outputs
    return nn.Sequential(*layers, *classifier(width))


def mobilenet_v2(stages: tuple[tuple[int, ...], ...], head: int, *, stem_stride: int) -> nn.Module:
    """A 3x3 stem, inverted residuals (expansion, outputs, repeats, first stride, kernel), a pointwise head; ReLU6."""
    layers, width = conv_bn(1, V2_STEM, 3, act=nn.ReLU6, stride=stem_stride), V2_STEM
    for expansion, outputs, repeats, first_stride, kernel in stages:
        for stride in (first_stride,) + (1,) * (repeats - 1):
            layers.append(InvertedResidual(width, outputs, expansion=expansion, stride=stride, kernel=kernel))
            width = outputs
    layers += conv_bn(width, head, 1, act=nn.ReLU6)
    return nn.Sequential(*layers, *classifier(head))


def fashion_mobilenet_v2() -> nn.Module:
    """MobileNetV2-like, ReLU6: eight inverted residuals, five of them with an addition, three with 5x5 depthwise."""
    return mobilenet_v2(V2_STAGES, V2_HEAD, stem_stride=1)


def fashion_nano() -> nn.Module:
    """MobileNetV2-like for the smallest engines: five inverted residuals, 3x3 only, 7x7 early, 35 thousand weights."""
    return mobilenet_v2(NANO_STAGES, NANO_HEAD, stem_stride=2)


NETWORKS = {
    "fashion_mobilenet_v1": fashion_mobilenet_v1,
    "fashion_mobilenet_v2": fashion_mobilenet_v2,
    "fashion_nano": fashion_nano,
}

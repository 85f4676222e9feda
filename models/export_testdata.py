"""Tiny networks as PyTorch's two exporters write them, for the importer's tests: ``python -m models.export_testdata``.

Writes ``models/testdata/NETWORK.EXPORTER.opsetN.onnx`` (exporter `script`: dynamo=False, batch normalization kept;
`dynamo`: dynamo=True, defaults, which fold it) and ``models/testdata/expected.npz`` with, per network, float32
`NETWORK.input` [2, C, H, W] in -1..1 and `NETWORK.output`, both of PyTorch itself. Needs torch, onnx and onnxscript.
"""

import io
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent / "testdata"
SEED = 2017
OPSETS = {"script": (11, 20), "dynamo": (18, 24)}


class MeanPool(nn.Module):
    """Global average pooling written as a mean."""

    def __init__(self, *, keepdim: bool) -> None:
        """`keepdim` leaves [N, C, 1, 1], else [N, C]."""
        super().__init__()
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        """Shape [N, C, H, W] to [N, C] or [N, C, 1, 1]."""
        return x.mean((2, 3), keepdim=self.keepdim)


class Residual(nn.Module):
    """Adds its input to what its layers make of it."""

    def __init__(self, *layers: nn.Module) -> None:
        """Layers that keep the shape."""
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Shape kept."""
        return x + self.body(x)


class Clamp(nn.Module):
    """torch.clamp with the bounds of a fused activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape kept."""
        return torch.clamp(x, -0.5, 1.5)


def conv_bn(inputs: int, outputs: int, kernel: int = 1, **options: int) -> list[nn.Module]:
    """Convolution with "same" padding and no bias, then batch normalization."""
    options.setdefault("padding", kernel // 2)
    return [nn.Conv2d(inputs, outputs, kernel, bias=False, **options), nn.BatchNorm2d(outputs)]


def networks() -> dict[str, tuple[nn.Module, tuple[int, int, int]]]:
    """Every network with its input shape (C, H, W)."""
    separable = (*conv_bn(4, 4, 3, stride=2, groups=4), nn.ReLU(), *conv_bn(4, 6), nn.ReLU())
    inverted = (*conv_bn(4, 8), nn.ReLU6(), *conv_bn(8, 8, 5, groups=8), nn.ReLU6(), *conv_bn(8, 4))
    average = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.AvgPool2d(3, 2, 1))
    adaptive = (*conv_bn(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    mean_linear = (nn.Conv2d(2, 4, 3), nn.ReLU(), MeanPool(keepdim=False), nn.Linear(4, 3))
    mean_conv = (nn.Conv2d(2, 4, 3), nn.ReLU(), MeanPool(keepdim=True), nn.Conv2d(4, 3, 1), nn.Flatten())
    flatten = (
        nn.Conv2d(2, 4, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 2, 5),
        nn.ReLU(),
        nn.Linear(5, 3),
    )
    pad = (nn.ZeroPad2d((0, 1, 0, 1)), *conv_bn(2, 4, 3, stride=2, padding=0), nn.Hardtanh(0.0, 4.0))
    clips = (nn.Conv2d(2, 3, 1), nn.Hardtanh(-1.0, 1.0), nn.Dropout(), nn.Conv2d(3, 3, 1), Clamp(), nn.Identity())
    return {
        "conv_bn_relu6": (nn.Sequential(*conv_bn(3, 4, 3), nn.ReLU6()), (3, 6, 6)),
        "separable": (nn.Sequential(*separable), (4, 8, 8)),
        "residual": (nn.Sequential(*conv_bn(2, 4), nn.ReLU6(), Residual(*inverted), nn.ReLU()), (2, 6, 6)),
        "average_pool": (nn.Sequential(*average), (2, 10, 10)),
        "adaptive_pool": (nn.Sequential(*adaptive), (2, 6, 5)),
        "mean_linear": (nn.Sequential(*mean_linear), (2, 6, 5)),
        "mean_conv": (nn.Sequential(*mean_conv), (2, 6, 5)),
        "flatten_linear": (nn.Sequential(*flatten), (2, 7, 5)),
        "pad": (nn.Sequential(*pad), (2, 8, 8)),
        "clips": (nn.Sequential(*clips), (2, 4, 4)),
    }


def settle(net: nn.Module) -> None:
    """Draw the parameters and statistics of every batch normalization, so that folding has something to do."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.05, 2.0)


def export(net: nn.Module, x: Tensor, exporter: str, opset: int) -> onnx.ModelProto:
    """What the exporter makes of the network, without the notes about the source code it leaves on every node."""
    file = io.BytesIO()
    names = {"input_names": ["input"], "output_names": ["output"], "opset_version": opset}
    if exporter == "script":
        keep = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False, "dynamo": False}
        torch.onnx.export(net, (x,), file, dynamic_axes={"input": {0: "N"}, "output": {0: "N"}}, **names, **keep)
    else:
        torch.onnx.export(net, (x,), file, dynamic_shapes=({0: "N"},), dynamo=True, verbose=False, **names)
    model = onnx.load_from_string(file.getvalue())
    for part in (
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
        model.graph,
        model,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def main() -> None:
    """Write every network in every form, refusing one that does not have the opset asked for."""
    torch.manual_seed(SEED)
    FOLDER.mkdir(exist_ok=True)
    expected: dict[str, np.ndarray] = {}
    for name, (net, shape) in networks().items():
        settle(net)
        net.eval()
        x = torch.rand(2, *shape) * 2 - 1
        expected |= {f"{name}.input": x.numpy(), f"{name}.output": net(x).detach().numpy()}
        for exporter, opsets in OPSETS.items():
            for opset in opsets:
                model = export(net, x, exporter, opset)
                written = next(entry.version for entry in model.opset_import if not entry.domain)
                if written != opset:
                    raise RuntimeError(f"{exporter} wrote opset {written} for {name}, {opset} was asked for")
                onnx.save(model, FOLDER / f"{name}.{exporter}.opset{opset}.onnx")
    np.savez_compressed(FOLDER / "expected.npz", **expected)


if __name__ == "__main__":
    main()

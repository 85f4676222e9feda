"""Distance between golden and onnxruntime running the QDQ export, layer by layer on equal inputs."""

import collections
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from golden.network import Network
from golden.run import run
from quant.qdq.export import OFFSETS, ActivationType, export_layer, export_qdq

#: x86 processors without VNNI add two products in 16 bits, which saturate: kernels that do not, please.
EXACT_SUMS = ("session.x64quantprecision", "1")


@dataclass(frozen=True)
class LayerDifference:
    """Outputs of one layer: how many were compared, how many differ, the largest difference in codes (LSB), and the
    operators onnxruntime ran for it.
    """

    layer: str
    compared: int
    differing: int
    largest: int
    kernels: dict[str, int]

    @property
    def share(self) -> float:
        """Share of differing outputs, 0..1."""
        return self.differing / self.compared


@dataclass(frozen=True)
class QdqComparison:
    """All layers, and the operators of the whole optimized model."""

    activations: str
    layers: tuple[LayerDifference, ...]
    kernels: dict[str, int]

    @property
    def largest(self) -> int:
        """The largest difference anywhere, in codes."""
        return max(layer.largest for layer in self.layers)

    @property
    def share(self) -> float:
        """Share of differing outputs over all layers, 0..1."""
        return sum(layer.differing for layer in self.layers) / sum(layer.compared for layer in self.layers)


def optimized(model: onnx.ModelProto) -> tuple[onnxruntime.InferenceSession, dict[str, int]]:
    """A CPU session with full optimization, and the operators of the optimized model with their counts."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry(*EXACT_SUMS)
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        kinds = collections.Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    return session, dict(sorted(kinds.items()))


def compare_qdq(network: Network, images: np.ndarray, *, activations: ActivationType = "uint8") -> QdqComparison:
    """Run every layer in onnxruntime on golden's own input codes and compare with golden's output codes.

    images: int8 input codes (N, C, H, W) of the network. activations: as quant.qdq.export.export_qdq.
    """
    tensors = run(network, images, keep=True).tensors
    exported = np.dtype(activations)
    coded = {name: (codes.astype(np.int16) + OFFSETS[activations]).astype(exported) for name, codes in tensors.items()}
    layers = []
    for layer in network.layers:
        session, kernels = optimized(export_layer(network, layer, activations=activations))
        feeds = {item.name: coded[item.name.removesuffix(":q")] for item in session.get_inputs()}
        theirs = session.run(None, feeds)[0].astype(np.int16)
        distance = np.abs(theirs - coded[layer.output].astype(np.int16))
        layers.append(
            LayerDifference(layer.name, distance.size, int(np.count_nonzero(distance)), int(distance.max()), kernels)
        )
    return QdqComparison(activations, tuple(layers), optimized(export_qdq(network, activations=activations))[1])

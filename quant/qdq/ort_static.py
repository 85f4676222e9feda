"""The baseline of another tool: ONNX Runtime's own static quantization of a float ONNX model, run by ONNX Runtime.

uint8 activations and int8 weights, min-max ranges, QDQ format; the model is first prepared as its manual says
(constants folded, BatchNormalization fused). On processors without VNNI, u8 x s8 products saturate in its kernels
(its manual, "When and why do I need to try U8U8"), which is part of what the baseline measures there.
"""

import contextlib
import copy
import io
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static

from golden.errors import WesnpuError
from quant.images.batches import Images
from quant.qdq.compare import optimized

CALIBRATION_BATCH, BATCH = 1, 16
INTEGER_KERNELS = ("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm")


@dataclass(frozen=True, eq=False)
class OrtStatic:
    """A model quantized by ONNX Runtime: its session, and how often each operator stands in the optimized model."""

    session: InferenceSession
    kernels: dict[str, int]

    @property
    def integer_kernels(self) -> dict[str, int]:
        """Those of `kernels` that multiply integers: what really runs quantized."""
        return {name: count for name, count in self.kernels.items() if name in INTEGER_KERNELS}

    def scores(self, images: Images) -> np.ndarray:
        """The first output, float32 (N, classes)."""
        name = self.session.get_inputs()[0].name
        parts = [self.session.run(None, {name: batch})[0] for batch in images.batches(BATCH)]
        return np.concatenate(parts).reshape(len(images), -1)


class _Reader(CalibrationDataReader):
    """Hands the calibration images to ONNX Runtime one by one."""

    def __init__(self, name: str, images: Images) -> None:
        self.name, self.batches = name, images.batches(CALIBRATION_BATCH)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input by name, None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch}


def ort_static(model: str | Path | onnx.ModelProto, calibration: Images, *, per_channel: bool) -> OrtStatic:
    """Quantize a float model whose input is (N, C, H, W), N free: a file, or `Imported.model` for other layouts.

    per_channel: an int8 scale per output channel instead of one per weight tensor. WesnpuError where ONNX Runtime
    cannot read, quantize or run the model.
    """
    source = model.graph.name if isinstance(model, onnx.ModelProto) else str(model)
    model = copy.deepcopy(model)  # its preparation moves the weights out of the model it is given
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            prepared, target = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
            # its symbolic shape inference needs sympy and helps only models with more than images in them
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
            name = onnx.load(prepared).graph.input[0].name
            quantize_static(
                prepared, target, _Reader(name, calibration), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )
            return OrtStatic(*optimized(onnx.load(target)))
    except Exception as error:
        text = " ".join(str(error).split())
        raise WesnpuError(f"onnxruntime cannot quantize {source}: {text or type(error).__name__}") from error


def ort_static_scores(
    model: str | Path | onnx.ModelProto, calibration: Images, images: Images, per_channel: bool
) -> np.ndarray:
    """Scores float32 (N, classes) of `images` by the model that `ort_static` makes from `calibration`."""
    return ort_static(model, calibration, per_channel=per_channel).scores(images)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what ONNX Runtime's quantizer prints and logs: hints, and errors that it raises as well."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)

"""onnxruntime runs the float graph and returns its outputs or any named tensors."""

from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime

from golden.errors import WesnpuError
from quant.float_graph.onnx_model import with_outputs


class FloatRunner:
    """Runs a float model (of `to_onnx` or any other with one input) in onnxruntime on the CPU.

    names: tensors to return, graph outputs by default. threads: of onnxruntime. optimize: let it fuse nodes
    (its fusion of Pad into AveragePool fails where a pad is not below the kernel). Raises WesnpuError when onnxruntime
    cannot load the model, KeyError for a name that does not exist.
    """

    def __init__(
        self, model: onnx.ModelProto, names: Iterable[str] | None = None, *, threads: int = 1, optimize: bool = True
    ) -> None:
        self.names = [o.name for o in model.graph.output] if names is None else list(dict.fromkeys(names))
        wanted = model if names is None else with_outputs(model, self.names)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if not optimize:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = onnxruntime.InferenceSession(
                wanted.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise WesnpuError(f"onnxruntime cannot run '{model.graph.name}': {' '.join(str(error).split())}") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The named tensors, float32 (N, C, H, W), for images x (N, C, H, W)."""
        values = self._session.run(self.names, {self._input: np.asarray(x, dtype=np.float32)})
        return dict(zip(self.names, values, strict=True))

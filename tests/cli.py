"""The command line as tests call it: in this process, or in one of its own where limits or exit codes are judged."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from wesnpu.app import app

SIZE = 8


def run(*arguments: object) -> Result:
    """The command in this process; what it printed and its exit code. An exception that escapes is raised."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def run_limited(*arguments: object, file_bytes: int) -> subprocess.CompletedProcess[str]:
    """The command as a process that cannot write files of more than `file_bytes`, as on a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    command = [sys.executable, "-B", "-m", "wesnpu", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120)


def float_model(path: Path, *, operator: str = "Relu", weight: np.ndarray | None = None) -> Path:
    """A float ONNX network: 3x3 convolution of an 8x8 grey image to 4 channels, `operator`, global average."""
    if weight is None:
        weight = np.random.default_rng(3).normal(size=(4, 1, 3, 3))
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["sums"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["sums"], ["clamped"], name="second"),
        helper.make_node("GlobalAveragePool", ["clamped"], ["scores"], name="third"),
    ]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, SIZE, SIZE]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4, 1, 1]),
    ]
    weights = [numpy_helper.from_array(weight.astype(np.float32), "weight")]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pictures(folder: Path, count: int = 6, size: int = SIZE) -> Path:
    """A folder of grey PNG pictures "CLASS_NUMBER.png", classes 0..3."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    for index in range(count):
        pixels = rng.integers(0, 256, (size, size), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index % 4}_{index}.png")
    return folder

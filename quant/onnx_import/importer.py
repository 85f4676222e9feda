"""import_onnx: a float ONNX file becomes the graph that quant works on, or one clear WesnpuError."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.float_graph.graph import Graph
from quant.float_graph.onnx_model import to_onnx
from quant.onnx_import.fold import fold_forward
from quant.onnx_import.layout import input_layout, sizes_of
from quant.onnx_import.load import (
    OLDEST_TESTED,
    declared_shape,
    image_info,
    image_input,
    live_graph,
    opset,
    read_model,
)
from quant.onnx_import.refuse import one_line
from quant.onnx_import.values import Tail, Value, View, is_nchw, lay_out, restore, spread
from quant.onnx_import.walk import Walker


@dataclass(frozen=True)
class Report:
    """What an import found and did, for `wesnpu import`.

    operators: operator -> count among the nodes that the outputs need. layout: of the model's input ("NCHW", "NHWC",
    "NC", ...). folded, host_tail, warnings: one line each, naming nodes.
    """

    source: str
    producer: str
    opset: int
    operators: dict[str, int]
    input_name: str
    input_shape: tuple[int, ...]
    layout: str
    constant_nodes: int
    folded: tuple[str, ...] = ()
    host_tail: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported network: the float graph, the same as an ONNX model (batch dynamic, NCHW), and the report.

    input_view: how the file lays out its input. output_views: tensor in the file -> graph tensor and layout, for each
    output of the file or, where a tail was cut off, the tensor before it. file_tensors: graph tensor -> the tensor of
    the file that it equals, and its layout there; those that the file does not have are left out.
    """

    graph: Graph
    model: onnx.ModelProto = field(repr=False)
    report: Report
    input_view: View
    output_views: dict[str, View]
    file_tensors: dict[str, tuple[str, View]] = field(repr=False)

    def to_graph(self, x: np.ndarray) -> np.ndarray:
        """The file's input, in its own layout and declared shape, as the graph's (N, C, H, W)."""
        return spread(self.input_view, x)

    def from_graph(self, output: str, array: np.ndarray) -> np.ndarray:
        """The tensor of `output_views[output]`, (N, C, H, W), as the file lays it out (before a tail of the host)."""
        return restore(self.output_views[output], array)


def import_onnx(
    path: str | Path, *, shape: tuple[int, ...] | None = None, preprocessing: Preprocessing | None = None
) -> Imported:
    """Read a float ONNX file into a `Graph`; what cannot be expressed exactly is refused.

    shape: of the model's input, with or without batch, for dynamic dimensions. preprocessing: its height and width
    fill dynamic dimensions and must agree with fixed ones; a layout other than the model's own is warned about.
    Raises WesnpuError: one line that names the file and the node, operator, attribute or tensor.
    """
    path = Path(path)
    model = read_model(path)
    try:
        return _convert(model, path, shape, preprocessing)
    except UnicodeDecodeError as error:
        raise WesnpuError(f"{path}: a name in it is not text ({error.reason})") from error
    except WesnpuError as error:
        raise WesnpuError(f"{path}: {one_line(str(error))}") from error


def _convert(
    model: onnx.ModelProto, path: Path, shape: tuple[int, ...] | None, preprocessing: Preprocessing | None
) -> Imported:
    version, live = opset(model), live_graph(model.graph)
    source = image_input(model.graph, _asked(model.graph, live.nodes, shape, preprocessing))
    order = input_layout(live.nodes, source.name, source.shape)
    walker = Walker(version, list(model.opset_import), path.parent, Counter(live.uses))
    if version < OLDEST_TESTED:
        walker.builder.warnings.append(f"opset {version} is older than {OLDEST_TESTED}, the oldest tested")
    walker.initializers(model.graph)
    start = lay_out(source.name, sizes_of(source.shape, order), order)
    walker.values[source.name] = start
    walker.builder.shapes[source.name] = start.chw
    walker.run(live.nodes)
    _agree(walker, start, order, preprocessing)
    views, tail = _outputs(walker, model.graph)
    graph = _finish(walker, model.graph.name or path.stem, source.name, list(views.values()), tail)
    report = Report(
        source=str(path),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opset=version,
        operators=dict(Counter(n.op_type for n in live.nodes).most_common()),
        input_name=source.name,
        input_shape=source.shape,
        layout=order,
        constant_nodes=walker.constant_nodes,
        folded=tuple(walker.builder.folded),
        host_tail=tuple(graph.host_tail),
        warnings=tuple(graph.warnings),
    )
    known = {tensor: pair for tensor, pair in walker.file_tensors.items() if tensor in graph.shapes}
    return Imported(graph, to_onnx(graph), report, start, views, known)


def _asked(
    graph: onnx.GraphProto, nodes: tuple, shape: tuple[int, ...] | None, preprocessing: Preprocessing | None
) -> tuple[int, ...] | None:
    """The shape asked for: `shape`, or that of a preprocessed image in the layout that the model's operators want."""
    if shape is not None or preprocessing is None or len(declared_shape(graph)) != 4:
        return shape
    size = {"C": preprocessing.channels, "H": preprocessing.height, "W": preprocessing.width}
    name = image_info(graph).name
    order = input_layout(nodes, name, declared_shape(graph))
    return tuple(size[axis] for axis in order if axis != "N")


def _agree(walker: Walker, start: View, order: str, preprocessing: Preprocessing | None) -> None:
    if preprocessing is None:
        return
    given = (preprocessing.channels, preprocessing.height, preprocessing.width)
    if start.chw != given:
        raise WesnpuError(
            f"input '{start.tensor}' is {start.chw} (channels, height, width), preprocessing gives {given}"
        )
    if len(order) == 4 and preprocessing.layout != order:
        walker.builder.warnings.append(f"input '{start.tensor}' is {order}, preprocessing says {preprocessing.layout}")


def _outputs(walker: Walker, graph: onnx.GraphProto) -> tuple[dict[str, View], list[str]]:
    """The view behind each of the file's outputs (before its tail), and the operators left to the host."""
    views: dict[str, View] = {}
    tail: list[str] = []
    for info in graph.output:
        value = walker.read(None, info.name)
        if not isinstance(value, Tail):
            views[info.name] = _output(walker, info.name, value)
            continue
        if value.view.tensor not in walker.builder.producers:
            raise WesnpuError(f"{value.operators[0]}: nothing is before it; supported: it at a network's end")
        tail += [t for t in value.operators if t not in tail]
        views[value.source] = _output(walker, value.source, value.view)
    return views, tail


def _finish(walker: Walker, name: str, source: str, views: list[View], tail: list[str]) -> Graph:
    builder, outputs = walker.builder, list(dict.fromkeys(v.tensor for v in views))
    nodes = fold_forward(builder.nodes, outputs, builder.folded)
    alive = {source, *(n.output for n in nodes)}
    shapes = {tensor: chw for tensor, chw in builder.shapes.items() if tensor in alive}
    result = Graph(name, source, outputs, nodes, shapes, tail, list(builder.warnings))
    result.validate()
    return result


def _output(walker: Walker, name: str, value: Value | None) -> View:
    if not isinstance(value, View):
        raise WesnpuError(f"output '{name}' does not depend on the network's input; supported: outputs that do")
    view = walker.builder.settle(value)
    if view.tensor not in walker.builder.producers:
        view = walker.builder.identity(view, name)
    if len(view.dims) == 4 and not is_nchw(view):
        walker.builder.warnings.append(f"output '{name}' is not (N, C, H, W) in the model; the network gives (C, H, W)")
    return view

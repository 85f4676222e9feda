"""Reading an ONNX file: format, opset, local functions, unused nodes, and what its one input is."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from golden.errors import WesnpuError
from quant.onnx_import.refuse import one_line

OLDEST_READ, OLDEST_TESTED = 7, 11
SHAPE_READERS = frozenset(("Shape", "Size"))


def read_model(path: Path) -> ModelProto:
    """The model in an ONNX file, local functions inlined, external data not yet read; WesnpuError when it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WesnpuError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise WesnpuError(f"{path}: not an ONNX file ({one_line(str(error))})") from error
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise WesnpuError(f"{path}: not an ONNX file (it holds no nodes, no outputs or no operator set version)")
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def opset(model: ModelProto) -> int:
    """Version of the standard operator set; WesnpuError outside the range that is read."""
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_READ <= version <= newest:
        tested = f"{OLDEST_TESTED}..{newest} ({OLDEST_READ}..{OLDEST_TESTED - 1} untested)"
        raise WesnpuError(f"opset {version} is not supported; supported: {tested}")
    return version


@dataclass(frozen=True)
class LiveGraph:
    """Nodes that the outputs depend on, and how often each tensor is read by something that keeps it alive."""

    nodes: tuple[NodeProto, ...]
    uses: Counter[str]


def live_graph(graph: GraphProto) -> LiveGraph:
    """Nodes needed by the outputs, in their order; a tensor captured by a subgraph counts as read twice."""
    needed, kept = {o.name for o in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(o for o in node.output if o):
            kept.append(node)
            needed.update(node.input)
            needed.update(captured(node))
    uses = Counter(o.name for o in graph.output)
    for node in kept:
        if node.op_type not in SHAPE_READERS:
            uses.update(node.input)
        uses.update({name: 2 for name in captured(node)})
    return LiveGraph(tuple(reversed(kept)), uses)


def captured(node: NodeProto) -> set[str]:
    """Names that the subgraphs of an If, Loop or Scan may read from outside."""
    graphs = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    names = {name for g in graphs for inner in g.node for name in (*inner.input, *captured(inner))}
    return names | {o.name for g in graphs for o in g.output}


@dataclass(frozen=True)
class Input:
    """The network's one input: its name and shape in the model, batch included, with every dimension known."""

    name: str
    shape: tuple[int, ...]


def image_info(graph: GraphProto) -> ValueInfoProto:
    """The one float input that is not an initializer."""
    known = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = [i for i in graph.input if i.name not in known]
    if len(inputs) != 1:
        names = ", ".join(f"'{i.name}'" for i in inputs) or "none"
        raise WesnpuError(f"the network has {len(inputs)} inputs ({names}); supported: one")
    kind = inputs[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        kinds = {number: name for name, number in TensorProto.DataType.items()}
        raise WesnpuError(f"input '{inputs[0].name}' is {kinds.get(kind, kind)}; supported: FLOAT (float32)")
    return inputs[0]


def declared_shape(graph: GraphProto) -> tuple[int, ...]:
    """The shape of the image input, -1 for unknown dimensions."""
    dims = image_info(graph).type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else -1 for d in dims)


def image_input(graph: GraphProto, shape: tuple[int, ...] | None) -> Input:
    """The image input, with `shape` (with or without batch) for unknown dimensions."""
    name, dims = image_info(graph).name, list(declared_shape(graph))
    text = "x".join("?" if d < 0 else str(d) for d in dims) or "unknown"
    if 0 in dims or len(dims) not in (1, 2, 3, 4):
        raise WesnpuError(f"input '{name}' of shape {text}; supported: rank 1 to 4, no empty dimension")
    if shape is not None:
        dims = _merged(name, dims, shape, text)
    dims[0] = 1 if dims[0] < 0 else dims[0]
    if -1 in dims:
        raise WesnpuError(f"input '{name}' has the dynamic shape {text}; give a fixed one, e.g. --shape 1x3x224x224")
    return Input(name, tuple(dims))


def _merged(name: str, dims: list[int], shape: tuple[int, ...], text: str) -> list[int]:
    given = list(shape) if len(shape) == len(dims) else [1 if dims[0] < 0 else dims[0], *shape]
    if len(given) != len(dims) or any(g < 1 or d not in (-1, g) for g, d in zip(given, dims, strict=False)):
        asked = "x".join(map(str, shape))
        raise WesnpuError(f"shape {asked} does not fit input '{name}' of shape {text} (with or without the batch)")
    return given

"""``wesnpu import``: what a float network contains and what becomes of it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from golden.errors import WesnpuError
from quant.float_graph.graph import Add, Conv, Graph, Node, Pool
from quant.onnx_import import Imported, import_onnx
from quant.onnx_import.load import live_graph, read_model
from quant.onnx_import.walk import HANDLERS
from wesnpu import console, options


def import_network(model: options.Model, shape: options.Shape = None) -> None:
    """Show what a float ONNX network contains, what was folded and what is left to the host, or why it is refused."""
    try:
        imported = import_onnx(model, shape=options.sizes(shape))
    except WesnpuError:
        survey(model)
        raise
    show(model, imported)


def survey(path: Path) -> None:
    """Print all operators of a refused network, and those that must fold to constants; nothing if it is no network."""
    try:
        model = read_model(path)
    except WesnpuError:
        return
    count = Counter(node.op_type for node in live_graph(model.graph).nodes)
    foreign = {name: number for name, number in count.items() if name not in HANDLERS}
    console.say(f"{path}: {counted(count)}")
    console.say(f"unsupported unless they fold to constants: {counted(foreign) or 'none'}")


def counted(operators: Mapping[str, int]) -> str:
    """'2 Conv, 1 Relu'."""
    return ", ".join(f"{number} {name}" for name, number in operators.items())


def show(path: Path, imported: Imported) -> None:
    """Print the report of an import and the layers it found."""
    report, graph = imported.report, imported.graph
    size = "x".join(map(str, report.input_shape))
    console.say(f"{path}: opset {report.opset}, made by {report.producer or 'an unnamed exporter'}")
    console.say(f"input {report.input_name} {size} ({report.layout}); {counted(report.operators)}")
    console.say(f"folded: {len(report.folded)} nodes and {report.constant_nodes} constants")
    console.say(f"left to the host: {', '.join(report.host_tail) or 'nothing'}")
    for warning in report.warnings:
        console.note(f"warning: {warning}")
    rows = [row(graph, node) for node in graph.nodes]
    console.table("Layers", ("layer", "kind", "kernel", "stride", "input", "output", "clamp", "MAC", "weights"), rows)
    total = sum(macs(graph, node) for node in graph.nodes)
    console.say(f"{len(graph.nodes)} layers, {total:,} MAC, {sum(weights(node) for node in graph.nodes):,} weights")


def kind(node: Node) -> str:
    """The node's kind in one word."""
    if isinstance(node, Conv):
        return "depthwise" if node.depthwise else "dense"
    return {Add: "add", Pool: "pool"}[type(node)]


def weights(node: Node) -> int:
    """Number of weights of a node."""
    return node.weight.size if isinstance(node, Conv) else 0


def macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of a convolution, padding included; 0 for the other kinds."""
    if not isinstance(node, Conv):
        return 0
    _, height, width = graph.shapes[node.output]
    return node.weight.size * height * width


def row(graph: Graph, node: Node) -> tuple[str, ...]:
    """One line of the table of layers."""
    low, high = node.activation.low, node.activation.high
    clamp = "-" if (low, high) == (None, None) else f"{'' if low is None else low:g}..{'' if high is None else high}"
    window = ("-", "-") if isinstance(node, Add) else tuple("x".join(map(str, v)) for v in (node.kernel, node.stride))
    shapes = ("x".join(map(str, graph.shapes[name])) for name in (node.inputs[0], node.output))
    return (node.name, kind(node), *window, *shapes, clamp, f"{macs(graph, node):,}", f"{weights(node):,}")

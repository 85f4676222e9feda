"""Whether an image input is (N, C, H, W) or (N, H, W, C): ONNX does not say, its first consumers do."""

from collections.abc import Sequence

from onnx import NodeProto, helper

from quant.onnx_import.values import Sizes

ELEMENTWISE = frozenset(("Add", "Sub", "Mul", "Div", "Relu", "Clip", "Identity", "Cast", "Dropout", "Pad"))
CHANNELS_FIRST = frozenset(
    ("Conv", "BatchNormalization", "AveragePool", "GlobalAveragePool", "MaxPool", "GlobalMaxPool")
)


def input_layout(nodes: Sequence[NodeProto], name: str, shape: tuple[int, ...]) -> str:
    """Axes of the input, from the first operator that tells them apart, else from its sizes.

    Rank 4: "NCHW" or "NHWC"; 3: "NCH"; 2: "NC"; 1: "C", one vector without batch.
    """
    if len(shape) != 4:
        return {1: "C", 2: "NC", 3: "NCH"}[len(shape)]
    names = {name}
    for node in nodes:
        if not names.intersection(node.input):
            continue
        if node.op_type in CHANNELS_FIRST:
            return "NCHW"
        if node.op_type == "Transpose" and _permutation(node) in ([0, 3, 1, 2], [0, 3, 2, 1]):
            return "NHWC"
        if node.op_type in ELEMENTWISE:
            names.update(node.output)
    channels_last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    return "NHWC" if channels_last else "NCHW"


def sizes_of(shape: tuple[int, ...], order: str) -> Sizes:
    """Sizes of N, C, H, W; 1 for an axis that is not there."""
    size = dict(zip(order, shape, strict=True))
    return size.get("N", 1), size["C"], size.get("H", 1), size.get("W", 1)


def _permutation(node: NodeProto) -> list[int]:
    return next((list(helper.get_attribute_value(a)) for a in node.attribute if a.name == "perm"), [])

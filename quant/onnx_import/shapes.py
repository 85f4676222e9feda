"""Operators that only move or pad: Identity, Dropout, Cast, Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Pad."""

import math
from collections.abc import Sequence
from dataclasses import replace

from onnx import TensorProto

from quant.onnx_import import windows
from quant.onnx_import.step import Step
from quant.onnx_import.values import LayoutError, View, lay_out, transpose
from quant.onnx_import.values import reshape as reshape_view

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def identity(step: Step) -> View:
    """The tensor itself."""
    return step.view()


def dropout(step: Step) -> View:
    """Inference: the tensor itself."""
    training = step.constant(2, "training_mode")
    if training is not None and bool(training):
        step.refuse("training_mode true", "inference")
    return step.view()


def cast(step: Step) -> View:
    """Between float types: the tensor itself."""
    if step.attribute("to") not in FLOATS:
        step.refuse(f"to {TensorProto.DataType.Name(step.attribute('to', 0))}", "casts between float types")
    return step.view()


def flatten(step: Step) -> View:
    """Dimensions before `axis` and from it on, each merged."""
    view = step.view()
    axis = int(step.attribute("axis", 1))
    axis = axis if axis == len(view.dims) else step.axis(axis, len(view.dims))
    return _moved(step, (math.prod(view.shape[:axis]), math.prod(view.shape[axis:])))


def reshape(step: Step) -> View:
    """To a constant shape, 0 (copied) and -1 (the rest) included."""
    view, target = step.view(), step.integers(1, "shape")
    if target is None:
        step.refuse("shape is missing", "a constant shape")
    copy = not step.attribute("allowzero", 0)
    shape = [view.shape[i] if s == 0 and copy and i < len(view.shape) else s for i, s in enumerate(target)]
    if shape.count(-1) == 1:
        rest = math.prod(s for s in shape if s != -1)
        shape[shape.index(-1)] = math.prod(view.shape) // rest if rest else 0
    return _moved(step, shape)


def squeeze(step: Step) -> View:
    """Without the given axes, or without all of size 1."""
    view, axes = step.view(), step.integers(1, "axes")
    rank = len(view.dims)
    drop = {i for i, s in enumerate(view.shape) if s == 1} if axes is None else {step.axis(a, rank) for a in axes}
    if any(view.shape[i] != 1 for i in drop):
        step.refuse(f"axes {axes} of shape {view.shape}", "axes of size 1")
    return replace(view, dims=tuple(d for i, d in enumerate(view.dims) if i not in drop))


def unsqueeze(step: Step) -> View:
    """With new axes of size 1."""
    view, axes = step.view(), step.integers(1, "axes")
    rank = len(view.dims) + len(axes or [])
    new = {step.axis(a, rank) for a in axes or []}
    old = iter(view.dims)
    return replace(view, dims=tuple(() if i in new else next(old) for i in range(rank)))


def transposed(step: Step) -> View:
    """Dimensions permuted; nothing moves."""
    view = step.view()
    permutation = [int(p) for p in step.attribute("perm", range(len(view.dims))[::-1])]
    if sorted(permutation) != list(range(len(view.dims))):
        step.refuse(f"perm {permutation} of rank {len(view.dims)}", "a permutation of all axes")
    return transpose(view, permutation)


def pad(step: Step) -> View:
    """Zeros around H and W, carried out by the consumer; constant or all-zero pads only."""
    view, pads = step.view(), step.integers(1, "pads")
    rank = len(view.dims)
    axes = step.integers(3, "axes")
    chosen = list(range(rank)) if axes is None else [step.axis(a, rank) for a in axes]
    if pads is None or len(pads) != 2 * len(chosen):
        step.refuse(f"pads {pads}", f"{2 * len(chosen)} constant numbers")
    amounts = dict(zip(chosen, zip(pads, pads[len(chosen) :], strict=False), strict=True))
    amounts = {axis: amount for axis, amount in amounts.items() if any(amount)}
    if not amounts:
        return view
    _constant_zero(step, [a for amount in amounts.values() for a in amount])
    return _padded(step, view, amounts)


def _padded(step: Step, view: View, amounts: dict[int, tuple[int, int]]) -> View:
    before, after = {}, {}
    for index, (first, last) in amounts.items():
        axis = _image_axis(step, view, index)
        before[axis], after[axis] = first, last
    more = (before.get("H", 0), before.get("W", 0), after.get("H", 0), after.get("W", 0))
    n, c, h, w = view.sizes
    sizes = (n, c, h + more[0] + more[2], w + more[1] + more[3])
    grown = {index: (_image_axis(step, view, index),) for index in amounts}
    dims = tuple(grown.get(i, d) for i, d in enumerate(view.dims))
    return replace(view, sizes=sizes, dims=dims, pad=windows.add(view.pad, more))


def _image_axis(step: Step, view: View, index: int) -> str:
    """The axis H or W that dimension `index` is; a dimension of size 1 is known by its place in NCHW or NHWC."""
    axes: Sequence[str] = view.dims[index]
    if not axes:
        orders = [o for o in ("NCHW", "NHWC") if lay_out("", view.sizes, o).dims == view.dims]
        axes = orders[0][index] if orders else ""
    if len(axes) != 1 or axes[0] not in "HW":
        step.refuse(f"pads dimension {index} ({''.join(axes) or 'not of the image'})", "padding of H and W")
    return axes[0]


def _constant_zero(step: Step, amounts: list[int]) -> None:
    mode = step.attribute("mode", "constant")
    if mode != "constant":
        step.refuse(f"mode {mode}", "mode constant")
    if min(amounts) < 0:
        step.refuse(f"negative pads {amounts}", "pads of at least 0")
    value = step.constant(2, "constant_value")
    number = step.attribute("value", 0.0) if value is None or not value.size else float(value.reshape(()))
    if number != 0:
        step.refuse(f"constant_value {number}", "0")


def _moved(step: Step, shape: Sequence[int]) -> View:
    view = step.settled()
    try:
        return reshape_view(view, tuple(shape))
    except LayoutError as error:
        step.refuse(str(error), "reshapes that merge, flatten, squeeze or restore whole axes")

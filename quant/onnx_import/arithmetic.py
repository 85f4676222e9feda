"""Add, Sub, Mul and Div: two tensors are added; constants per channel are affine maps."""

import numpy as np

from quant.float_graph.graph import Add
from quant.onnx_import.step import Step
from quant.onnx_import.values import Const, View


def add(step: Step) -> View:
    """Two tensors of equal shape, or a tensor and one constant per channel."""
    if len(step.inputs) != 2:
        step.refuse(f"{len(step.inputs)} operands", "two operands")
    if any(isinstance(v, Const) for v in step.inputs):
        view, constant, _ = _operands(step)
        return _affine(step, view, np.ones(()), constant)
    first, second = step.settled(0), step.settled(1)
    if first.sizes != second.sizes or first.dims != second.dims:
        step.refuse(f"operands of shapes {first.shape} and {second.shape}", "two tensors of equal shape and layout")
    if first.tensor == second.tensor:
        return _affine(step, first, np.full((), 2.0), np.zeros(()))
    node = Add(step.name, (first.tensor, second.tensor), step.output)
    out = step.builder.emit(node, first.sizes[0], first.chw)
    return View(out.tensor, out.sizes, first.dims)


def sub(step: Step) -> View:
    """A tensor and one constant per channel, either way round."""
    view, constant, swapped = _operands(step)
    return _affine(step, view, np.full((), -1.0 if swapped else 1.0), constant if swapped else -constant)


def mul(step: Step) -> View:
    """A tensor times one constant per channel."""
    view, constant, _ = _operands(step)
    return _affine(step, view, constant, np.zeros(()))


def div(step: Step) -> View:
    """A tensor divided by one constant per channel that is not 0."""
    view, constant, swapped = _operands(step)
    if swapped or not np.all(constant):
        step.refuse("division of a constant or by 0", "division by one constant other than 0 per channel")
    return _affine(step, view, 1 / constant, np.zeros(()))


def _operands(step: Step) -> tuple[View, np.ndarray, bool]:
    """(tensor, constant, whether the constant came first)."""
    swapped = isinstance(step.inputs[0], Const)
    if not swapped and not isinstance(step.inputs[1], Const):
        step.view(0), step.view(1)
        step.refuse("both operands are computed from the network's input", "one constant per channel")
    view, constant = step.view(int(swapped)), step.required(int(not swapped), "operand")
    lead = constant.ndim - len(view.dims)
    if lead > 0:
        view = View(view.tensor, view.sizes, ((),) * lead + view.dims, view.pad, view.exclusive)
    return view, constant, swapped


def _affine(step: Step, view: View, scale: np.ndarray, shift: np.ndarray) -> View:
    factors = step.per_channel(view, scale, "operand"), step.per_channel(view, shift, "operand")
    return step.builder.affine(view, *factors, step.name, step.output)

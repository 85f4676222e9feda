"""Relu and Clip (ReLU6 among them): clamps of the node before."""

from quant.float_graph.graph import Activation
from quant.onnx_import.builder import clamp
from quant.onnx_import.step import Step
from quant.onnx_import.values import View


def relu(step: Step) -> View:
    """max(x, 0)."""
    return step.builder.activate(step.view(), Activation(0.0, None), step.name, step.output)


def clip(step: Step) -> View:
    """Clamp with bounds given as attributes (opset < 11), initializers or Constants; an absent bound is none."""
    bounds = [_bound(step, index, name) for index, name in ((1, "min"), (2, "max"))]
    activation = clamp(*bounds)
    if activation == Activation():
        return step.view()
    return step.builder.activate(step.view(), activation, step.name, step.output)


def _bound(step: Step, index: int, name: str) -> float | None:
    value = step.attribute(name)
    if value is None:
        array = step.constant(index, name)
        if array is None:
            return None
        if array.size != 1:
            step.refuse(f"{name} of shape {array.shape}", "one number")
        value = array.reshape(()).item()
    if value != value:
        step.refuse(f"{name} is NaN", "a number")
    limit = 3.4028234663852886e38
    return None if abs(value) >= limit and (value < 0) == (name == "min") else float(value)

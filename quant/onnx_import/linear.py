"""Gemm and MatMul: 1x1 convolutions over channels, or HxW convolutions after a flatten, the weight permuted."""

from dataclasses import replace

import numpy as np

from quant.float_graph.graph import Conv
from quant.onnx_import.step import Step
from quant.onnx_import.values import AXES, View


def gemm(step: Step) -> View:
    """alpha * x B + beta * C with constant B and C, B possibly transposed."""
    if step.attribute("transA", 0):
        step.refuse("transA 1", "transA 0")
    view, weight = step.settled(), step.required(1, "weight")
    if weight.ndim != 2 or len(view.dims) != 2:
        step.refuse(f"operands of rank {len(view.dims)} and {weight.ndim}", "rank 2")
    weight = (weight.T if step.attribute("transB", 0) else weight) * float(step.attribute("alpha", 1.0))
    out = _multiply(step, view, weight)
    bias = step.parameter(2, "bias")
    factor = float(step.attribute("beta", 1.0))
    if bias is None or factor == 0:
        return out
    shift = step.per_channel(out, bias * factor, "bias")
    return step.builder.affine(out, np.ones_like(shift), shift, step.name, step.output)


def matmul(step: Step) -> View:
    """x B with a constant matrix B."""
    view, weight = step.settled(), step.required(1, "weight")
    if weight.ndim != 2 or len(view.dims) < 2:
        step.refuse(f"operands of rank {len(view.dims)} and {weight.ndim}", "a tensor times a constant matrix")
    return _multiply(step, view, weight)


def _multiply(step: Step, view: View, weight: np.ndarray) -> View:
    if weight.shape[0] != view.shape[-1]:
        step.refuse(f"weight of shape {weight.shape} on a tensor of shape {view.shape}", "equal inner sizes")
    axes = view.dims[-1]
    kernel = _kernel(step, view, axes, weight)
    n, _, h, w = view.sizes
    size = (h - kernel.shape[2] + 1, w - kernel.shape[3] + 1)
    bias = np.zeros(kernel.shape[0])
    node = Conv(step.name, view.tensor, step.output, False, kernel, bias, (1, 1), (0, 0, 0, 0))
    out = step.builder.emit(node, n, (kernel.shape[0], *size))
    last = ("C",) if kernel.shape[0] > 1 else ()
    return replace(out, dims=(*view.dims[:-1], last))


def _kernel(step: Step, view: View, axes: tuple[str, ...], weight: np.ndarray) -> np.ndarray:
    """(O, C, KH, KW): over all of (C, H, W) in the order of `axes`, or over C alone."""
    present = {a for a in "CHW" if view.size(a) > 1}
    whole, channels = set(axes) == present, set(axes) == present & {"C"}
    if not whole and not channels:
        dims = ["".join(d) or "1" for d in view.dims]
        step.refuse(f"the last dimension of ({', '.join(dims)}) is neither C nor all of C, H, W", "those two")
    kernel = weight.reshape([*(view.size(a) for a in axes), weight.shape[1]])
    kernel = kernel.transpose([axes.index(a) for a in AXES if a in axes] + [len(axes)])
    kernel = np.moveaxis(kernel, -1, 0)
    return kernel.reshape(weight.shape[1], *(view.size(a) if a in axes else 1 for a in "CHW"))

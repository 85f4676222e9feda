"""What an ONNX tensor name stands for during import: a constant, a view of a graph tensor, or a tail left to the host.

A `View` says how the ONNX tensor lays out the graph tensor: each dimension is the row-major product of axes out of
"N", "C", "H", "W". Axes of size 1 carry nothing and are left out, so (1, C, 1, 1), (1, C) and (1, 1, 1, C) differ only
in their empty dimensions. Transposes, reshapes and flattenings move axes; no data moves.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

Sizes = tuple[int, int, int, int]
AXES = "NCHW"


class LayoutError(ValueError):
    """A reshape that a view cannot express, or a constant that is not one value per channel."""


@dataclass(frozen=True, eq=False)
class Const:
    """A constant of any type and shape."""

    array: np.ndarray


@dataclass(frozen=True)
class View:
    """An ONNX tensor that is graph tensor `tensor`, zero-padded by `pad`, laid out by `dims`.

    pad: pending (top, left, bottom, right). sizes: of N, C, H, W including `pad`. exclusive: nothing else reads the
    tensor, so a consumer may fold into it.
    """

    tensor: str
    sizes: Sizes
    dims: tuple[tuple[str, ...], ...]
    pad: Sizes = (0, 0, 0, 0)
    exclusive: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the ONNX tensor."""
        return tuple(math.prod(self.size(a) for a in dim) for dim in self.dims)

    def size(self, axis: str) -> int:
        """Size of one of N, C, H, W."""
        return self.sizes[AXES.index(axis)]

    @property
    def chw(self) -> tuple[int, int, int]:
        """(C, H, W), including the padding."""
        return self.sizes[1], self.sizes[2], self.sizes[3]


@dataclass(frozen=True)
class Tail:
    """An ONNX tensor that the host computes: `view` is ONNX tensor `source`, then come the operators cut off."""

    view: View
    source: str
    operators: tuple[str, ...]


Value = Const | View | Tail


def lay_out(tensor: str, sizes: Sizes, order: str = AXES) -> View:
    """The view of a tensor as the axes of `order`, such as "NCHW", "NHWC" or "NC"."""
    dims = tuple((a,) if sizes[AXES.index(a)] > 1 else () for a in order)
    return View(tensor, sizes, dims)


def is_nchw(view: View) -> bool:
    """Whether the ONNX tensor is (N, C, H, W) as it stands."""
    return view.dims == lay_out("", view.sizes).dims


def transpose(view: View, permutation: list[int]) -> View:
    """The view with its dimensions permuted."""
    return replace(view, dims=tuple(view.dims[p] for p in permutation))


def reshape(view: View, shape: tuple[int, ...]) -> View:
    """The view with another shape of equal size; LayoutError when an axis would have to be split."""
    atoms = [a for dim in view.dims for a in dim]
    dims = []
    for size in shape:
        dim: list[str] = []
        while math.prod(view.size(a) for a in dim) < size and atoms:
            dim.append(atoms.pop(0))
        if math.prod(view.size(a) for a in dim) != size:
            raise LayoutError(f"shape {view.shape} to {shape} splits an axis of the image")
        dims.append(tuple(dim))
    if atoms:
        raise LayoutError(f"shape {view.shape} to {shape} changes the number of elements")
    return replace(view, dims=tuple(dims))


def spread(view: View, array: np.ndarray) -> np.ndarray:
    """`array`, broadcast to the view's shape, as an (N, C, H, W) array; LayoutError when it would enlarge the view."""
    try:
        full = np.broadcast_to(array, view.shape)
    except ValueError as error:
        raise LayoutError(f"constant of shape {array.shape} against a tensor of shape {view.shape}") from error
    atoms = [a for dim in view.dims for a in dim]
    full = full.reshape([view.size(a) for a in atoms])
    full = full.transpose([atoms.index(a) for a in AXES if a in atoms])
    return full.reshape([view.size(a) if a in atoms else 1 for a in AXES])


def per_channel(view: View, array: np.ndarray) -> np.ndarray:
    """The float64 (C,) values of a constant operand; LayoutError when it is not constant within each channel."""
    full = spread(view, np.asarray(array, dtype=np.float64))
    channels = full[:1, :, :1, :1]
    if not np.array_equal(full, np.broadcast_to(channels, full.shape), equal_nan=True):
        raise LayoutError(f"constant of shape {array.shape} is not one value per channel")
    return np.array(np.broadcast_to(channels.reshape(-1), (view.sizes[1],)))


def restore(view: View, array: np.ndarray) -> np.ndarray:
    """An (N, C, H, W) array as the ONNX tensor lays it out."""
    atoms = [a for dim in view.dims for a in dim]
    order = [AXES.index(a) for a in atoms] + [i for i, a in enumerate(AXES) if a not in atoms]
    return array.transpose(order).reshape(view.shape)

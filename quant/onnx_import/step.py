"""One ONNX node during import: its inputs as values, its attributes, checked and with errors that name the node."""

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import onnx
from onnx import NodeProto

from quant.onnx_import.builder import Builder
from quant.onnx_import.refuse import SUPPORTED, label, refuse
from quant.onnx_import.values import Const, LayoutError, Tail, Value, View, is_nchw, per_channel


@dataclass
class Step:
    """A node with the values of its inputs (None for an absent optional one) and the graph under construction."""

    node: NodeProto
    inputs: list[Value | None]
    builder: Builder
    opset: int

    @property
    def name(self) -> str:
        """Name for the graph node."""
        return self.node.name or self.output

    @property
    def output(self) -> str:
        """Name of the node's first output."""
        return self.node.output[0]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Value of an attribute, strings decoded, or the default."""
        for item in self.node.attribute:
            if item.name == name:
                value = onnx.helper.get_attribute_value(item)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def refuse(self, problem: str, supported: str = SUPPORTED) -> NoReturn:
        """Raise WesnpuError naming this node."""
        refuse(self.node, problem, supported)

    def view(self, index: int = 0) -> View:
        """Input `index` as a tensor of the network; refused when it is constant, absent or already left to the host."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Tail):
            self.refuse(f"its input {index} comes from {value.operators[-1]}, which the host computes", "it at the end")
        if not isinstance(value, View):
            self.refuse(f"input {index} is not computed from the network's input", "a tensor of the network there")
        return value

    def settled(self, index: int = 0) -> View:
        """Input `index` with any pending padding carried out."""
        return self.builder.settle(self.view(index))

    def image(self, index: int = 0) -> View:
        """Input `index` when it is laid out (N, C, H, W), pending padding included; else refused."""
        view = self.view(index)
        if len(view.dims) != 4:
            self.refuse(f"input of shape {view.shape} has rank {len(view.dims)}", "two-dimensional images (N, C, H, W)")
        if not is_nchw(view):
            dims = ["".join(d) or "1" for d in view.dims]
            self.refuse(f"its input is laid out ({', '.join(dims)})", "(N, C, H, W); layouts are moved by Transpose")
        return view

    def constant(self, index: int, what: str) -> np.ndarray | None:
        """Input `index` as an array, None when absent; refused when it is computed from the network's input."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            return None
        if not isinstance(value, Const):
            self.refuse(f"{what} '{self.node.input[index]}' is not constant", f"a constant {what}")
        return value.array

    def parameter(self, index: int, what: str) -> np.ndarray | None:
        """Constant input `index` as float64, refused when it is empty or holds NaN or infinity."""
        array = self.constant(index, what)
        return None if array is None else self.finite(array, f"{what} '{self.node.input[index]}'")

    def finite(self, array: np.ndarray, what: str) -> np.ndarray:
        """The array as float64, refused when it is empty or holds NaN or infinity."""
        if array.size == 0:
            self.refuse(f"{what} is empty (shape {array.shape})", "at least one element")
        with np.errstate(invalid="ignore"):  # a signalling NaN
            array = np.asarray(array, dtype=np.float64)
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            self.refuse(f"{what} holds {bad} values that are NaN or infinite", "finite numbers")
        return array

    def required(self, index: int, what: str) -> np.ndarray:
        """Like `parameter`, refused when absent."""
        array = self.parameter(index, what)
        if array is None:
            self.refuse(f"{what} (input {index}) is missing", f"a constant {what}")
        return array

    def integers(self, index: int, attribute: str) -> list[int] | None:
        """A list of integers given as attribute (older opsets) or constant input (newer), None when absent."""
        values = self.attribute(attribute)
        if values is None:
            values = self.constant(index, attribute)
        return None if values is None else [int(v) for v in np.ravel(values)]

    def per_channel(self, view: View, array: np.ndarray, what: str) -> np.ndarray:
        """(C,) values of a constant operand of `view`; refused when it varies within a channel."""
        try:
            return per_channel(view, array)
        except LayoutError as error:
            self.refuse(f"{what}: {error}", "one value per channel of the image")

    def axis(self, value: int, rank: int) -> int:
        """A possibly negative axis as 0..rank-1."""
        if not -rank <= value < rank:
            self.refuse(f"axis {value}", f"{-rank}..{rank - 1}")
        return value % rank

    def __str__(self) -> str:
        return label(self.node)

"""The quantized network: frozen, self-validating dataclasses that quant makes, golden runs and compiler places.

Every layer is one operation (docs/arithmetic.md): a dense or depthwise convolution, bias, requantization, an optional
fused residual operand and a clamp. Pooling, fully connected layers and stand-alone additions are expressed by it.
Activations are CHW int8 tensors; the batch dimension does not exist in the quantized network.
"""

from dataclasses import dataclass, field
from typing import Any

from golden import check
from golden.errors import WesnpuError
from golden.layer import KERNEL_MAX, SIZE_MAX, ConvLayer, Residual
from golden.preprocessing import Preprocessing
from golden.requantize import GUARD_BITS_MAX

__all__ = ["KERNEL_MAX", "ConvLayer", "Network", "Preprocessing", "Residual", "Tensor"]


@dataclass(frozen=True)
class Tensor:
    """An int8 activation tensor of shape (channels, height, width); real value = scale * (x - zero_point).

    Sizes are 1..65535, scale is finite and > 0, zero_point is in -128..127.
    """

    name: str
    channels: int
    height: int
    width: int
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        check.text("tensor name", self.name)
        put = object.__setattr__
        for name in ("channels", "height", "width"):
            put(self, name, check.integer(f"tensor {self.name}: {name}", getattr(self, name), 1, SIZE_MAX))
        put(self, "scale", check.real(f"tensor {self.name}: scale", self.scale, positive=True))
        put(self, "zero_point", check.integer(f"tensor {self.name}: zero_point", self.zero_point, -128, 127))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, eq=False)
class Network:
    """A quantized network: tensors by name, layers in execution order, what came in and what is left to the host.

    `host_tail` names the operators cut off the end (e.g. Softmax), `provenance` holds source hash, recipe, tool
    versions and options as JSON-able values. guard_bits is G of Eq. 3, the same in every layer's requantizer.
    Construction proves that every operand exists when it is read, that shapes agree and that every accumulator fits
    int32 for all codes its input can hold (Eq. 1); WesnpuError names the layer or tensor.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    tensors: dict[str, Tensor]
    layers: tuple[ConvLayer, ...]
    guard_bits: int = 7
    preprocessing: Preprocessing | None = None
    labels: tuple[str, ...] = ()
    host_tail: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check.text("network name", self.name)
        put = object.__setattr__
        for name in ("outputs", "layers", "labels", "host_tail"):
            put(self, name, tuple(getattr(self, name)))
        for name in ("outputs", "labels", "host_tail"):
            if not all(isinstance(item, str) for item in getattr(self, name)):
                raise WesnpuError(f"{name} is {getattr(self, name)!r}: must hold strings only")
        if not isinstance(self.provenance, dict):
            raise WesnpuError(f"provenance is {self.provenance!r}: must be a dict of JSON values")
        put(self, "tensors", dict(self.tensors))
        put(self, "guard_bits", check.integer("guard_bits", self.guard_bits, 0, GUARD_BITS_MAX))
        self._check_tensors()
        produced = {self.input}
        for layer in self.layers:
            self._check_layer(layer, produced)
            produced.add(layer.output)
        self._check_ends(produced)

    def _check_tensors(self) -> None:
        for key, tensor in self.tensors.items():
            if not isinstance(tensor, Tensor) or tensor.name != key:
                raise WesnpuError(f"tensors[{key!r}] is {tensor!r}: must be the Tensor of that name")
        if self.input not in self.tensors:
            raise WesnpuError(f"input is {self.input!r}: must be the name of a tensor")
        names = [layer.name for layer in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise WesnpuError(f"layer name {twice[0]!r} is used twice: every layer needs its own name")

    def _check_layer(self, layer: ConvLayer, produced: set[str]) -> None:
        where = f"layer {layer.name}"
        operands = [layer.input] + ([layer.residual.tensor] if layer.residual else [])
        for name in operands:
            if name not in produced:
                raise WesnpuError(f"{where}: {name!r} is read before any layer produces it")
        if layer.output not in self.tensors or layer.output in produced:
            raise WesnpuError(f"{where}: output {layer.output!r} must be a tensor that nothing produced before")
        if layer.requantizer.guard_bits != self.guard_bits:
            have = layer.requantizer.guard_bits
            raise WesnpuError(f"{where}: requantizer has guard_bits {have}: must be {self.guard_bits}, as the network")
        self._check_shapes(layer, where)
        layer.check_accumulator(*self.codes_read(layer))

    def _check_shapes(self, layer: ConvLayer, where: str) -> None:
        source, target = self.tensors[layer.input], self.tensors[layer.output]
        if layer.input_channels != source.channels:
            raise WesnpuError(f"{where}: weight reads {layer.input_channels} channels: input has {source.channels}")
        expected = layer.output_shape(source.height, source.width)
        if target.shape != expected:
            raise WesnpuError(f"{where}: output {target.name!r} has shape {target.shape}: must be {expected}")
        if layer.residual and self.tensors[layer.residual.tensor].shape != target.shape:
            have = self.tensors[layer.residual.tensor].shape
            raise WesnpuError(f"{where}: residual {layer.residual.tensor!r} has shape {have}: must be {target.shape}")

    def _check_ends(self, produced: set[str]) -> None:
        if not self.outputs or len(set(self.outputs)) != len(self.outputs):
            raise WesnpuError(f"outputs is {self.outputs!r}: must name at least one tensor, each once")
        for name in self.outputs:
            if name not in produced:
                raise WesnpuError(f"output {name!r} is produced by no layer")
        left = sorted(set(self.tensors) - produced)
        if left:
            raise WesnpuError(f"tensor {left[0]!r} is produced by no layer ({len(left)} in all)")
        if self.preprocessing is not None:
            have = (self.preprocessing.channels, self.preprocessing.height, self.preprocessing.width)
            shape = self.tensors[self.input].shape
            if have != shape:
                raise WesnpuError(f"preprocessing makes {have}: must be {shape}, the shape of input {self.input!r}")

    def codes(self, tensor: str) -> tuple[int, int]:
        """Smallest and largest code that the tensor can hold: the clamp of its layer; -128, 127 for the input."""
        for layer in self.layers:
            if layer.output == tensor:
                return layer.lo, layer.hi
        return -128, 127

    def codes_read(self, layer: ConvLayer) -> tuple[int, int]:
        """Smallest and largest code that `layer` can read: its input's codes, and its zero point where it pads."""
        low, high = self.codes(layer.input)
        if any(layer.padding):
            zero_point = self.tensors[layer.input].zero_point
            low, high = min(low, zero_point), max(high, zero_point)
        return low, high

"""Export of a quantized network as ordinary ONNX QuantizeLinear/DequantizeLinear, for other runtimes.

Weights are int8 with one scale per output channel (s_w 2^-n_c), biases int32 and UNfolded (the zero point of the
input is not in them), a clamp is an explicit Relu or Clip, a residual a float Add before the one QuantizeLinear.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from golden.errors import WesnpuError
from golden.network import ConvLayer, Network, Tensor
from quant.qdq.weight_scale import real_weight_scale

OPSET, IR_VERSION = 17, 8
ActivationType = Literal["uint8", "int8"]
OFFSETS = {"uint8": 128, "int8": 0}  # exported code = int8 code + offset


@dataclass
class _Writer:
    """ONNX nodes and initializers under construction; tensors keep their names, quantized ones end in `:q`."""

    network: Network
    activations: ActivationType
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}:{output}", **attributes))
        return output

    def constant(self, name: str, array: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def parameters(self, tensor: Tensor) -> list[str]:
        """Scale and zero point of an activation tensor, made once."""
        names = [f"{tensor.name}:scale", f"{tensor.name}:zero_point"]
        if not any(item.name == names[0] for item in self.initializers):
            self.constant(names[0], np.array(tensor.scale, np.float32))
            zero_point = tensor.zero_point + OFFSETS[self.activations]
            self.constant(names[1], np.array(zero_point, np.dtype(self.activations)))
        return names

    def quantize(self, source: str, tensor: Tensor) -> None:
        """`source` (float) to the codes `tensor:q` and back to the float `tensor`."""
        coded = self.add("QuantizeLinear", [source, *self.parameters(tensor)], f"{tensor.name}:q")
        self.dequantize(coded, tensor)

    def dequantize(self, coded: str, tensor: Tensor) -> None:
        """The codes as the float `tensor`."""
        self.add("DequantizeLinear", [coded, *self.parameters(tensor)], tensor.name)

    def layer(self, layer: ConvLayer, suffix: str = "") -> str:
        """Convolution, residual and clamp in float; returns the name of the value before QuantizeLinear."""
        value = self.add(
            "Conv", [layer.input, self._weight(layer), self._bias(layer)], f"{layer.output}:conv",
            kernel_shape=list(layer.kernel), strides=list(layer.stride), pads=list(layer.padding),
            group=layer.channels if layer.depthwise else 1,
        )
        if layer.residual is not None:
            value = self.add("Add", [value, layer.residual.tensor], f"{layer.output}:sum")
        return self._clamp(layer, value)

    def _weight(self, layer: ConvLayer) -> str:
        if layer.block_shift is not None:
            raise WesnpuError(f"layer {layer.name!r}: ordinary QDQ has no block_shift (Eq. 8)")
        scales = real_weight_scale(self.network, layer).astype(np.float32)
        names = [
            self.constant(f"{layer.name}:weight", layer.weight),
            self.constant(f"{layer.name}:weight_scale", scales),
            self.constant(f"{layer.name}:weight_zero_point", np.zeros(layer.channels, np.int8)),
        ]
        return self.add("DequantizeLinear", names, f"{layer.name}:weight_float", axis=0)

    def _bias(self, layer: ConvLayer) -> str:
        source = self.network.tensors[layer.input]
        scales = (source.scale * real_weight_scale(self.network, layer)).astype(np.float32)
        names = [
            self.constant(f"{layer.name}:bias", unfolded_bias(self.network, layer)),
            self.constant(f"{layer.name}:bias_scale", scales),
            self.constant(f"{layer.name}:bias_zero_point", np.zeros(layer.channels, np.int32)),
        ]
        return self.add("DequantizeLinear", names, f"{layer.name}:bias_float", axis=0)

    def _clamp(self, layer: ConvLayer, value: str) -> str:
        target = self.network.tensors[layer.output]
        bounds = [
            "" if code == end else self.constant(f"{layer.name}:{which}", _real_bound(target, code))
            for which, code, end in (("low", layer.lo, -128), ("high", layer.hi, 127))
        ]
        if not any(bounds):
            return value
        if layer.lo == target.zero_point and not bounds[1]:
            self.initializers.pop()
            return self.add("Relu", [value], f"{layer.output}:clamped")
        return self.add("Clip", [value, *bounds], f"{layer.output}:clamped")


def _real_bound(tensor: Tensor, code: int) -> np.ndarray:
    return np.array(tensor.scale * (code - tensor.zero_point), np.float32)


def unfolded_bias(network: Network, layer: ConvLayer) -> np.ndarray:
    """The bias without the input zero point, int32 (O,): b_c + z_x * sum(w_c). WesnpuError where it leaves int32."""
    sums = layer.weight.reshape(layer.channels, -1).sum(axis=1, dtype=np.int64)
    bias = layer.bias + network.tensors[layer.input].zero_point * sums
    if np.abs(bias).max() >= 2**31:
        raise WesnpuError(f"layer {layer.name!r}: unfolded bias leaves int32, ordinary QDQ cannot hold it")
    return bias.astype(np.int32)


def export_qdq(network: Network, *, activations: ActivationType = "uint8") -> onnx.ModelProto:
    """The network as a QDQ model: float input `image` (N, C, H, W), float outputs by their names, N free.

    activations: "uint8" (codes + 128, which onnxruntime fuses to integer kernels on x86) or "int8" (the codes of
    golden). Every activation code tensor is named `<tensor>:q`. WesnpuError for another value of `activations`.
    """
    writer = _writer(network, activations)
    source = network.tensors[network.input]
    image = _input_name(network)
    writer.quantize(image, source)
    for layer in network.layers:
        writer.quantize(writer.layer(layer), network.tensors[layer.output])
    outputs = [_info(name, TensorProto.FLOAT, network.tensors[name]) for name in network.outputs]
    return _model(writer, network.name, [_info(image, TensorProto.FLOAT, source)], outputs)


def export_layer(network: Network, layer: ConvLayer, *, activations: ActivationType = "uint8") -> onnx.ModelProto:
    """One layer with codes at both ends: inputs `<input>:q` (and `<residual>:q`), output `<output>:q`."""
    writer = _writer(network, activations)
    names = dict.fromkeys([layer.input] + ([layer.residual.tensor] if layer.residual else []))
    tensors = [network.tensors[name] for name in names]
    for tensor in tensors:
        writer.dequantize(f"{tensor.name}:q", tensor)
    target = network.tensors[layer.output]
    value = writer.layer(layer)
    writer.add("QuantizeLinear", [value, *writer.parameters(target)], f"{target.name}:q")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(activations))
    inputs = [_info(f"{tensor.name}:q", kind, tensor) for tensor in tensors]
    return _model(writer, layer.name, inputs, [_info(f"{target.name}:q", kind, target)])


def _input_name(network: Network) -> str:
    """"image", with underscores behind it while a tensor of the network has that name."""
    name = "image"
    while name in network.tensors:
        name += "_"
    return name


def _writer(network: Network, activations: str) -> _Writer:
    if activations not in OFFSETS:
        raise WesnpuError(f"activations is {activations!r}: must be one of {', '.join(OFFSETS)}")
    return _Writer(network, activations)  # type: ignore[arg-type]


def _info(name: str, kind: int, tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["N", *tensor.shape])


def _model(
    writer: _Writer, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    graph = helper.make_graph(writer.nodes, name, inputs, outputs, writer.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model

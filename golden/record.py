"""A network as JSON-able values and arrays, and back; the layout is in docs/network-file.md."""

from dataclasses import fields
from typing import Any

import numpy as np

from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network, Preprocessing, Residual, Tensor
from golden.pack import pack_weights, unpack_weights
from golden.power_of_two import PowerOfTwo
from golden.requantize import Requantizer, ShiftScaler

Arrays = dict[str, np.ndarray]
REQUANTIZERS: dict[str, type] = {
    "shift_scaler": ShiftScaler,
    "channel_multiplier": ChannelMultiplier,
    "double_rounding": DoubleRounding,
    "power_of_two": PowerOfTwo,
}


def requantizer_kind(requantizer: Requantizer) -> str:
    """The name under which this requantizer is stored; WesnpuError for a class that no file can hold."""
    for kind, cls in REQUANTIZERS.items():
        if type(requantizer) is cls:
            return kind
    raise WesnpuError(f"requantizer {type(requantizer).__name__} cannot be stored: must be one of {set(REQUANTIZERS)}")


def _little_endian(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _requantizer_to_record(requantizer: Requantizer, prefix: str, arrays: Arrays) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": requantizer_kind(requantizer)}
    for field in fields(requantizer):  # type: ignore[arg-type]
        value = getattr(requantizer, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = _little_endian(value)
        elif value is not None:
            record[field.name] = value
    return record


def _take(arrays: Arrays, name: str) -> np.ndarray:
    if name not in arrays:
        raise WesnpuError(f"array {name!r} is missing")
    array = arrays.pop(name)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _requantizer_from_record(record: dict[str, Any], prefix: str, arrays: Arrays) -> Requantizer:
    values = dict(record)
    kind = values.pop("kind")
    if kind not in REQUANTIZERS:
        raise WesnpuError(f"requantizer kind is {kind!r}: must be one of {sorted(REQUANTIZERS)}")
    for field in fields(REQUANTIZERS[kind]):
        if f"{prefix}.{field.name}" in arrays:
            values[field.name] = _take(arrays, f"{prefix}.{field.name}")
    return REQUANTIZERS[kind](**values)


def _layer_to_record(layer: ConvLayer, prefix: str, arrays: Arrays) -> dict[str, Any]:
    narrow = layer.weight_bits < 8
    arrays[f"{prefix}.weight"] = pack_weights(layer.weight, layer.weight_bits) if narrow else layer.weight
    arrays[f"{prefix}.bias"] = _little_endian(layer.bias)
    if layer.block_shift is not None:
        arrays[f"{prefix}.block_shift"] = layer.block_shift
    residual = layer.residual and {"tensor": layer.residual.tensor, "multiplier": layer.residual.multiplier}
    return {
        "name": layer.name,
        "input": layer.input,
        "output": layer.output,
        "depthwise": layer.depthwise,
        "weight_shape": list(layer.weight.shape),
        "weight_bits": layer.weight_bits,
        "stride": list(layer.stride),
        "padding": list(layer.padding),
        "lo": layer.lo,
        "hi": layer.hi,
        "residual": residual,
        "requantizer": _requantizer_to_record(layer.requantizer, prefix, arrays),
    }


def _layer_from_record(record: dict[str, Any], prefix: str, arrays: Arrays) -> ConvLayer:
    values = dict(record)
    shape = tuple(values.pop("weight_shape"))
    weight, bias = _take(arrays, f"{prefix}.weight"), _take(arrays, f"{prefix}.bias")
    if values["weight_bits"] in (2, 3, 4, 6):
        weight = unpack_weights(weight, values["weight_bits"], shape)
    elif weight.shape != shape:
        raise WesnpuError(f"array {prefix}.weight has shape {weight.shape}: must be {shape}")
    values["requantizer"] = _requantizer_from_record(values["requantizer"], prefix, arrays)
    if f"{prefix}.block_shift" in arrays:
        values["block_shift"] = _take(arrays, f"{prefix}.block_shift")
    values["residual"] = Residual(**values["residual"]) if values["residual"] else None
    return ConvLayer(**values, weight=weight, bias=bias)


def network_to_record(network: Network) -> tuple[dict[str, Any], Arrays]:
    """(header values, arrays by name) of a network; arrays are named `<layer index>.<field>` and little-endian."""
    arrays: Arrays = {}
    layers = [_layer_to_record(layer, f"{i:04d}", arrays) for i, layer in enumerate(network.layers)]
    preprocessing = network.preprocessing and {
        field.name: getattr(network.preprocessing, field.name) for field in fields(network.preprocessing)
    }
    tensors = [{f.name: getattr(tensor, f.name) for f in fields(tensor)} for tensor in network.tensors.values()]
    record = {
        "name": network.name,
        "input": network.input,
        "outputs": network.outputs,
        "tensors": tensors,
        "layers": layers,
        "guard_bits": network.guard_bits,
        "preprocessing": preprocessing,
        "labels": network.labels,
        "host_tail": network.host_tail,
        "provenance": network.provenance,
    }
    return record, arrays


def network_from_record(record: dict[str, Any], arrays: Arrays) -> Network:
    """The validated network of these header values and arrays; WesnpuError when one is missing, wrong or left over."""
    values, arrays = dict(record), dict(arrays)
    tensors = [Tensor(**tensor) for tensor in values["tensors"]]
    values["tensors"] = {tensor.name: tensor for tensor in tensors}
    values["layers"] = [_layer_from_record(r, f"{i:04d}", arrays) for i, r in enumerate(values["layers"])]
    if values["preprocessing"] is not None:
        values["preprocessing"] = Preprocessing(**values["preprocessing"])
    if arrays:
        raise WesnpuError(f"array {sorted(arrays)[0]!r} belongs to no layer")
    return Network(**values)

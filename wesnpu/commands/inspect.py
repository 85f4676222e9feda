"""``wesnpu inspect``: a quantized network layer by layer."""

from collections.abc import Mapping

import numpy as np

from golden.bounds import accumulator_bounds
from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.file import load_network
from golden.network import ConvLayer, Network
from golden.requantize import SHIFT_MAX, Requantizer, ShiftScaler
from quant.evaluation.evaluate import tensor_sqnr
from quant.qdq.weight_scale import real_weight_scale
from wesnpu import console, options
from wesnpu.commands.evaluate import FloatModel, float_graph, preprocessing_of
from wesnpu.image_files import read_pictures

COLUMNS = ("layer", "kind", "weights", "s_w", "s_y", "z_y", "clamp", "M", "e", "acc bits", "shift n_c: channels")
LIMIT = 32


def inspect(
    network: options.NetworkFile,
    float_model: FloatModel = None,
    images: options.OptionalImages = None,
    limit: options.Limit = LIMIT,
) -> None:
    """Show every layer's scales, multiplier, shifts and bounds; with float network and images its SQNR too."""
    if (float_model is None) != (images is None):
        raise WesnpuError("--float and --images belong together: SQNR needs both")
    quantized = load_network(network)
    describe(quantized)
    sqnr = None
    if float_model is not None and images is not None:
        graph = float_graph(quantized, float_model)
        pictures = read_pictures(images, preprocessing_of(quantized, network), limit=limit)
        sqnr = tensor_sqnr(quantized, graph, pictures.images)
    table(quantized, sqnr)


def describe(network: Network) -> None:
    """Print where the network comes from and what it reads."""
    tensor = network.tensors[network.input]
    console.say(f"{network.name}: {len(network.layers)} layers, G = {network.guard_bits}")
    shape = "x".join(map(str, tensor.shape))
    console.say(f"input {tensor.name} {shape}, scale {tensor.scale:.6g}, zero point {tensor.zero_point}")
    console.say(f"preprocessing {network.preprocessing or 'not given'}")
    console.say(f"left to the host: {', '.join(network.host_tail) or 'nothing'}")
    for key, value in network.provenance.items():
        if not isinstance(value, (list, dict)):
            console.say(f"{key} {value}")


def table(network: Network, sqnr: Mapping[str, float] | None) -> None:
    """Print one line per layer; sqnr gives dB by output tensor."""
    columns = COLUMNS if sqnr is None else (*COLUMNS, "SQNR dB")
    rows = []
    for layer in network.layers:
        quality = () if sqnr is None else (f"{sqnr[layer.output]:.1f}",)
        rows.append((*row(network, layer), *quality))
    console.table("Layers", columns, rows)


def row(network: Network, layer: ConvLayer) -> tuple[str, ...]:
    """One line of the table."""
    target = network.tensors[layer.output]
    kind = "depthwise" if layer.depthwise else "dense"
    window = f"{kind} {layer.kernel[0]}x{layer.kernel[1]}{' +residual' if layer.residual else ''}"
    low, high = accumulator_bounds(layer.accumulator_weight, layer.bias, *network.codes_read(layer))
    bits = max(int(high.max()), -int(low.min()) - 1, 1).bit_length() + 1
    clamp = f"{layer.lo}..{layer.hi}"
    multiplier, exponent, shifts = requantization(layer.requantizer)
    scales = (weight_scale(network, layer), f"{target.scale:.5g}", str(target.zero_point))
    return (layer.name, window, f"{layer.weight.size:,}", *scales, clamp, multiplier, exponent, str(bits), shifts)


def weight_scale(network: Network, layer: ConvLayer) -> str:
    """The layer's one weight scale, or the smallest and largest of its channels'."""
    scales = real_weight_scale(network, layer)
    if isinstance(layer.requantizer, ShiftScaler) and layer.requantizer.half_step is None:
        return f"{np.ldexp(scales[0], int(layer.requantizer.shift[0])):.5g}"
    return f"{scales.min():.5g}..{scales.max():.5g}"


def requantization(requantizer: Requantizer) -> tuple[str, str, str]:
    """M, e and the shifts in words; a multiplier per channel has neither."""
    if isinstance(requantizer, ShiftScaler):
        return str(requantizer.multiplier), str(requantizer.exponent), histogram(requantizer.shift)
    name = "per channel" if isinstance(requantizer, ChannelMultiplier) else type(requantizer).__name__
    return name, "-", "-"


def shift_counts(shift: np.ndarray) -> tuple[int, ...]:
    """How many channels have the shift 0, 1, ... 15."""
    return tuple(int(count) for count in np.bincount(shift, minlength=SHIFT_MAX + 1))


def histogram(shift: np.ndarray) -> str:
    """'0:12 1:4': only shifts that occur."""
    return " ".join(f"{n}:{count}" for n, count in enumerate(shift_counts(shift)) if count)

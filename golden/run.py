"""Running a quantized network: streaming, keeping tensors, or keeping every stage of every layer."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from golden.conv import accumulate
from golden.errors import WesnpuError
from golden.layer import ConvLayer
from golden.network import Network
from golden.plan import layer_plan
from golden.requantize import residual_term


@dataclass(frozen=True, eq=False)
class LayerStages:
    """Every stage of one layer: acc (Eq. 1), shifted (Eq. 3), product (Eq. 4), int64, output (Eq. 6), int8."""

    acc: np.ndarray
    shifted: np.ndarray
    product: np.ndarray
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class RunResult:
    """outputs: the network's outputs by name; tensors: those kept, by name; stages: by layer name, if asked for.

    Arrays are (C, H, W), or (N, C, H, W) when the input was a batch.
    """

    outputs: dict[str, np.ndarray]
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    stages: dict[str, LayerStages] = field(default_factory=dict)


def run_layer(
    network: Network, layer: ConvLayer, x: np.ndarray, residual: np.ndarray | None, *, exact: bool = True
) -> LayerStages:
    """Eq. 1..7 of one layer with every stage; x and residual are int8 (C, H, W).

    exact: accumulate by the readable definition; otherwise by the fast path, which gives the same integers.
    """
    zero_point = network.tensors[layer.input].zero_point
    acc = accumulate(layer, x, zero_point) if exact else layer_plan(network, layer).accumulate(x)
    r = None
    if layer.residual is not None:
        if residual is None:
            raise WesnpuError(
                f"layer {layer.name}: residual is None: must be {layer.residual.tensor!r}, int8 (C, H, W)"
            )
        zero_point = network.tensors[layer.residual.tensor].zero_point
        r = residual_term(residual, zero_point, layer.residual.multiplier, network.guard_bits)
    zero_point = network.tensors[layer.output].zero_point
    stages = layer.requantizer.stages(acc, residual=r, zero_point=zero_point, lo=layer.lo, hi=layer.hi)
    return LayerStages(acc, stages.shifted, stages.product, stages.output)


def last_readers(network: Network) -> dict[str, int]:
    """Index of the last layer that reads each tensor; tensors that no layer reads are absent."""
    last = {}
    for index, layer in enumerate(network.layers):
        last[layer.input] = index
        if layer.residual is not None:
            last[layer.residual.tensor] = index
    return last


def checked_names(what: str, asked: bool | Collection[str], known: Collection[str]) -> frozenset[str]:
    """The names that `asked` means: none for False, all for True; WesnpuError for a name that does not exist."""
    if isinstance(asked, bool):
        return frozenset(known if asked else ())
    unknown = asked if isinstance(asked, str) else sorted(set(asked) - set(known))
    if unknown:
        raise WesnpuError(f"{what} names {unknown!r}: must be True, False or a set of existing names")
    return frozenset(asked)


def checked_image(network: Network, x: np.ndarray) -> np.ndarray:
    """`x` itself; WesnpuError unless it is int8 of the network's input shape, with or without a batch in front."""
    shape = network.tensors[network.input].shape
    if not isinstance(x, np.ndarray) or x.dtype != np.int8 or x.ndim not in (3, 4) or x.shape[-3:] != shape:
        have = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise WesnpuError(f"input of network {network.name} is {have}: must be int8 {shape}, or a batch of it")
    if x.shape[0] == 0:
        raise WesnpuError(f"input of network {network.name} is an empty batch")
    return x


def _run_image(network: Network, x: np.ndarray, keep: frozenset[str], stages: frozenset[str], exact: bool) -> RunResult:
    last, wanted = last_readers(network), keep | set(network.outputs)
    live, result = {network.input: x}, RunResult({}, {}, {})
    for index, layer in enumerate(network.layers):
        operands = live[layer.input], live[layer.residual.tensor] if layer.residual else None
        if exact or layer.name in stages:
            done = run_layer(network, layer, *operands, exact=exact)
            live[layer.output] = done.output
            if layer.name in stages:
                result.stages[layer.name] = done
        else:
            live[layer.output] = layer_plan(network, layer).run(*operands)
        for name in [name for name in live if last.get(name, -1) <= index and name not in wanted]:
            del live[name]
    result.outputs.update({name: live[name] for name in network.outputs})
    result.tensors.update({name: live[name] for name in network.tensors if name in keep})
    return result


def _stack(results: list[RunResult]) -> RunResult:
    first = results[0]
    outputs = {name: np.stack([r.outputs[name] for r in results]) for name in first.outputs}
    tensors = {name: np.stack([r.tensors[name] for r in results]) for name in first.tensors}
    stages = {}
    for name in first.stages:
        parts = [r.stages[name] for r in results]
        stages[name] = LayerStages(
            *(np.stack([getattr(p, stage) for p in parts]) for stage in ("acc", "shifted", "product", "output"))
        )
    return RunResult(outputs, tensors, stages)


def run(
    network: Network,
    x: np.ndarray,
    *,
    keep: bool | Collection[str] = False,
    stages: bool | Collection[str] = False,
    exact: bool = False,
) -> RunResult:
    """Run the network on x, int8 (C, H, W) or a batch (N, C, H, W); every result is exact in every mode.

    keep: True keeps every tensor, the input included, or names those to keep; others are freed after their last
    reader. stages: True keeps acc, shifted, product and output of every layer, or names the layers. exact: compute
    by the readable int64 definition instead of the fast path, which gives the same integers.
    WesnpuError for an input of another dtype or shape and for unknown names.
    """
    checked_image(network, x)
    kept = checked_names("keep", keep, network.tensors)
    staged = checked_names("stages", stages, [layer.name for layer in network.layers])
    if x.ndim == 3:
        return _run_image(network, x, kept, staged, exact)
    return _stack([_run_image(network, image, kept, staged, exact) for image in x])

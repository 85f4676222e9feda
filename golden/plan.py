"""What the fast path prepares once per layer: float weights with the shifts folded in, proved to compute exactly."""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from golden.bounds import partial_sum_bound
from golden.fast_finish import Float64Finish, float32_finish
from golden.fast_sums import Block, dense_blocks, depthwise_blocks, padded_input
from golden.layer import ConvLayer
from golden.network import Network
from golden.requantize import ShiftScaler, residual_term
from golden.scratch import SCRATCH

Finish = Callable[["Group", Block, int], np.ndarray]
EXACT = {np.float32: 1 << 24, np.float64: 1 << 53}  # integers below this magnitude are exact


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that share a precision: `matrix` (n, taps + 1), the bias last, times 2^(G-s_c) when codes are wanted.

    late: indices into the n channels whose bias is too large for the matrix, where it is 0; late_bias (n,) holds it.
    """

    channels: np.ndarray | slice
    matrix: np.ndarray
    late: np.ndarray
    late_bias: np.ndarray


def groups(layer: ConvLayer, bias: np.ndarray, codes: tuple[int, int], factor: np.ndarray) -> list[Group]:
    """The channels of a layer by precision: single where the products stay below 2^24, else double.

    bias: int (O,), added in the matrix where all partial sums stay exact; codes: smallest and largest input code;
    factor: float64 (O,), multiplies every row: a power of two, or three times one.
    """
    numerator = np.where(np.frexp(factor)[0] == 0.75, 3, 1)  # in units of the power of two: 3 for a half-step
    weight = layer.accumulator_weight  # Eq. 8: 2^d is folded in, and the bound is that of the folded weights
    products = partial_sum_bound(weight, np.zeros_like(bias), *codes) * numerator
    total = partial_sum_bound(weight, bias, *codes) * numerator
    wide, late = products >= EXACT[np.float32], total >= EXACT[np.float32]
    flat = weight.reshape(layer.channels, -1).astype(np.float64)
    matrix = np.concatenate([flat, np.where(late & ~wide, 0, bias)[:, None]], axis=1) * factor[:, None]
    made = []
    for dtype, chosen in ((np.float32, ~wide), (np.float64, wide)):
        if chosen.any():
            channels = slice(None) if chosen.all() else np.flatnonzero(chosen)
            own = np.flatnonzero((late & ~wide)[channels])
            made.append(Group(channels, matrix[channels].astype(dtype), own, (bias * factor)[channels]))
    return made


class LayerPlan:
    """The fast path of one layer: `accumulate` equals conv.accumulate, `run` equals the whole of run.run_layer.

    Exact for every input whose codes lie in the clamp of the layer that made it (-128..127 for the network's input).
    """

    def __init__(self, network: Network, layer: ConvLayer) -> None:
        self.layer, self.guard_bits = layer, network.guard_bits
        self.input_zero_point = network.tensors[layer.input].zero_point
        self.output_zero_point = network.tensors[layer.output].zero_point
        self.residual_zero_point = network.tensors[layer.residual.tensor].zero_point if layer.residual else 0
        self._codes_read = network.codes_read(layer)
        self._sum_groups: list[Group] | None = None
        self._code_groups: list[Group] | None = None
        if isinstance(layer.requantizer, ShiftScaler):
            self._prepare_codes(layer.requantizer)

    def _prepare_codes(self, scaler: ShiftScaler) -> None:
        layer = self.layer
        half = np.zeros(layer.channels, np.int64) if scaler.half_step is None else scaler.half_step.astype(np.int64)
        factor = np.ldexp(1.0 + 2 * half, scaler.guard_bits - scaler.total_shift - 2 * half)  # Eq. 3, 3h
        self._code_groups = groups(layer, layer.bias.astype(np.int64), self._codes_read, factor)
        arguments = (scaler, self.output_zero_point, layer.lo, layer.hi)
        self._double = Float64Finish(*arguments)
        self._single = None if layer.residual else float32_finish(*arguments)

    def _blocks(self, group: Group, padded: np.ndarray, size: tuple[int, int]) -> Iterator[Block]:
        if not self.layer.depthwise:
            return dense_blocks(self.layer, padded, group.matrix, size)
        return depthwise_blocks(self.layer, padded[group.channels], group.matrix, size)

    def accumulate(self, x: np.ndarray) -> np.ndarray:
        """Eq. 1: int64 (O, HO, WO), from x int8 (C, H, W)."""
        if self._sum_groups is None:
            none = np.zeros(self.layer.channels, np.int64)
            self._sum_groups = groups(self.layer, none, self._codes_read, np.ones(self.layer.channels))

        def sums(group: Group, block: Block, width: int) -> np.ndarray:
            return block.sums[:, :, :width]

        acc = self._assemble(self._sum_groups, x, np.dtype(np.int64), sums)
        return acc + self.layer.bias.astype(np.int64)[:, None, None]

    def run(self, x: np.ndarray, residual: np.ndarray | None) -> np.ndarray:
        """Eq. 1..7: int8 (O, HO, WO), from x and residual, int8 (C, H, W)."""
        if self._code_groups is None:
            return self._run_in_integers(x, residual)

        def codes(group: Group, block: Block, width: int) -> np.ndarray:
            return self._finish(group, block, width, residual)

        return self._assemble(self._code_groups, x, np.dtype(np.int8), codes)

    def _assemble(self, parts: list[Group], x: np.ndarray, dtype: np.dtype, finish: Finish) -> np.ndarray:
        """The layer's output of this dtype from what `finish` makes of every block of every group."""
        shape = self.layer.output_shape(*x.shape[1:])
        padded, out = padded_input(self.layer, x, self.input_zero_point), np.empty(shape, dtype)
        for group in parts:
            whole = isinstance(group.channels, slice)
            part = out if whole else np.empty((len(group.matrix), *shape[1:]), dtype)
            for block in self._blocks(group, padded, shape[1:]):
                np.copyto(part[block.channels, block.rows], finish(group, block, shape[2]), casting="unsafe")
            if not whole:
                out[group.channels] = part
        return out

    def _finish(self, group: Group, block: Block, width: int, residual: np.ndarray | None) -> np.ndarray:
        """Eq. 3..7 of one block, floats that hold codes."""
        r = None
        if residual is not None:
            r = self._float_residual(residual[group.channels][block.channels, block.rows])
        late, late_codes = self._late_codes(group, block, width, r) if group.late.size else (group.late, None)
        if r is None and self._single and group.matrix.dtype == np.float32:
            codes = self._single(block.sums)[:, :, :width]
        else:
            codes = self._double(block.sums[:, :, :width], r)
        if late.size:
            codes[late] = late_codes
        return codes

    def _late_codes(
        self, group: Group, block: Block, width: int, r: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The channels of the block whose bias is not in the matrix, and their codes."""
        late = group.late[(group.late >= block.channels.start) & (group.late < block.channels.stop)]
        local = late - block.channels.start
        sums = block.sums[local, :, :width] + group.late_bias[late][:, None, None]
        return local, self._double(sums, None if r is None else r[local]).copy()

    def _float_residual(self, u: np.ndarray) -> np.ndarray:
        """Eq. 7 in double precision, exact."""
        assert self.layer.residual is not None
        r = SCRATCH.array("residual", u.shape, np.dtype(np.float64))
        np.subtract(u, np.float64(self.residual_zero_point), out=r)
        r *= self.layer.residual.multiplier << (self.guard_bits + 1)
        return r

    def _residual(self, u: np.ndarray) -> np.ndarray:
        assert self.layer.residual is not None
        return residual_term(u, self.residual_zero_point, self.layer.residual.multiplier, self.guard_bits)

    def _run_in_integers(self, x: np.ndarray, residual: np.ndarray | None) -> np.ndarray:
        r = None if residual is None else self._residual(residual)
        layer, zero_point = self.layer, self.output_zero_point
        acc = self.accumulate(x)
        return layer.requantizer.stages(acc, residual=r, zero_point=zero_point, lo=layer.lo, hi=layer.hi).output


_PLANS: "weakref.WeakKeyDictionary[Network, dict[str, LayerPlan]]" = weakref.WeakKeyDictionary()


def layer_plan(network: Network, layer: ConvLayer) -> LayerPlan:
    """The layer's plan, made on first use and kept as long as the network lives."""
    plans = _PLANS.setdefault(network, {})
    if layer.name not in plans:
        plans[layer.name] = LayerPlan(network, layer)
    return plans[layer.name]

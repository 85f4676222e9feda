"""The plan: everything that the passes of a recipe learn about one network, from the float graph to integer codes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from golden.network import Preprocessing
from golden.requantize import SHIFT_MAX
from quant.calibration.calibrate import Statistics
from quant.float_graph.graph import Graph
from quant.plan.operations import Operation
from quant.plan.scales import Scale
from quant.weights.weights import WeightCodes, recode

Rounding = Callable[[Operation, WeightCodes], WeightCodes]  # the same scales and shifts with codes made anew


@dataclass(frozen=True)
class Options:
    """What a user chooses besides the recipe.

    guard_bits: G of Eq. 3. weight_bits: 2, 3, 4, 6 or 8. activation_bits: 4, 6 or 8, of every tensor between layers;
    input and outputs of the network keep 8.
    """

    observer: str = "minmax"
    guard_bits: int = 7
    weight_bits: int = 8
    activation_bits: int = 8


@dataclass
class Plan:
    """State that passes read and extend, in the order of the fields.

    graph: the float network, changed only so that its function stays the same. batches: () -> iterator of float32
    (N, C, H, W) calibration batches, the same at every call. statistics, scales, operations, codes: made by passes.
    corrections: real values added to a bias, shift_limits: largest n_c allowed, uint8 (O,), both by operation name.
    rounding: how the recipe makes codes, the nearest until its rounding pass. wants_means: a later pass needs
    statistics.means. largest_shift: of n_c, set by a narrow shift field. images: how many. log: one line per fact worth
    telling.
    """

    graph: Graph
    batches: Callable[[], Iterator[np.ndarray]]
    preprocessing: Preprocessing | None = None
    options: Options = field(default_factory=Options)
    statistics: Statistics = field(default_factory=Statistics)
    scales: dict[str, Scale] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    codes: dict[str, WeightCodes] = field(default_factory=dict)
    corrections: dict[str, np.ndarray] = field(default_factory=dict)
    shift_limits: dict[str, np.ndarray] = field(default_factory=dict)
    rounding: Rounding = lambda operation, weights: recode(operation.weight, weights)
    wants_means: bool = False
    largest_shift: int = SHIFT_MAX
    images: int = 0
    log: list[str] = field(default_factory=list)
    progress: Callable[[str, int], None] | None = None

    def note(self, text: str) -> None:
        """Append a line to the log, once."""
        if text not in self.log:
            self.log.append(text)

    def report(self, what: str, images: int) -> None:
        """Tell the caller's progress callback that a pass has worked through so many images."""
        if self.progress is not None:
            self.progress(what, images)

    def bias(self, operation: Operation) -> np.ndarray:
        """The real bias of an operation, corrections included, float64 (O,)."""
        return operation.bias + self.corrections.get(operation.name, 0.0)

    def bits_of(self, tensor: str) -> int:
        """Activation bits of a tensor: 8 for the input and the outputs of the network."""
        ends = (self.graph.input, *self.graph.outputs)
        return 8 if tensor in ends else self.options.activation_bits

    def code_range(self, tensor: str) -> tuple[int, int]:
        """Smallest and largest code that the tensor can hold (Eq. 6); -128, 127 for the input."""
        for operation in self.operations:
            if operation.output == tensor:
                return clamp_codes(operation, self.scales[tensor])
        return -128, 127


def clamp_codes(operation: Operation, scale: Scale) -> tuple[int, int]:
    """lo and hi of Eq. 6: the codes of the activation's real bounds, the smallest and largest where there is none."""
    low, high = operation.activation.low, operation.activation.high
    lo = -128 if low is None else scale.code(low)
    hi = scale.top if high is None else scale.code(high)
    return lo, max(lo, hi)

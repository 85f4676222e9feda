"""The exponents of a power-of-two network: where each stands in a plan, and which values it may take."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quant.plan.input_scale import exact_input_scale
from quant.plan.operations import Operation
from quant.plan.plan import Plan
from quant.weights.power_of_two import ceil_exponent, floor_exponent, scale_of_exponent
from quant.weights.weights import WeightCodes, recode

RATIOS = 2.0 ** (-np.arange(33) / 8)  # among which the scale of least squared error is sought


@dataclass(frozen=True, eq=False)
class Place:
    """One exponent of a plan: the plan's dictionary and key, what to put there for every value it may take.

    start: its value in the plan. nearest: the one that loses least by itself. first: index of the first operation whose
    output depends on it.
    """

    where: MutableMapping[str, Any]
    name: str
    first: int
    start: int
    nearest: int
    states: dict[int, Any]

    @property
    def options(self) -> tuple[int, ...]:
        """The values it may take, ascending."""
        return tuple(sorted(self.states))

    def put(self, exponent: int) -> None:
        """Give the plan this exponent."""
        self.where[self.name] = self.states[exponent]


def places(plan: Plan) -> list[Place]:
    """The exponents of a plan with power-of-two scales in execution order: a layer's weights, then its output.

    Weights: the present one, and floor and ceiling of log2 of the layer's scale of least squared error (all channels
    together; they keep their shifts). Activations: the present one and one less, which clips. An input whose codes are
    pixels has no choice.
    """
    exact = plan.scales[plan.graph.input] == exact_input_scale(plan.preprocessing)
    found = [] if exact else [_activation(plan, plan.graph.input, 0)]
    for index, operation in enumerate(plan.operations):
        if operation.kind == "conv":
            found.append(_weights(plan, operation, index))
        found.append(_activation(plan, operation.output, index))
    return found


def best_ratio(weight: np.ndarray, weights: WeightCodes) -> float:
    """The factor among RATIOS on all scales whose nearest codes, clipped, have the least squared error."""
    errors = []
    for ratio in RATIOS:
        scaled = replace(weights, scale=weights.scale * float(ratio))
        errors.append(squared_error(weight, recode(weight, scaled)))
    return float(RATIOS[int(np.argmin(errors))])


def squared_error(weight: np.ndarray, weights: WeightCodes) -> float:
    """Sum over all weights of the squared difference from their codes' real values."""
    return float(np.square(weights.real - weight).sum())


def _weights(plan: Plan, operation: Operation, index: int) -> Place:
    given = plan.codes[operation.name]
    start, ratio = floor_exponent(given.scale), best_ratio(operation.weight, given)
    states = {start: given}
    for step in (floor_exponent(ratio), ceil_exponent(ratio)):
        if step:
            states[start + step] = plan.rounding(operation, replace(given, scale=2.0 ** (start + step)))
    nearest = min(states, key=lambda exponent: squared_error(operation.weight, states[exponent]))
    return Place(plan.codes, operation.name, index, start, nearest, states)


def _activation(plan: Plan, tensor: str, index: int) -> Place:
    given = plan.scales[tensor]
    low, high = plan.statistics.ranges.get(tensor, (given.low, given.high))
    start = floor_exponent(given.scale)
    less = scale_of_exponent(start - 1, min(low, 0.0), max(high, 0.0), given.top)
    return Place(plan.scales, tensor, index, start, start, {start: given, start - 1: less})
